"""A document is cut into chunks at unit borders, section by section, and every piece keeps its headings."""

import math
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from indexing.documents import PREFACE, Chunk, Document, Unit, UnitKind, chunk_id
from indexing.language import Language
from indexing.markdown_blocks import Block, BlockKind, markdown_blocks
from indexing.plain_text import inseparable_spans, plain_text
from indexing.tokens import TokenCounter

CHUNKER_VERSION: Final = "2"
"""Changes whenever the same Markdown may give other chunks; a sync with another version cuts everything again."""

MAX_CHUNK_TOKENS: Final = 180
"""all-MiniLM-L6-v2 reads 256 word pieces: headings and 180 tokens fit in."""

MAX_UNIT_TOKENS: Final = 120
"""A longer list item is taken sentence by sentence, a longer table or code block in runs of lines."""

_LINE_END = re.compile(r"\r\n?|\n")  # Markdown's; `str.splitlines` would end lines at form feeds and other separators, too
_WORD = re.compile(r"\S+\s*")


@dataclass(slots=True)
class _Piece:
    """A unit before it is placed: offsets in the page, and the index of the piece that introduces it."""

    start: int
    end: int
    kind: UnitKind
    tokens: int = 0
    lead_in: int | None = None
    begins_block: bool = True


@dataclass(slots=True)
class _Section:
    """What stands between one heading and the next."""

    heading_path: tuple[str, ...]
    blocks: list[Block] = field(default_factory=list)


class _Page:
    """The Markdown of a page, addressed by lines and by characters."""

    def __init__(self, markdown: str) -> None:
        self.text = markdown
        self._starts = [0, *(match.end() for match in _LINE_END.finditer(markdown))]
        if self._starts[-1] < len(markdown):
            self._starts.append(len(markdown))

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The characters of the lines `first` up to, not including, `last`, without white space around them."""
        start, end = self._starts[first], self._starts[min(last, len(self._starts) - 1)]
        piece = self.text[start:end]
        return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())

    def line_of(self, offset: int) -> int:
        """The line, from 0, that holds a character."""
        return bisect_right(self._starts, offset) - 1


def chunk_document(document: Document, counter: TokenCounter, language: Language) -> list[Chunk]:
    """Cut a document into chunks of at most about `MAX_CHUNK_TOKENS`, each of one section.

    A section that is longer is cut into parts of about equal size, between blocks where that is possible. The text of a chunk is
    the page's own, from its first unit to its last. The same document always gives the same chunks, whatever else is indexed.

    Returns:
        The chunks in reading order; none when the page has no words.
    """
    page = _Page(document.markdown)
    chunks: list[Chunk] = []
    occurrences: Counter[tuple[tuple[str, ...], str]] = Counter()
    first_unit = 0
    for section in _sections(page, document.title):
        pieces = _pieces(page, section.blocks, counter, language)
        for run in _runs(pieces):
            chunk = _chunk(document, page, section.heading_path, pieces, run, len(chunks), first_unit, occurrences)
            first_unit += len(chunk.units)
            chunks.append(chunk)
    return chunks


def _sections(page: _Page, title: str | None) -> list[_Section]:
    """The page's blocks, grouped under their headings. A heading that repeats the title is no part of a path."""
    headings: list[tuple[int, str]] = []
    sections = [_Section(())]
    for block in markdown_blocks(page.text):
        if block.kind is not BlockKind.HEADING:
            sections[-1].blocks.append(block)
            continue
        headings = [(level, text) for level, text in headings if level < block.level]
        headings.append((block.level, plain_text(block.heading).replace("\n", " ")))
        path = tuple(text for _, text in headings if text and text != title)
        sections.append(_Section(path))
    return [section for section in sections if section.blocks]


def _pieces(page: _Page, blocks: Sequence[Block], counter: TokenCounter, language: Language) -> list[_Piece]:
    """The units of a section, with their lead-ins and token counts."""
    pieces: list[_Piece] = []
    item_at: dict[int, int] = {}  # depth -> the last item on it
    introduction: int | None = None  # the last piece of the paragraph above the list or table
    for block in blocks:
        start, end = page.span(block.first, block.last)
        if not _has_words(page.text[start:end], code=block.kind is BlockKind.CODE):
            continue
        match block.kind:
            case BlockKind.PARAGRAPH:
                lead_in = item_at.get(block.level) if block.level else None
                before = len(pieces)
                _add_sentences(pieces, page.text, start, end, lead_in, counter, language)
                if not block.level:
                    introduction = len(pieces) - 1 if len(pieces) > before else None
                    item_at = {}
            case BlockKind.ITEM:
                lead_in = item_at.get(block.level - 1, introduction if block.level == 1 or not item_at else None)
                item_at = {depth: item for depth, item in item_at.items() if depth < block.level}
                item_at[block.level] = len(pieces)
                _add_item(pieces, page.text, start, end, lead_in, counter, language)
            case _:
                lead_in = item_at.get(block.level) if block.level else introduction
                _add_lines(pieces, page.text, start, end, block.kind, lead_in, counter)
    for piece, tokens in zip(pieces, counter.count_many([_plain(page.text, piece) for piece in pieces]), strict=True):
        piece.tokens = tokens
    return pieces


