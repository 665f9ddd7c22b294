"""What retrieval takes and gives: a query, ranked passages, and the context packed from them."""

from dataclasses import dataclass

from indexing.documents import Chunk


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched. `text` is the question; `background` is what was said before, for one that does not stand alone."""

    text: str
    background: str = ""


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk found for a query. `rank` counts from 1; `score` orders the passages of one query and means nothing across queries.

    `cosine` is the similarity of the query's vector, `None` where only the words found the chunk.
    `coverage` in [0, 1] is the share of the question's terms, weighted by rarity, that chunk, headings and title contain.
    """

    chunk: Chunk
    rank: int
    score: float
    cosine: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class ContextUnit:
    """A unit chosen for the context: which chunk, which of its units, and how strongly it answers (0 to 1, higher is better)."""

    chunk: Chunk
    position: int
    score: float

    @property
    def text(self) -> str:
        """The unit, verbatim."""
        return self.chunk.unit_text(self.position)


@dataclass(frozen=True, slots=True)
class Context:
    """The units packed for one question, in reading order within each document, with the text a prompt would carry.

    `tokens` counts `text`, headings included.
    """

    units: tuple[ContextUnit, ...]
    text: str
    tokens: int
