"""What the weights are learned from: questions whose evidence is known, searched in the real index of their own pages.

Two kinds of question sets are read. A dataset's `questions.jsonl` carries its evidence as quotes, and lends its paraphrases, near
misses and written-out follow-ups too. Our own questions over the pages of `NAME/docs` are in `eval.datasets.handbooks`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from app.bootstrap import build_counter, build_embedder, build_generations, build_sources, open_sync_tools
from app.settings import Settings
from eval.callers import eval_caller
from eval.datasets.handbooks.authored import authored_rows, words_of
from eval.datasets.json_lines import read_json_lines
from eval.datasets.quotes import normalised, normalised_quote
from eval.errors import DatasetError
from indexing.documents import DEFAULT_TENANT, Chunk, document_id
from indexing.planning import NoProgress
from indexing.sync import sync
from retrieval.passages import Query
from retrieval.ranking import passage_features
from retrieval.retriever import Candidates
from retrieval.search import PassageSearcher
from retrieval.weights import Weights

_SOURCE: Final = "training"
_SCOPE: Final = eval_caller().scope
_NO_WEIGHTS: Final = Weights({}, {}, 0.0, {}, 0.0)

UnitKey: TypeAlias = tuple[str, int]
"""A chunk's id and the position of a unit in it."""


@dataclass(frozen=True, slots=True)
class LabelledQuestion:
    """A question and its evidence as `(page, words)`; without evidence, its pages do not answer it."""

    id: str
    text: str
    evidence: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Example:
    """A question with what was found for it. `features` has a row for each candidate, in the order of `PASSAGE_FEATURES`.

    `needed` has, for each piece of evidence, the sets of units any of which holds it whole; empty for unanswerable questions.
    """

    question: LabelledQuestion
    found: Candidates
    features: NDArray[np.float64]
    needed: tuple[tuple[frozenset[UnitKey], ...], ...]

    @property
    def relevant(self) -> NDArray[np.bool_]:
        """Which candidates hold a part of the evidence: shape `(candidates,)`."""
        gold = {chunk for ways in self.needed for way in ways for chunk, _ in way}
        return np.array([candidate.chunk.id in gold for candidate in self.found.candidates], dtype=bool)


def load_questions(data: Path, name: str) -> list[LabelledQuestion]:
    """All labelled questions over the pages of one dataset.

    Raises:
        DatasetError: A page has changed under an authored question.
    """
    questions: list[LabelledQuestion] = []
    own = data / name / "questions.jsonl"
    if own.is_file():
        for row in read_json_lines(own):
            if row.get("answerable_from_text", True):
                questions += _variants(row)
    known = {question.id for question in questions}  # a fetched handbook's own file has them already
    for row in authored_rows(name):
        if row["id"] not in known:
            spans = [(piece["doc"], words_of(piece, data / name / "docs", row["id"])) for piece in row["evidence"]]
            evidence = tuple((page, normalised_quote(words)) for page, words in spans)
            questions += [LabelledQuestion(row["id"], text, evidence) for text in (row["question"], *row["paraphrases"])]
    return questions


def build_examples(docs: Path, questions: Sequence[LabelledQuestion], settings: Settings) -> list[Example]:
    """Index the pages in the home of `settings` and search every question.

    Questions whose evidence cannot be found on its page are left out.

    Raises:
        DatasetError: No page can be indexed.
    """
    embedder = build_embedder(settings)
    with open_sync_tools(settings, embedder) as tools:
        sync(build_sources(settings, [docs], (), _SOURCE), tools, NoProgress())
    generations = build_generations(settings, embedder, build_counter(), _NO_WEIGHTS)
    current = generations.current()
    if current is None:
        raise DatasetError(f"{docs} holds no page that can be indexed.")
    generation = generations.open(current)
    try:
        pages = _Pages(generation.searcher)
        examples = []
        for question in questions:
            needed = tuple(pages.ways(page, words) for page, words in question.evidence)
            if all(needed):
                vector = embedder.embed_query(question.text)
                found = generation.retriever.find(Query(question.text), vector, _SCOPE)
                rows = np.array(passage_features(found.terms, found.candidates, found.analysed))
                examples.append(Example(question, found, rows, needed))
        return examples
    finally:
        generation.close()
        generations.close()


class _Pages:
    """The pages as runs of letters and digits, each of which knows its unit."""

    def __init__(self, searcher: PassageSearcher) -> None:
        self._searcher = searcher
        self._read: dict[str, tuple[str, list[UnitKey | None]]] = {}

    def ways(self, page: str, words: str) -> tuple[frozenset[UnitKey], ...]:
        """The sets of units that hold `words`, one for each place of the page where they stand."""
        if page not in self._read:
            document = document_id(DEFAULT_TENANT, _SOURCE, page)
            self._read[page] = _owned_letters(self._searcher.document_chunks([document], _SCOPE).get(document, ()))
        letters, owners = self._read[page]
        found = []
        at = letters.find(words)
        while at >= 0:
            found.append(frozenset(owner for owner in owners[at : at + len(words)] if owner))
            at = letters.find(words, at + 1)
        return tuple(found)


def _owned_letters(chunks: Sequence[Chunk]) -> tuple[str, list[UnitKey | None]]:
    """What `normalised_page` holds, unit by unit; the letters of headings belong to none."""
    letters: list[str] = []
    owners: list[UnitKey | None] = []
    path: tuple[str, ...] | None = None
    for chunk in chunks:
        if chunk.heading_path != path and chunk.heading_path:
            letters.append(normalised(chunk.heading_path[-1]))
            owners += [None] * len(letters[-1])
        path = chunk.heading_path
        for position in range(len(chunk.units)):
            letters.append(normalised(chunk.unit_text(position)))
            owners += [(chunk.id, position)] * len(letters[-1])
    return "".join(letters), owners


def _variants(row: dict[str, Any]) -> Iterator[LabelledQuestion]:
    """A row's question in all its forms, and the near misses and follow-ups that have evidence of their own."""
    own = _quoted(row["evidence"])
    for text in (row["question"], *row.get("paraphrases", ())):
        yield LabelledQuestion(row["id"], text, own)
    for near_miss in row.get("near_misses", ()):
        yield LabelledQuestion(row["id"], near_miss["question"], _quoted(near_miss.get("evidence", ())))
    for followup in row.get("followups", ()):
        yield LabelledQuestion(row["id"], followup["standalone"], _quoted(followup.get("evidence", ())))


def _quoted(evidence: Sequence[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((piece["doc"], normalised_quote(piece["quote"])) for piece in evidence)
