"""Labelled pairs for the answer cache: a cached answer, a question asked later, and whether the one answers the other.

An entry is *right* for a question when it was made for a wording of the same question: that of a near miss answers something
else, however alike it sounds. Entries are what the product would cache without a model: extractive answers and the units that
they cite. Proposals are what a cache would propose: the entries nearest to the new question in meaning, and those of its family.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from app.answers.answers import Draft
from app.caching.rules.agreement import Cited, Proposal
from app.ladder.extraction import extract
from app.settings import Settings
from eval.arms.workbench import Workbench, open_workbench
from eval.datasets.cases import QUESTIONS_FILE, load_dataset, read_rows
from indexing.embedding import Embedder
from indexing.planning import NoProgress
from retrieval.followups import embed_query
from retrieval.passages import Query
from retrieval.retriever import Evidence

PROPOSALS: Final = 5
"""The entries nearest in meaning that are proposed."""

FOLDS: Final = 3


class WordingKind(StrEnum):
    """The question of a row, another way to put it, or one that sounds alike and asks something else."""

    QUESTION = "question"
    PARAPHRASE = "paraphrase"
    NEAR_MISS = "near miss"


@dataclass(frozen=True, slots=True)
class Wording:
    """One way to put a question. `answer_id` names what it asks, `family` the row it stands in, near misses included."""

    answer_id: str
    family: str
    kind: WordingKind
    text: str

    @property
    def half(self) -> int:
        """That of the family, so that all wordings and near misses of a question lie in the same half."""
        return half_of(self.family)

    @property
    def fold(self) -> int:
        """0 to `FOLDS` - 1, by a hash of the family likewise, and independent of the half."""
        return zlib.crc32(self.family.encode()) // 2 % FOLDS


@dataclass(frozen=True, slots=True)
class AskedWording:
    """A wording with its vector, what was found for it, and the entry that its answer makes; `None` when the product abstains."""

    wording: Wording
    vector: NDArray[np.float32]
    evidence: Evidence
    entry: Proposal | None


@dataclass(frozen=True, slots=True)
class Pair:
    """An entry proposed for a question."""

    old: AskedWording
    new: AskedWording

    @property
    def right(self) -> bool:
        """Whether the entry answers the question."""
        return self.old.wording.answer_id == self.new.wording.answer_id

    @property
    def proposal(self) -> Proposal:
        """The entry."""
        assert self.old.entry is not None
        return self.old.entry


def half_of(family: str) -> int:
    """0 or 1, by a hash."""
    return zlib.crc32(family.encode()) % 2


def load_wordings(folder: Path) -> list[Wording]:
    """All wordings of a dataset's answerable questions, and its near misses.

    Raises:
        DatasetError: The paraphrases or near misses of a row, asked or not, are not usable; the row is named with its line.
    """
    wordings: list[Wording] = []
    for _, row in read_rows(folder / QUESTIONS_FILE):
        if row.get("answerable_from_text", True) and row["evidence"]:
            wordings += wordings_of(row)
            wordings += [
                Wording(f"{row['id']}/{number}", row["id"], WordingKind.NEAR_MISS, near_miss["question"])
                for number, near_miss in enumerate(row.get("near_misses", ()))
            ]
    return wordings


def ask_wordings(
    settings: Settings, folder: Path, wordings: Sequence[Wording], embedder: Embedder | None = None
) -> list[AskedWording]:
    """Search wordings in the dataset's own index, and answer them without a model. Raises as `open_workbench`."""
    with open_workbench(settings, load_dataset(folder), NoProgress(), embedder) as bench:
        return [ask_wording(bench, wording) for wording in wordings]


def propose(new: AskedWording, entries: Sequence[AskedWording], count: int = PROPOSALS) -> list[Pair]:
    """The entries nearest to a question in meaning, nearest first; never the one made for the very same wording."""
    others = [old for old in entries if old.entry is not None and old.wording.text != new.wording.text]
    cosines = np.array([old.vector @ new.vector for old in others])
    return [Pair(others[at], new) for at in np.argsort(-cosines, kind="stable")[:count].tolist()]


def propose_all(wordings: Sequence[AskedWording]) -> list[Pair]:
    """For every wording, the nearest entries of all, and every entry of its own family."""
    pairs: list[Pair] = []
    for new in wordings:
        nearest = propose(new, wordings)
        known = {pair.old.wording.text for pair in nearest}
        family = [old for old in wordings if old.wording.family == new.wording.family and old.wording.text not in known]
        pairs += [*nearest, *propose(new, family, len(family))]
    return pairs


def wordings_of(row: Mapping[str, Any]) -> list[Wording]:
    """The question of a row, and its paraphrases."""
    return [
        Wording(row["id"], row["id"], WordingKind.QUESTION, row["question"]),
        *(Wording(row["id"], row["id"], WordingKind.PARAPHRASE, text) for text in row.get("paraphrases", ())),
    ]


def ask_wording(bench: Workbench, wording: Wording) -> AskedWording:
    """Search a wording, and answer it without a model."""
    query = Query(wording.text)
    vector = embed_query(query, bench.embedder.embed_query)
    evidence = bench.generation.retriever.retrieve(query, vector, bench.caller.scope)
    context = bench.context_settings.make_context(evidence, bench.weights, bench.counter)
    draft = extract(evidence, context, bench.weights)
    entry = Proposal(query, _cited(draft)) if draft else None
    return AskedWording(wording, vector, evidence, entry)


def _cited(draft: Draft) -> tuple[Cited, ...]:
    units = {unit.chunk.unit_id(unit.position): unit for sentence in draft.sentences for unit in sentence.units}
    return tuple(Cited(name, unit.text, (unit.chunk.title, *unit.chunk.heading_path)) for name, unit in units.items())
