"""PDF, by PDFium: its text in lines, joined to paragraphs and headings by how they are set on the page."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

import pypdfium2
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDFText_GetCharIndexFromTextIndex

from indexing.adapters.formats.html import converted
from indexing.adapters.formats.text import escape_line, without_control_characters
from indexing.errors import ParsingError
from indexing.parsing import ParsedDocument

_HEADING_RATIO: Final = 1.15
_PARAGRAPH_GAP: Final = 1.3
_SHORT_LINE: Final = 0.85
_MAX_HEADING_CHARACTERS: Final = 160
_MAX_HEADING_LEVELS: Final = 3
_REPEATS_ON_PAGES: Final = 3
_BULLET: Final = re.compile(r"[•◦▪‣●○■–·∙\uf0b7\uf0a7][ \t]*(?=\S)|[-*][ \t]+(?=\S)")  # noqa: RUF001 - a dash that PDFs list with
_NUMBERED: Final = re.compile(r"\d{1,3}[.)][ \t]+\S")
_SENTENCE_END: Final = re.compile(r"[.!?:;][\"')\]\u201d\u2019]*$")
_LINE_END: Final = re.compile(r"\r\n|[\r\n]")
_LINE_HYPHEN: Final = re.compile(r"[\x02\ufffe](?:\r\n|\n)?|\u00ad(?:\r\n|\n)")
_FILE_NAME_TITLE: Final = re.compile(r"^(?:untitled\b.*|microsoft (?:word|powerpoint|excel) - .*|.*\.\w{2,5})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text and where it stands on its page, in points from the lower left corner.

    PDFium takes a line that ends in a hyphen and the next for one, which begins at `first_bottom` and ends at `last_bottom`.
    """

    text: str
    right: float
    first_bottom: float
    last_bottom: float
    height: float


@dataclass(slots=True)
class _Paragraph:
    text: str
    height: float
    is_item: bool


