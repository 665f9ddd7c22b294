"""What a person gets: an answer with citations, or an abstention with the closest pages; and the draft between."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.answers.events import Step
from app.costs.receipts import Receipt
from indexing.documents import UnitKind
from retrieval.analysis import shown_text
from retrieval.passages import ContextUnit, Passage

_BLOCKS: Final = frozenset({UnitKind.TABLE, UnitKind.CODE})


@dataclass(frozen=True, slots=True)
class DraftSentence:
    """A sentence of a draft and the units it rests on, the strongest first. At least one."""

    text: str
    units: tuple[ContextUnit, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer before it is checked and cited. At least one sentence."""

    sentences: tuple[DraftSentence, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """A mark of the answer, from 1, and the unit that supports what stands before it.

    `document` is the page's path inside its source. `lines` are the first and last line of the unit in the file, from 1, or
    `None` when the file is not text. `quote` is the unit, verbatim.
    """

    n: int
    document: str
    title: str
    heading_path: tuple[str, ...]
    quote: str
    uri: str
    lines: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class RelatedPage:
    """A page that came close without answering."""

    document: str
    title: str
    uri: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer. `text` carries `[n]` marks; `groundedness` is the share of its sentences that their citations support.

    `steps` say what each rung decided, and why.
    """

    id: str
    question: str
    generation: str
    receipt: Receipt
    steps: tuple[Step, ...]
    text: str
    citations: tuple[Citation, ...]
    rung: str
    groundedness: float


@dataclass(frozen=True, slots=True)
class Abstention:
    """No grounded answer was found in what the caller may read. `related` are the closest pages, at most three.

    `steps` say what each rung decided, and why.
    """

    id: str
    question: str
    generation: str
    receipt: Receipt
    steps: tuple[Step, ...]
    related: tuple[RelatedPage, ...]


Answer: TypeAlias = Answered | Abstention


def cite(draft: Draft) -> tuple[str, tuple[Citation, ...]]:
    """Write a draft out with `[n]` marks behind each sentence, and the citations they point to.

    Units are numbered in the order in which they are first cited; one unit has one number. List items stand on lines of
    their own; tables and code blocks are set apart by blank lines.
    """
    numbers: dict[str, int] = {}
    citations: list[Citation] = []
    text = ""
    before = None
    for sentence in draft.sentences:
        marks = ""
        for unit in sentence.units:
            unit_id = unit.chunk.unit_id(unit.position)
            if unit_id not in numbers:
                numbers[unit_id] = len(numbers) + 1
                citations.append(_citation(numbers[unit_id], unit))
            mark = f"[{numbers[unit_id]}]"
            marks += "" if mark in marks else mark
        text += (_gap(before, sentence) if before else "") + _write(sentence, marks)
        before = sentence
    return text, tuple(citations)


def groundedness(draft: Draft) -> float:
    """The share of a draft's sentences that are, word for word, a unit they cite or all of them in order, in [0, 1].

    Compared is what a reader sees: Markdown's marks and white space count nothing. A part of a unit does not count: what was
    left out may have been the exception.
    """
    return sum(_is_verbatim(sentence) for sentence in draft.sentences) / len(draft.sentences)


def closest_pages(passages: Iterable[Passage], limit: int = 3) -> tuple[RelatedPage, ...]:
    """The pages of the best passages, each once, best first."""
    pages: dict[str, RelatedPage] = {}
    for passage in passages:
        chunk = passage.chunk
        pages.setdefault(chunk.document_id, RelatedPage(chunk.document_path, chunk.title, chunk.uri))
        if len(pages) == limit:
            break
    return tuple(pages.values())


def _citation(n: int, unit: ContextUnit) -> Citation:
    chunk = unit.chunk
    lines = chunk.units[unit.position].lines
    return Citation(n, chunk.document_path, chunk.title, chunk.heading_path, unit.text, chunk.uri, lines)


def _write(sentence: DraftSentence, marks: str) -> str:
    gap = "\n\n" if _kind(sentence) in _BLOCKS else " "
    return f"{sentence.text}{gap}{marks}"


def _gap(before: DraftSentence, after: DraftSentence) -> str:
    kinds = {_kind(before), _kind(after)}
    if kinds & _BLOCKS:
        return "\n\n"
    return "\n" if UnitKind.ITEM in kinds else " "


def _kind(sentence: DraftSentence) -> UnitKind:
    first = sentence.units[0]
    return first.chunk.units[first.position].kind


def _is_verbatim(sentence: DraftSentence) -> bool:
    quotes = [_fold(shown_text(unit.chunk, unit.position)) for unit in sentence.units]
    return _fold(sentence.text) in {*quotes, " ".join(quotes)}


def _fold(text: str) -> str:
    return " ".join(text.split())
