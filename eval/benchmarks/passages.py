"""How often the whole gold evidence is among the best passages, beside LlamaIndex's default pipeline.

    python -m eval.benchmarks.passages --data ../shared/data

`learned` is the ranking that the service uses; `fused` is plain reciprocal rank fusion of the same two searches. Passages are
whole chunks with their headings; a question counts when every quote of its evidence stands in them.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.home import prepare_home
from app.settings import load_settings
from eval.arms.arms import Asked, ask_retrieval, build_arm
from eval.arms.packing import WholePassages
from eval.arms.workbench import Workbench, open_workbench
from eval.datasets.cases import load_dataset
from eval.datasets.quotes import missing_quotes
from indexing.planning import NoProgress
from retrieval.candidates import SEARCH_LIMIT
from retrieval.passages import Passage, Query
from retrieval.ranking import rank_candidates
from retrieval.weights import Weights

HANDBOOKS: Final = ("handbook-18f", "handbook-gitlab")
DEPTHS: Final = (2, 4, 8)
LLAMAINDEX: Final = "llamaindex-default"
_FUSED: Final = Weights({"fused": 1.0}, {}, 0.0, {}, 0.0)


def fused_passages(bench: Workbench, asked: Asked) -> Sequence[Passage]:
    """The same candidates in the order of reciprocal rank fusion."""
    found = bench.generation.retriever.find(Query(asked.case.question), asked.vector, bench.caller.scope)
    return rank_candidates(found.terms, found.candidates, found.analysed, _FUSED)


def share_kept(contexts: Sequence[str], stored: Sequence[Asked]) -> str:
    """The share of questions whose quotes all stand in their context."""
    kept = sum(not missing_quotes(asked.case.quotes, context) for asked, context in zip(stored, contexts, strict=True))
    return f"{kept / len(stored):.1%}"


def main() -> None:
    """Ask every answerable question of both handbooks, and print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    arguments = parser.parse_args()
    settings = load_settings()
    prepare_home(settings.home)
    table = Table(title=f"whole evidence among the best passages, of {SEARCH_LIMIT} found by each search")
    for column in ("handbook", "questions", "ranking", *(f"top {depth}" for depth in DEPTHS), "mean tokens of the last"):
        table.add_column(column)
    for name in HANDBOOKS:
        with open_workbench(settings, load_dataset(arguments.data / name), NoProgress()) as bench:
            stored = [ask_retrieval(bench, case) for case in bench.dataset.cases if case.answerable]
            for title, ranking in (
                ("learned", [asked.evidence.passages for asked in stored]),
                ("fused", [fused_passages(bench, asked) for asked in stored]),
            ):
                cells, tokens = [], 0.0
                for depth in DEPTHS:
                    packed = [
                        WholePassages(passages[:depth], asked.evidence.analysed, bench.counter).all()
                        for asked, passages in zip(stored, ranking, strict=True)
                    ]
                    cells.append(share_kept([text for text, _ in packed], stored))
                    tokens = sum(count for _, count in packed) / len(packed)
                table.add_row(name, str(len(stored)), title, *cells, f"{tokens:,.0f}")
            arm = build_arm(LLAMAINDEX, bench)
            sent = [arm.send(asked) for asked in stored]
            share = share_kept([one.context for one in sent], stored)
            mean = sum(one.tokens for one in sent) / len(sent)
            table.add_row(name, str(len(stored)), LLAMAINDEX, share, "", "", f"{mean:,.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