def parse(content: bytes) -> ParsedDocument:
    """Read the text layer of a PDF.

    Raises:
        ParsingError: It is encrypted, damaged, has no pages, or no text (scanned pages).
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as exc:
        if getattr(exc, "err_code", None) == FPDF_ERR_PASSWORD:
            raise ParsingError("encrypted with a password; save it without one") from exc
        raise ParsingError("truncated or damaged: it cannot be opened as a PDF") from exc
    try:
        if len(document) == 0:
            raise ParsingError("empty: a PDF without pages")
        pages = [_lines(document, number) for number in range(len(document))]
        property_title = " ".join(str(document.get_metadata_dict().get("Title") or "").split())
    finally:
        document.close()
    if not any(pages):
        raise ParsingError("a PDF without a text layer, such as scanned pages; run text recognition (OCR) over it first")
    markdown, first_heading = _markdown([_paragraphs(lines) for lines in _without_running_lines(pages)])
    title = property_title if property_title and not _FILE_NAME_TITLE.match(property_title) else first_heading
    return converted(markdown, without_control_characters(title) or None)


def _lines(document: pypdfium2.PdfDocument, number: int) -> list[_Line]:
    """The lines of one page; a page that PDFium cannot load has none."""
    try:
        page = document[number]
    except pypdfium2.PdfiumError:
        return []
    try:
        textpage = page.get_textpage()
        try:
            return list(_placed(textpage))
        finally:
            textpage.close()
    finally:
        page.close()


def _placed(textpage: pypdfium2.PdfTextPage) -> Iterator[_Line]:
    text = _LINE_HYPHEN.sub(lambda match: "\0" * len(match[0]), textpage.get_text_range())
    start = 0
    for end in [*(match.start() for match in _LINE_END.finditer(text)), len(text)]:
        line = text[start:end]
        words = line.replace("\0", "").strip()
        if words:
            first = start + len(line) - len(line.lstrip())
            last = start + len(line.rstrip("\0 \t")) - 1
            _, first_bottom, _, top = _box(textpage, first)
            _, last_bottom, right, _ = _box(textpage, last)
            yield _Line(words, right, first_bottom, last_bottom, round(top - first_bottom, 1))
        start = end + (2 if text.startswith("\r\n", end) else 1)


def _box(textpage: pypdfium2.PdfTextPage, text_index: int) -> tuple[float, float, float, float]:
    """Left, bottom, right and top of a character with the height of its font; zeros where PDFium has none."""
    index = FPDFText_GetCharIndexFromTextIndex(textpage, text_index)
    try:
        left, bottom, right, top = textpage.get_charbox(index, loose=True)
    except pypdfium2.PdfiumError:
        return 0.0, 0.0, 0.0, 0.0
    return left, bottom, right, top


def _without_running_lines(pages: Sequence[list[_Line]]) -> list[list[_Line]]:
    """Pages without the headers, footers and page numbers that stand at the edge of at least half of them."""

    def pattern(line: _Line) -> str:
        return re.sub(r"\d+", "#", line.text)

    edges = Counter(edge for lines in pages for edge in {pattern(line) for line in (*lines[:1], *lines[-1:])})
    often = max(_REPEATS_ON_PAGES, len(pages) / 2)
    running = {edge for edge, count in edges.items() if count >= often}
    return [
        [line for place, line in enumerate(lines) if place not in (0, len(lines) - 1) or pattern(line) not in running]
        for lines in pages
    ]


def _paragraphs(lines: Sequence[_Line]) -> list[_Paragraph]:
    """Join the lines of a page. A new paragraph begins at a gap, in another size, at a bullet, or after a short last line."""
    steps = [step for above, line in pairwise(lines) if (step := above.last_bottom - line.first_bottom) > 0]
    usual_step = median(steps) if steps else 0.0
    right_edge = max((line.right for line in lines), default=0.0)
    paragraphs: list[_Paragraph] = []
    above: _Line | None = None
    for line in lines:
        bullet = _BULLET.match(line.text)
        is_item = bool(bullet or _NUMBERED.match(line.text))
        if above is None or is_item or _begins_paragraph(above, line, usual_step, right_edge):
            words = f"- {line.text[bullet.end() :]}" if bullet else line.text
            paragraphs.append(_Paragraph(words, line.height, is_item))
        else:
            paragraphs[-1].text += ("" if above.text.endswith("-") and above.text[-2:-1].isdigit() else " ") + line.text
        above = line
    return paragraphs


def _begins_paragraph(above: _Line, line: _Line, usual_step: float, right_edge: float) -> bool:
    step = above.last_bottom - line.first_bottom
    if step < -0.5 * above.height or (usual_step and step > _PARAGRAPH_GAP * usual_step):
        return True
    if abs(above.height - line.height) > (_HEADING_RATIO - 1) * max(above.height, line.height):
        return True
    return bool(above.right < _SHORT_LINE * right_edge and _SENTENCE_END.search(above.text))


def _markdown(pages: Sequence[Sequence[_Paragraph]]) -> tuple[str, str]:
    """The pages as Markdown, and the text of the first heading.

    Text set larger than the body makes headings; a document without any gets one for each page, so that a passage can be found.
    """
    weights: Counter[float] = Counter()
    for paragraph in (paragraph for page in pages for paragraph in page):
        weights[paragraph.height] += len(paragraph.text)
    body = weights.most_common(1)[0][0] if weights else 0.0
    larger = sorted({height for height in weights if body and height > _HEADING_RATIO * body}, reverse=True)
    level = {height: min(2 + rank, 1 + _MAX_HEADING_LEVELS) for rank, height in enumerate(larger)}
    by_page = len(pages) > 1 and not larger
    markdown = ""
    after_item = False
    first_heading = ""
    for number, page in enumerate(pages, start=1):
        if by_page and page:
            markdown += f"\n\n## Page {number}"
            after_item = False
        for paragraph in page:
            text = escape_line(paragraph.text)
            if paragraph.height in level and not paragraph.is_item and len(text) <= _MAX_HEADING_CHARACTERS:
                first_heading = first_heading or paragraph.text
                text = f"{'#' * level[paragraph.height]} {text}"
            markdown += ("\n" if after_item and paragraph.is_item else "\n\n") + text
            after_item = paragraph.is_item
    return without_control_characters(markdown.lstrip("\n")) + "\n", first_heading
