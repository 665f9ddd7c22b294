"""A document is cut into chunks at unit borders, section by section, and every piece keeps its headings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from indexing.documents import PREFACE, Chunk, Document, Unit, UnitKind, chunk_id
from indexing.markdown_blocks import Block, BlockKind, markdown_blocks
from indexing.plain_text import plain_text
from indexing.sentences import sentence_spans
from indexing.tokens import TokenCounter

CHUNKER_VERSION: Final = "1"
"""Changes whenever the same Markdown may give other chunks; a sync with another version cuts everything again."""

MAX_CHUNK_TOKENS: Final = 180
"""all-MiniLM-L6-v2 reads 256 word pieces: headings and 180 tokens fit in."""

MAX_UNIT_TOKENS: Final = 120
"""A longer list item is taken sentence by sentence, a longer table or code block in runs of lines."""


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
        self._starts = [0]
        for line in markdown.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The characters of the lines `first` up to, not including, `last`, without white space around them."""
        start, end = self._starts[first], self._starts[min(last, len(self._starts) - 1)]
        piece = self.text[start:end]
        return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())

    def line_of(self, offset: int) -> int:
        """The line, from 0, that holds a character."""
        low, high = 0, len(self._starts) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._starts[middle] <= offset:
                low = middle
            else:
                high = middle - 1
        return low


def chunk_document(document: Document, counter: TokenCounter) -> list[Chunk]:
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
        pieces = _pieces(page, section.blocks, counter)
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


def _pieces(page: _Page, blocks: Sequence[Block], counter: TokenCounter) -> list[_Piece]:
    """The units of a section, with their lead-ins and token counts."""
    pieces: list[_Piece] = []
    item_at: dict[int, int] = {}  # depth -> the last item on it
    introduction: int | None = None  # the last piece of the paragraph above the list or table
    for block in blocks:
        start, end = page.span(block.first, block.last)
        if not _has_words(page.text[start:end]):
            continue
        match block.kind:
            case BlockKind.PARAGRAPH:
                lead_in = item_at.get(block.level) if block.level else None
                _add_sentences(pieces, page.text, start, end, lead_in)
                if not block.level:
                    introduction = len(pieces) - 1
                    item_at = {}
            case BlockKind.ITEM:
                lead_in = item_at.get(block.level - 1, introduction if block.level == 1 or not item_at else None)
                item_at = {depth: item for depth, item in item_at.items() if depth < block.level}
                item_at[block.level] = len(pieces)
                _add_item(pieces, page.text, start, end, lead_in, counter)
            case _:
                lead_in = item_at.get(block.level) if block.level else introduction
                _add_lines(pieces, page.text, start, end, block.kind, lead_in, counter)
    for piece, tokens in zip(pieces, counter.count_many([plain_text(page.text[p.start : p.end]) for p in pieces]), strict=True):
        piece.tokens = tokens
    return pieces


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in plain_text(text))


def _add_sentences(pieces: list[_Piece], text: str, start: int, end: int, lead_in: int | None) -> None:
    begins_block = True
    for first, last in sentence_spans(text[start:end]):
        if _has_words(text[start + first : start + last]):
            pieces.append(_Piece(start + first, start + last, UnitKind.SENTENCE, lead_in=lead_in, begins_block=begins_block))
            begins_block = False


def _add_item(pieces: list[_Piece], text: str, start: int, end: int, lead_in: int | None, counter: TokenCounter) -> None:
    """A list item is one unit; a long one its first sentence, with the others leaning on it."""
    spans = sentence_spans(text[start:end])
    if len(spans) == 1 or counter.count(plain_text(text[start:end])) <= MAX_UNIT_TOKENS // 2:
        pieces.append(_Piece(start, end, UnitKind.ITEM, lead_in=lead_in))
        return
    head = len(pieces)
    for number, (first, last) in enumerate(spans):
        kind = UnitKind.SENTENCE if number else UnitKind.ITEM
        pieces.append(_Piece(start + first, start + last, kind, lead_in=head if number else lead_in, begins_block=not number))


def _add_lines(
    pieces: list[_Piece], text: str, start: int, end: int, kind: BlockKind, lead_in: int | None, counter: TokenCounter
) -> None:
    """A table or code block is one unit; a long one a unit for every run of lines, a table's with its head as their lead-in."""
    unit_kind = UnitKind.TABLE if kind is BlockKind.TABLE else UnitKind.CODE
    if counter.count(text[start:end]) <= MAX_UNIT_TOKENS:
        pieces.append(_Piece(start, end, unit_kind, lead_in=lead_in))
        return
    lines = text[start:end].splitlines(keepends=True)
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
        if _has_words(text[offset:last]):
            pieces.append(_Piece(offset, last, unit_kind, lead_in=lead_in if is_head else head_index, begins_block=number == 0))
        offset += length


def _runs(pieces: Sequence[_Piece]) -> list[range]:
    """Cut a section's pieces into runs of at most `MAX_CHUNK_TOKENS`, about equal, at the start of a block if one is near."""
    total = sum(piece.tokens for piece in pieces)
    runs: list[range] = []
    start, size, left = 0, 0, total
    for position, piece in enumerate(pieces):
        parts_left = -(-left // MAX_CHUNK_TOKENS)
        target = left / parts_left if parts_left else MAX_CHUNK_TOKENS
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
    preface_piece = next((p.lead_in for p in own if p.lead_in is not None and p.lead_in < run.start), None)
    preface = "" if preface_piece is None else page.text[pieces[preface_piece].start : pieces[preface_piece].end]
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
    body = plain_text(f"{preface}\n{text}")
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


def _lines(document: Document, page: _Page, piece: _Piece) -> tuple[int, int] | None:
    if document.first_line is None:
        return None
    return document.first_line + page.line_of(piece.start), document.first_line + page.line_of(piece.end - 1)
