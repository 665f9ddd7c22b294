"""The answer cache's decisions on labelled questions, one by one, beside plain similarity.

    python -m eval.benchmarks.cache_pairs --data ../shared/data

First on handbooks: the cache holds the answers to all main questions, and every paraphrase and near miss is asked once. A hit is
wrong when its entry was made for a question with another answer, so that every hit of a near miss is. Farthing's proposals are
judged twice: calibrated on the other half of the questions, and on the other handbook. Its verifier is scripted: it knows the
right verdict, and gives the other one in 3 % of its calls. At most one proposal of a question is verified.
Then what each rule drops, of the pairs of two wordings of a question, of a question and its near miss, and of two questions.
Then on banking messages, which have no pages behind them, so that only the wording decides: labelled pairs, and a stream of
messages asked one after the other, where a hit is wrong when the intents differ. The intents overlap, and some labels are wrong:
read the messages that are printed.
Bounds are Clopper and Pearson's, 95 % on one side, on the share of wrong hits among all hits.
"""

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from app.bootstrap import build_embedder
from app.caching.rules.calibration import Calibration
from app.caching.rules.decisions import HitDecision, Judgement, judge
from app.caching.rules.differences import RULES, differences
from app.caching.rules.wording import exact_key, same_words_key
from app.costs.confidence import share_at_most
from app.home import prepare_home
from app.settings import load_settings
from eval.calibration.learning import calibrate, kept_pairs
from eval.calibration.pairs import AskedWording, Pair, WordingKind, propose, propose_all
from eval.datasets.json_lines import read_json_lines
from eval.replay.replay import SIMILARITIES, VERIFIER_WRONG_SHARE
from eval.training.calibration import HANDBOOKS, ask_handbook
from indexing.language import ENGLISH, Language
from retrieval.passages import Query

MAX_WRONG_SHARE: Final = 0.01
SEED: Final = 20_240_229
PAIRS: Final = Path("cache-pairs/banking77_pairs.jsonl")
STREAM: Final = Path("cache-queries/banking77.jsonl")
_SHOWN: Final = 12


@dataclass(slots=True)
class Tally:
    """What one way to decide did: how often it was asked, its hits, and which of them were wrong."""

    asked: int = 0
    hits: int = 0
    wrong: list[tuple[str, str]] = field(default_factory=list)

    def count(self, texts: tuple[str, str] | None, *, right: bool = True) -> None:
        """Count one question: the texts of entry and question where it was a hit, and whether the hit was right."""
        self.asked += 1
        self.hits += texts is not None
        if texts is not None and not right:
            self.wrong.append(texts)

    def cells(self) -> tuple[str, ...]:
        """Its figures as a table's cells."""
        wrong = len(self.wrong)
        share = f"{wrong / self.hits:.1%}" if self.hits else ""
        bound = f"{share_at_most(wrong, self.hits):.1%}" if self.hits else ""
        return f"{self.asked:,}", f"{self.hits:,}", f"{self.hits / self.asked:.1%}", f"{wrong:,}", share, bound


COLUMNS: Final = ("asked", "hits", "of asked", "wrong", "of hits", "at most")