def _plain(text: str, piece: _Piece) -> str:
    return (_plain_code if piece.kind is UnitKind.CODE else plain_text)(text[piece.start : piece.end])


def _plain_code(code: str) -> str:
    """Code for the eyes of the index: every word of it, without fences, empty lines and indentation."""
    return "\n".join(filter(None, (" ".join(line.split()) for line in _LINE_END.split(code)))).strip("`~\n")


def _has_words(text: str, *, code: bool = False) -> bool:
    return any(character.isalnum() for character in (_plain_code if code else plain_text)(text))


def _add_sentences(
    pieces: list[_Piece], text: str, start: int, end: int, lead_in: int | None, counter: TokenCounter, language: Language
) -> None:
    begins_block = True
    for first, last in _sentences(text, start, end, counter, language):
        if _has_words(text[first:last]):
            pieces.append(_Piece(first, last, UnitKind.SENTENCE, lead_in=lead_in, begins_block=begins_block))
            begins_block = False


def _sentences(text: str, start: int, end: int, counter: TokenCounter, language: Language) -> Iterator[tuple[int, int]]:
    """The sentences between two offsets of the page. One that would fill a chunk alone could never be sent, so it is cut."""
    for first, last in language.sentences.spans(text[start:end]):
        sentence = text[start + first : start + last]
        if len(sentence) > MAX_CHUNK_TOKENS and counter.count(plain_text(sentence)) > MAX_CHUNK_TOKENS:
            yield from ((start + first + one, start + first + other) for one, other in _runs_of_words(sentence, counter))
        else:
            yield start + first, start + last


