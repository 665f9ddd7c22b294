"""PowerPoint presentations, by python-pptx: each slide a heading, its bullets, tables and notes."""

import io
from collections.abc import Iterator
from typing import Any, Final

from pptx import Presentation

from indexing.adapters.formats.html import converted
from indexing.adapters.formats.package import check_package, core_title
from indexing.adapters.formats.tables import pipe_table
from indexing.adapters.formats.text import escape_block_start, escape_inline, escape_line, without_control_characters
from indexing.parsing import ParsedDocument

_PROGRAM_TITLES: Final = frozenset({"powerpoint presentation", "presentation", "untitled presentation"})


def parse(content: bytes) -> ParsedDocument:
    """Read a presentation. Its title is that of its properties, or of the first slide where the program made that up."""
    check_package(content)
    presentation = Presentation(io.BytesIO(content))
    slides = list(presentation.slides)
    blocks = [block for number, slide in enumerate(slides, start=1) for block in _slide(slide, number)]
    title = core_title(content)
    if title is None or title.lower() in _PROGRAM_TITLES:
        title = (_title(slides[0]) or None) if slides else None
    if all(block.startswith("## Slide ") for block in blocks):
        blocks = []
    return converted(without_control_characters("\n\n".join(blocks) + "\n"), title)


def _title(slide: Any) -> str:
    shape = slide.shapes.title
    return " ".join(shape.text_frame.text.split()) if shape is not None else ""


def _slide(slide: Any, number: int) -> Iterator[str]:
    yield f"## {escape_line(_title(slide)) or f'Slide {number}'}"
    title = slide.shapes.title
    for shape in _shapes(slide.shapes):
        if shape == title:  # the same element: the numbers of shapes are not unique in every program's files
            continue
        if getattr(shape, "has_table", False):
            yield pipe_table([cell.text for cell in row.cells] for row in shape.table.rows)
        elif shape.has_text_frame:
            yield from _text(shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        notes = [escape_line(line) for line in slide.notes_slide.notes_text_frame.text.splitlines() if line.strip()]
        if notes:
            yield "\n\n".join([f"Notes: {notes[0]}", *notes[1:]])


def _shapes(shapes: Any) -> Iterator[Any]:
    """The shapes of a slide in their order, those of groups in place of the group."""
    for shape in shapes:
        if hasattr(shape, "shapes"):
            yield from _shapes(shape.shapes)
        else:
            yield shape


def _text(shape: Any) -> Iterator[str]:
    """The paragraphs of a shape: a list where the layout makes bullets of them, else paragraphs."""
    paragraphs = [(paragraph.level, line) for paragraph in shape.text_frame.paragraphs if (line := _line(paragraph))]
    if shape.is_placeholder and len(paragraphs) > 1:
        items, depth = [], -1
        for level, line in paragraphs:
            depth = min(level, depth + 1)  # a level left out would make the item part of the one above
            items.append("  " * depth + f"- {line}")
        yield "\n".join(items)
    else:
        yield from (line for _, line in paragraphs)


def _line(paragraph: Any) -> str:
    """The words of a paragraph on one line, with its links to web pages."""
    pieces = []
    for run in paragraph.runs:
        words = escape_inline(run.text)
        address = run.hyperlink.address or ""
        if words.strip() and address.startswith(("https://", "http://", "mailto:")):
            words = f"[{words}]({address.replace(' ', '%20').replace(')', '%29')})"
        pieces.append(words)
    return escape_block_start(" ".join("".join(pieces).split()))