class Verifier:
    """A scripted model: it knows the right verdict, and gives the other one in a share of its calls."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)
        self.calls = 0
        self.shown_wrong = 0

    def accepts(self, pair: Pair) -> bool:
        """Its verdict on one proposal."""
        self.calls += 1
        self.shown_wrong += not pair.right
        return pair.right != (self._random.random() < VERIFIER_WRONG_SHARE)


def by_key(entries: Sequence[AskedWording], key: Callable[[Query, Language], str]) -> Callable[[AskedWording], Pair | None]:
    """Hits of entries with the same key."""
    known = {key(Query(old.wording.text), ENGLISH): old for old in entries if old.entry}

    def find(new: AskedWording) -> Pair | None:
        old = known.get(key(Query(new.wording.text), ENGLISH))
        return Pair(old, new) if old else None

    return find


def by_similarity(entries: Sequence[AskedWording], threshold: float) -> Callable[[AskedWording], Pair | None]:
    """Hits of the nearest entry when it is near enough: the usual semantic cache."""

    def find(new: AskedWording) -> Pair | None:
        nearest = propose(new, entries, 1)
        near = nearest and float(nearest[0].old.vector @ new.vector) >= threshold
        return nearest[0] if near else None

    return find


def by_evidence(
    entries: Sequence[AskedWording], calibration: Callable[[AskedWording], Calibration], verifier: Verifier | None
) -> Callable[[AskedWording], Pair | None]:
    """Hits of the same words, else of the likeliest proposal that may be served, or that the verifier accepts."""
    same_words = by_key(entries, same_words_key)

    def find(new: AskedWording) -> Pair | None:
        plain = same_words(new)
        if plain:
            return plain
        learned = calibration(new)
        share = VERIFIER_WRONG_SHARE if verifier else None
        judged = [(pair, judge(pair.proposal, new.evidence, learned, MAX_WRONG_SHARE, share)) for pair in propose(new, entries)]
        served = _likeliest(judged, HitDecision.SERVE)
        if served or verifier is None:
            return served
        unsure = _likeliest(judged, HitDecision.VERIFY)
        return unsure if unsure and verifier.accepts(unsure) else None

    return find


def decide_one_by_one(
    wordings: Sequence[AskedWording], calibrations: Mapping[str, Callable[[AskedWording], Calibration]]
) -> dict[str, tuple[Tally, str]]:
    """Ask every paraphrase and near miss of a cache that holds the main questions, in every way.

    Returns:
        For each way its tally, and what a verifier was asked, in words.
    """
    entries = [one for one in wordings if one.wording.kind is WordingKind.QUESTION]
    verifiers = {title: Verifier() for title in calibrations}
    ways = {
        "exact": by_key(entries, exact_key),
        "same words": by_key(entries, same_words_key),
        **{f"no model, calibrated on {title}": by_evidence(entries, known, None) for title, known in calibrations.items()},
        **{
            f"verifier, calibrated on {title}": by_evidence(entries, known, verifiers[title])
            for title, known in calibrations.items()
        },
        **{f"similarity {threshold:.2f}": by_similarity(entries, threshold) for threshold in SIMILARITIES},
    }
    tallies = {}
    for name, find in ways.items():
        tally = Tally()
        for new in wordings:
            if new.wording.kind in {WordingKind.PARAPHRASE, WordingKind.NEAR_MISS}:
                pair = find(new)
                tally.count((pair.old.wording.text, new.wording.text) if pair else None, right=bool(pair and pair.right))
        verifier = verifiers.get(name.removeprefix("verifier, calibrated on "))
        tallies[name] = tally, f"{verifier.calls}, {verifier.shown_wrong} wrong" if verifier else ""
    return tallies


def count_drops(pairs: Sequence[Pair], table: Table, name: str) -> None:
    """Add a row for each rule: the share of each kind of pair that it drops."""
    of_kind: dict[str, list[Pair]] = {"wordings": [], "near miss": [], "others": []}
    for pair in pairs:
        related = pair.old.wording.family == pair.new.wording.family
        of_kind["wordings" if pair.right else "near miss" if related else "others"].append(pair)
    drops = {
        kind: Counter(chain.from_iterable({reason.split(":")[0] for reason in _reasons(pair)} for pair in some))
        for kind, some in of_kind.items()
    }
    kept = {kind: len(kept_pairs(some)[0]) for kind, some in of_kind.items()}
    for rule in RULES:
        table.add_row(name, rule, *(_share(drops[kind][rule], len(some)) for kind, some in of_kind.items()))
    table.add_row(name, "any of these", *(_share(sum(bool(_reasons(p)) for p in some), len(some)) for some in of_kind.values()))
    table.add_row(name, "these or the evidence", *(_share(len(some) - kept[kind], len(some)) for kind, some in of_kind.items()))


def decide_pairs(file: Path, vectors: Callable[[Sequence[str]], NDArray[np.float32]]) -> dict[str, Tally]:
    """Take the first of each labelled pair as cached, and ask the second."""
    rows = read_json_lines(file)
    cosines = np.einsum("ij,ij->i", vectors([row["a"] for row in rows]), vectors([row["b"] for row in rows]))
    tallies = {name: Tally() for name in ("exact", "same words", *(f"similarity {one:.2f}" for one in SIMILARITIES))}
    for row, cosine in zip(rows, cosines.tolist(), strict=True):
        old, new = Query(row["a"]), Query(row["b"])
        hits = {"exact": exact_key(old, ENGLISH) == exact_key(new, ENGLISH)}
        hits["same words"] = same_words_key(old, ENGLISH) == same_words_key(new, ENGLISH)
        hits |= {f"similarity {one:.2f}": cosine >= one for one in SIMILARITIES}
        for name, hit in hits.items():
            tallies[name].count((row["a"], row["b"]) if hit else None, right=row["same"])
    return tallies


def decide_stream(file: Path) -> dict[str, Tally]:
    """Ask messages one after the other; whatever has no hit is cached."""
    rows = read_json_lines(file)
    tallies = {}
    for name, key in (("exact", exact_key), ("same words", same_words_key)):
        known: dict[str, tuple[str, str]] = {}
        tally = tallies[name] = Tally()
        for row in rows:
            text, intent = known.setdefault(key(Query(row["text"]), ENGLISH), (row["text"], row["intent"]))
            tally.count((text, row["text"]) if text is not row["text"] else None, right=intent == row["intent"])
    return tallies


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the handbooks and cache-pairs")
    data: Path = parser.parse_args().data
    console, settings = Console(width=140), load_settings()
    prepare_home(settings.home)
    asked = {name: ask_handbook(settings, data, name) for name in HANDBOOKS}
    pairs = {name: propose_all(wordings) for name, wordings in asked.items()}
    decided = Table(title="paraphrases and near misses of the handbooks; the cache holds the main questions")
    for column in ("handbook", "decided by", *COLUMNS, "verified"):
        decided.add_column(column)
    rules = Table(title="share of pairs that each rule drops")
    for column in ("handbook", "rule", "two wordings of a question", "a question and its near miss", "two questions"):
        rules.add_column(column)
    for name, other in zip(HANDBOOKS, HANDBOOKS[::-1], strict=True):
        for title, (tally, calls) in decide_one_by_one(asked[name], _calibrations(pairs[name], pairs[other])).items():
            decided.add_row(name, title, *tally.cells(), calls)
        count_drops(pairs[name], rules, name)
    console.print(decided)
    console.print(rules)
    messages = Table(title="banking messages: the wording alone decides")
    for column in ("set", "decided by", *COLUMNS):
        messages.add_column(column)
    embedder = build_embedder(settings)
    wrong: list[tuple[str, str]] = []
    of_sets = {
        "pairs": decide_pairs(data / PAIRS, lambda texts: embedder.embed_documents(list(texts))),
        "stream": decide_stream(data / STREAM),
    }
    for title, tallies in of_sets.items():
        for way, tally in tallies.items():
            messages.add_row(title, way, *tally.cells())
        wrong += tallies["same words"].wrong
    console.print(messages)
    console.print("same words, labelled as different:")
    for old, new in wrong[:_SHOWN]:
        console.print(f"  {old!r} / {new!r}", markup=False)


def _calibrations(own: Sequence[Pair], other: Sequence[Pair]) -> dict[str, Callable[[AskedWording], Calibration]]:
    """What judges a question: a calibration on the other half of its handbook's questions, or on the other handbook."""
    halves = [calibrate([pair for pair in own if pair.new.wording.half != half]) for half in (0, 1)]
    elsewhere = calibrate(other)
    return {"the other half": lambda new: halves[new.wording.half], "the other handbook": lambda _: elsewhere}


def _likeliest(judged: Iterable[tuple[Pair, Judgement]], decision: HitDecision) -> Pair | None:
    some = [(judgement.probability or 0.0, pair) for pair, judgement in judged if judgement.decision is decision]
    return max(some, key=lambda one: one[0])[1] if some else None


def _reasons(pair: Pair) -> tuple[str, ...]:
    return differences(pair.proposal.question, pair.new.evidence.query, ENGLISH)


def _share(some: int, of: int) -> str:
    return f"{some / of:.1%}" if of else ""


if __name__ == "__main__":
    main()
