"""True sentences of real pages with one fact altered, to count how many of them the ground check lets pass.

What to alter is found by patterns of its own, and not by those of the check.
"""

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.grounding import Source
from indexing.chunking import chunk_document
from indexing.documents import DEFAULT_TENANT, EVERYONE, Chunk, Document, UnitKind
from indexing.language import ENGLISH
from indexing.tokens import TokenCounter
from retrieval.analysis import shown_text

NUMBER, DATE, NAME, NEGATION, MODALITY = "number", "date", "name", "negation", "modality"
BORROWED: Final = "number of a cited unit"
"""A number put in the place of another one, and both stand in what is cited."""
TRUE: Final = "none: true, with a word before it"
KINDS: Final = (NUMBER, DATE, NAME, BORROWED, NEGATION, MODALITY, TRUE)

_MIN_WORDS: Final = 6
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_TITLE: Final = re.compile(r"^title:\s*[\"']?(.*?)[\"']?\s*$", re.MULTILINE)
_MONTHS: Final = "January February March April May June July August September October November December".split()
_DATED: Final = re.compile(
    rf"\b(?:{'|'.join(_MONTHS)})\s+\d{{1,2}}(?:,?\s+\d{{4}})?\b|\b(?:{'|'.join(_MONTHS)}),?\s+(?:19|20)\d\d\b"
    rf"|\b\d{{1,2}}\s+(?:{'|'.join(_MONTHS)})\b|\b(?:19|20)\d\d-\d\d-\d\d\b|\b\d{{1,2}}/\d{{1,2}}/(?:\d\d){{1,2}}\b"
    r"|(?<=[a-z] )(?:19|20)\d\d\b(?!\w)"
)
_NUMBERED: Final = re.compile(r"(?<![\w.,/#:&-])\$?\d[\d,]*(?:\.\d+)?(?![\w/:]|[.,]\d|-\d)")
_SPELLED: Final = (
    "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty fifty sixty ninety".split()
)
_SPELLED_NUMBER: Final = re.compile(rf"\b(?:{'|'.join(_SPELLED)})\b(?!-)")
_NAMED: Final = re.compile(r"(?<=[a-z,] )(?!I\b)[A-Z][A-Za-z]+(?: [A-Z][A-Za-z]+)*(?![\w.@/'’-])")  # noqa: RUF001 - typographic apostrophe
_VERB: Final = re.compile(r"\b(is|are|was|were|can|must|should|may|will)\b (?!not\b)(?=[a-z])")
_DENIED: Final = re.compile(r"\b(is|are|was|were|can|must|should|may|will|do|does) not\b")
_MODAL: Final = re.compile(r"\b(must|should|may)\b(?! not\b)(?= [a-z])")
_STRONGER: Final = {"must": "may", "should": "must", "may": "must"}


@dataclass(frozen=True, slots=True)
class EditedSentence:
    """A sentence of a page after an edit of one kind; it cites the unit that it was made from and the units beside it."""

    kind: str
    text: str
    cited: tuple[Source, ...]


def read_chunks(docs: Path, counter: TokenCounter) -> list[Chunk]:
    """The Markdown pages of a folder, cut as the index cuts them."""
    chunks: list[Chunk] = []
    for file in sorted(docs.rglob("*.md")):
        path, text = file.relative_to(docs).as_posix(), file.read_text(encoding="utf-8")
        front = _FRONT_MATTER.match(text)
        title = _TITLE.search(front.group()) if front else None
        page = Document(
            id=path,
            tenant=DEFAULT_TENANT,
            source="edits",
            path=path,
            uri=path,
            title=title[1] if title else None,
            markdown=text[front.end() :] if front else text,
            first_line=None,
            labels=(EVERYONE,),
            content_hash="",
        )
        chunks += chunk_document(page, counter, ENGLISH)
    return chunks