def _runs_of_words(sentence: str, counter: TokenCounter) -> Iterator[tuple[int, int]]:
    """Cut at white space outside markup, into runs of at most `MAX_UNIT_TOKENS`; at a line end once a run is half full."""
    unbroken = inseparable_spans(sentence)
    words: list[list[int]] = []
    for match in _WORD.finditer(sentence):
        around = bisect_left(unbroken, (match.start(),)) - 1
        if words and around >= 0 and match.start() < unbroken[around][1]:
            words[-1][1] = match.end()
        else:
            words.append([match.start(), match.end()])
    begin, size = 0, 0
    counts = counter.count_many([f" {plain_text(sentence[first:last])}" for first, last in words])
    for (first, _), tokens in zip(words, counts, strict=True):
        line_end = _LINE_END.search(sentence, first - 1, first) if first else None
        if size and (size + tokens > MAX_UNIT_TOKENS or (line_end and size >= MAX_UNIT_TOKENS // 2)):
            yield begin, len(sentence[:first].rstrip())
            begin, size = first, 0
        size += tokens
    yield begin, len(sentence)


def _add_item(
    pieces: list[_Piece], text: str, start: int, end: int, lead_in: int | None, counter: TokenCounter, language: Language
) -> None:
    """A list item is one unit; a long one its first sentence, with the others leaning on it."""
    spans = list(_sentences(text, start, end, counter, language))
    if len(spans) == 1 or counter.count(plain_text(text[start:end])) <= MAX_UNIT_TOKENS // 2:
        pieces.append(_Piece(start, end, UnitKind.ITEM, lead_in=lead_in))
        return
    head = len(pieces)
    for number, (first, last) in enumerate(spans):
        kind = UnitKind.SENTENCE if number else UnitKind.ITEM
        pieces.append(_Piece(first, last, kind, lead_in=head if number else lead_in, begins_block=not number))


def _add_lines(
    pieces: list[_Piece], text: str, start: int, end: int, kind: BlockKind, lead_in: int | None, counter: TokenCounter
) -> None:
    """A table or code block is one unit; a long one a unit for every run of lines, a table's with its head as their lead-in."""
    unit_kind = UnitKind.TABLE if kind is BlockKind.TABLE else UnitKind.CODE
    if counter.count(text[start:end]) <= MAX_UNIT_TOKENS:
        pieces.append(_Piece(start, end, unit_kind, lead_in=lead_in))
        return
    ends = [match.end() for match in _LINE_END.finditer(text, start, end)]
    lines = [text[first:last] for first, last in zip([start, *ends], [*ends, end], strict=True)]
    head = 2 if kind is BlockKind.TABLE else 0
    head_index = len(pieces) if head else lead_in
    offset = start
    limit = MAX_UNIT_TOKENS // 2 if head else MAX_UNIT_TOKENS
    runs = [lines[:head]] if head else []
    size = limit + 1
    for line, tokens in zip(lines[head:], counter.count_many(lines[head:]), strict=True):
        if size + tokens > limit or (head and not size):
            runs.append([])
            size = 0
        runs[-1].append(line)
        size += tokens
    for number, run in enumerate(runs):
        length = sum(map(len, run))
        last = offset + len(text[offset : offset + length].rstrip())
        is_head = head and number == 0
        if _has_words(text[offset:last], code=unit_kind is UnitKind.CODE):
            pieces.append(_Piece(offset, last, unit_kind, lead_in=lead_in if is_head else head_index, begins_block=number == 0))
        offset += length


def _runs(pieces: Sequence[_Piece]) -> list[range]:
    """Cut a section's pieces into runs of at most `MAX_CHUNK_TOKENS`, about equal, at the start of a block if one is near."""
    total = sum(piece.tokens for piece in pieces)
    runs: list[range] = []
    start, size, left = 0, 0, total
    for position, piece in enumerate(pieces):
        parts_left = -(-left // MAX_CHUNK_TOKENS)
        target = left / parts_left if parts_left > 1 else math.inf  # what is left fits into one
        full = size + piece.tokens > MAX_CHUNK_TOKENS
        enough = size >= target * (0.85 if piece.begins_block and piece.lead_in is None else 1.0)
        if size and (full or enough):
            runs.append(range(start, position))
            left -= size
            start, size = position, 0
        size += piece.tokens
    if start < len(pieces):
        runs.append(range(start, len(pieces)))
    return runs


def _chunk(
    document: Document,
    page: _Page,
    heading_path: tuple[str, ...],
    pieces: Sequence[_Piece],
    run: range,
    ordinal: int,
    first_unit: int,
    occurrences: Counter[tuple[tuple[str, ...], str]],
) -> Chunk:
    own = pieces[run.start : run.stop]
    start, end = own[0].start, own[-1].end
    text = page.text[start:end]
    before = sorted({piece.lead_in for piece in own if piece.lead_in is not None and piece.lead_in < run.start})
    preface = "\n".join(page.text[pieces[position].start : pieces[position].end] for position in before)
    units = tuple(
        Unit(
            start=piece.start - start,
            end=piece.end - start,
            kind=piece.kind,
            lines=_lines(document, page, piece),
            lead_in=None if piece.lead_in is None else max(piece.lead_in - run.start, PREFACE),
        )
        for piece in own
    )
    body = "\n".join(filter(None, (*(_plain(page.text, pieces[position]) for position in before), *_plain_parts(page.text, own))))
    headings = " > ".join([*([document.title] if document.title else []), *heading_path])
    place = (heading_path, text)
    identity = chunk_id(document.id, heading_path, text, occurrences[place])
    occurrences[place] += 1
    return Chunk(
        id=identity,
        tenant=document.tenant,
        document_id=document.id,
        document_path=document.path,
        uri=document.uri,
        title=document.shown_title,
        heading_path=heading_path,
        ordinal=ordinal,
        first_unit=first_unit,
        text=text,
        units=units,
        labels=document.labels,
        embedding_text=f"{headings}\n{body}" if headings else body,
        words_text="\n".join(part for part in (document.shown_title, *heading_path, document.keywords, body) if part),
        preface=preface,
    )


def _plain_parts(text: str, pieces: Sequence[_Piece]) -> Iterator[str]:
    """What a reader sees from the first piece to the last. Code stands apart: nothing in it is a mark."""
    at = pieces[0].start
    for piece in pieces:
        if piece.kind is UnitKind.CODE:
            yield plain_text(text[at : piece.start])
            yield _plain(text, piece)
            at = piece.end
    yield plain_text(text[at : pieces[-1].end])


def _lines(document: Document, page: _Page, piece: _Piece) -> tuple[int, int] | None:
    if document.first_line is None:
        return None
    return document.first_line + page.line_of(piece.start), document.first_line + page.line_of(piece.end - 1)
