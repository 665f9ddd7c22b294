"""The ground check on answers that people rated, and on true sentences with one fact altered.

    python -m eval.benchmarks.groundedness --data ../shared/data

The first table has the three bands: how many answers and sentences each holds, and how many of them are truly grounded (of a
sentence is known only whether its answer is). The check's two thresholds were set on one part of MTRAG's conversations; its rules
were written with examples of all sets in view. The second table compares scores: of the whole answers, the AUROC, and the
balanced accuracy at the threshold that was best on the other part. The third says which altered sentences are caught, that is,
called unsupported. No language model is asked. Exit status 1 when a target is missed: 95 % truly grounded of the sentences that
are called supported on MTRAG, and 95 % of the altered numbers, dates and names caught on each body of pages.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.bootstrap import build_counter, build_embedder
from app.grounding import Readings, Support, check_sentence
from app.home import prepare_home
from app.settings import load_settings
from eval.benchmarks.sets.edits import DATE, KINDS, NAME, NUMBER, EditedSentence, edit_sentences, read_chunks
from eval.benchmarks.sets.groundedness import (
    JUDGED,
    SET,
    CheckedAnswer,
    auroc,
    balanced_accuracy,
    best_threshold,
    bigram_overlap,
    check_answers,
    cosine_scores,
    load_mtrag,
    load_summedits,
    word_overlap,
)
from eval.datasets.sentences import counted_rarity
from indexing.language import ENGLISH

TARGET_SHARE: Final = 0.95
MANUAL: Final = Path(__file__).parents[2] / "docs"
PARTS: Final = (SET, JUDGED, "all")
_SEED: Final = 7


def add_bands(table: Table, name: str, checked: Sequence[CheckedAnswer]) -> float:
    """Add a row for each part and support; the share truly grounded of all sentences that are called supported."""
    supported = 0.0
    for part in PARTS:
        own = [one for one in checked if part in {one.rated.part, "all"}]
        sentences = [(support, one.rated.grounded) for one in own for support in one.verdicts]
        for support in Support:
            answers = [one.rated.grounded for one in own if one.verdict is support]
            labels = [grounded for each, grounded in sentences if each is support]
            table.add_row(name, part, support, *_band(answers, len(own)), *_band(labels, len(sentences)))
            if support is Support.SUPPORTED and part == "all":
                supported = sum(labels) / len(labels)
    return supported


def add_scores(table: Table, name: str, checked: Sequence[CheckedAnswer], scores: dict[str, Sequence[float]]) -> None:
    """Add a row for each score: AUROC over all answers and over the part to be judged, balanced accuracy over that part."""
    first = [number for number, one in enumerate(checked) if one.rated.part == SET]
    second = [number for number, one in enumerate(checked) if one.rated.part == JUDGED]
    labels = [one.rated.grounded for one in checked]
    for scorer, values in scores.items():
        threshold = best_threshold([values[n] for n in first], [labels[n] for n in first])
        judged = [values[n] for n in second], [labels[n] for n in second]
        accuracy = balanced_accuracy(*judged, threshold)
        table.add_row(
            name, scorer, f"{auroc(values, labels):.3f}", f"{auroc(*judged):.3f}", f"{threshold:.2f}", f"{accuracy:.1%}"
        )


def add_edits(table: Table, name: str, docs: Path) -> list[float]:
    """Add a row for each kind of edit; the shares caught of those that have a target."""
    chunks = read_chunks(docs, build_counter())
    rarity = counted_rarity([chunk.text for chunk in chunks])
    edits = edit_sentences(chunks, _SEED)
    start = time.perf_counter()
    verdicts = [check_sentence(edit.text, edit.cited, rarity, Readings(ENGLISH)).support for edit in edits]
    each_ms = (time.perf_counter() - start) * 1_000 / len(edits)
    shares = []
    for kind in KINDS:
        own = [verdict for verdict, edit in zip(verdicts, edits, strict=True) if edit.kind == kind]
        if own:
            table.add_row(name, kind, f"{len(own)}", *(f"{own.count(verdict) / len(own):.1%}" for verdict in reversed(Support)))
            shares += [own.count(Support.UNSUPPORTED) / len(own)] if kind in {NUMBER, DATE, NAME} else []
    table.caption = f"{each_ms:.2f} ms a sentence with its {_mean_cited(edits):.1f} units, read for the first time"
    return shares


def main() -> int:
    """Print the three tables."""
    data: Path = _arguments().data
    settings = load_settings()
    prepare_home(settings.home)
    embedder = build_embedder(settings)
    bands = Table(title="bands")
    for column in ("set", "part", "verdict", "answers", "of all", "grounded", "sentences", "of all", "in grounded answers"):
        bands.add_column(column)
    compared = Table(title="scores of whole answers")
    for column in ("set", "score", "AUROC, all", "AUROC, judged part", "threshold", "balanced accuracy, judged part"):
        compared.add_column(column)
    shares = []
    for name, load in (("mtrag", load_mtrag), ("summedits", load_summedits)):
        if not (data / f"groundedness-{name}").is_dir():
            print(f"{name} is left out: {data / f'groundedness-{name}'} is not there")
            continue
        answers = load(data)
        checked = check_answers(answers)
        share = add_bands(bands, name, checked)
        shares += [share] if name == "mtrag" else []
        scores: dict[str, Sequence[float]] = {
            "ground check": [one.score for one in checked],
            "word overlap": [word_overlap(answer) for answer in answers],
            "bigram overlap": [bigram_overlap(answer) for answer in answers],
            "MiniLM cosine": cosine_scores(answers, embedder),
        }
        add_scores(compared, name, checked, scores)
    edits = Table(title="true sentences, altered")
    for column in ("pages", "altered", "sentences", "unsupported", "unsure", "supported"):
        edits.add_column(column)
    for name, docs in (("manual", MANUAL), ("handbook-18f", data / "handbook-18f" / "docs")):
        shares += add_edits(edits, name, docs)
    console = Console(width=140)
    for table in (bands, compared, edits):
        console.print(table)
    return 0 if min(shares) >= TARGET_SHARE else 1


def _band(labels: Sequence[bool], count: int) -> tuple[str, str, str]:
    return f"{len(labels)}", f"{len(labels) / count:.1%}", f"{sum(labels) / len(labels):.1%}" if labels else ""


def _mean_cited(edits: Sequence[EditedSentence]) -> float:
    return sum(len(edit.cited) for edit in edits) / len(edits)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder that holds groundedness-mtrag, groundedness-summedits, handbook-18f"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