def edit_sentences(chunks: Sequence[Chunk], seed: int) -> list[EditedSentence]:
    """Each sentence and list item of some length, altered once in each way that it can be; the same for the same seed."""
    draw = random.Random(seed)
    units = [
        (chunk, position)
        for chunk in chunks
        for position, unit in enumerate(chunk.units)
        if unit.kind in {UnitKind.SENTENCE, UnitKind.ITEM}
    ]
    found = {match.group() for chunk, position in units for match in _NAMED.finditer(shown_text(chunk, position))}
    names = sorted(name for name in found if ENGLISH.stopwords.isdisjoint(name.lower().split()))
    edited = []
    for chunk, position in units:
        text = shown_text(chunk, position)
        if len(text.split()) < _MIN_WORDS:
            continue
        near = range(max(0, position - 1), min(len(chunk.units), position + 2))
        cited = tuple(Source(shown_text(chunk, other), (chunk.title, *chunk.heading_path)) for other in near)
        edited += [EditedSentence(kind, altered, cited) for kind, altered in _edits(text, cited, names, draw)]
    return edited


def _edits(text: str, cited: Sequence[Source], names: Sequence[str], draw: random.Random) -> Iterator[tuple[str, str]]:
    dated = list(_DATED.finditer(text))
    if dated:
        yield DATE, _replaced(text, match := draw.choice(dated), _another_date(match.group(), draw))
    numbered = [
        match
        for pattern in (_NUMBERED, _SPELLED_NUMBER)
        for match in pattern.finditer(text)
        if match.start() and not any(date.start() < match.end() and match.start() < date.end() for date in dated)
    ]
    if numbered:
        yield NUMBER, _replaced(text, match := draw.choice(numbered), _another_number(match.group(), draw))
    borrowed = sorted(
        {one.group() for source in cited for one in _NUMBERED.finditer(source.text)} - {one.group() for one in numbered}
    )
    if numbered and borrowed:
        yield BORROWED, _replaced(text, draw.choice(numbered), draw.choice(borrowed))
    named = [match for match in _NAMED.finditer(text) if not any(month in match.group() for month in _MONTHS)]
    around = " ".join(part for source in cited for part in (source.text, *source.headings)).lower()
    others = [name for name in draw.sample(names, min(20, len(names))) if name.lower() not in around]
    if named and others:
        yield NAME, _replaced(text, draw.choice(named), others[0])
    if denied := _DENIED.search(text):
        yield NEGATION, _replaced(text, denied, denied[1])
    elif verb := _VERB.search(text):
        yield NEGATION, _replaced(text, verb, f"{verb[1]} not ")
    if modal := _MODAL.search(text):
        yield MODALITY, _replaced(text, modal, _STRONGER[modal[1]])
    if text[:2].istitle() and text[1:2].islower():
        yield TRUE, f"So {text[0].lower()}{text[1:]}"


def _replaced(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]


def _another_number(shown: str, draw: random.Random) -> str:
    if shown in _SPELLED:
        return draw.choice([word for word in _SPELLED if word != shown])
    digits = shown.lstrip("$")
    value = float(digits.replace(",", ""))
    other = draw.choice([value + 1, value + 2, value * 2 or 3, value + 10, value * 10 or 4])
    return ("$" if shown[0] == "$" else "") + (f"{other:,.0f}" if "," in digits else f"{other:g}")


def _another_date(shown: str, draw: random.Random) -> str:
    """One part of a date changed: the month's name, or one of its numbers, by little."""
    parts = list(re.finditer(r"[A-Za-z]+|\d+", shown))
    part = draw.choice(parts)
    if part.group().isalpha():
        return _replaced(shown, part, draw.choice([month for month in _MONTHS if month != part.group()]))
    old, few = int(part.group()), 12
    new = old + draw.choice([-1, 1, 2]) if old > few else old % few + 1
    return _replaced(shown, part, str(new).zfill(len(part.group())))
