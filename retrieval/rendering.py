"""A context as text: what a prompt carries, with or without a number in front of each unit."""

from collections.abc import Iterable, Mapping, Sequence

from indexing.documents import PREFACE, Chunk
from retrieval.analysis import AnalysedChunk
from retrieval.passages import ContextUnit


def render(units: Sequence[ContextUnit], analysed: Mapping[str, AnalysedChunk], *, numbered: bool = False) -> str:
    """Write units out: a line with the headings not yet printed, then the units under them.

    The sentences of a paragraph share a line. What introduces a list that was begun in an earlier chunk is printed once above it.

    Args:
        units: The units of a context, in reading order.
        analysed: The analysis of each of their chunks, by chunk id.
        numbered: Put `[1]`, `[2]` and so on, in order, in front of the units, so that an answer can point to them.
    """
    lines: list[str] = []
    printed: set[tuple[str, ...]] = set()
    place: tuple[str, ...] | None = None
    before: ContextUnit | None = None
    opened = 0  # where the lines under the present headings begin; what introduces a list is not repeated among them
    for number, unit in enumerate(units, start=1):
        above = headings_above(unit.chunk)
        if above[-1] != place:
            new = [heading[-1] for heading in above if heading not in printed]
            lines.append(" > ".join(new or above[-1][-1:]))
            printed.update(above)
            place, before, opened = above[-1], None, len(lines)
        same_chunk = before is not None and before.chunk.id == unit.chunk.id
        if not same_chunk and needs_preface(one for one in units if one.chunk.id == unit.chunk.id):
            lines += (line for line in analysed[unit.chunk.id].preface.split("\n") if line not in lines[opened:])
            before = None
        shown = analysed[unit.chunk.id].units[unit.position].text
        text = f"[{number}] {shown}" if numbered else shown
        if before is not None and same_chunk and _same_paragraph(before, unit):
            lines[-1] += " " + text
        else:
            lines.append(text)
        before = unit
    return "\n".join(lines)


def headings_above(chunk: Chunk) -> list[tuple[str, ...]]:
    """Title and headings of a chunk, each with everything above it, so that equal words in other places stay apart."""
    path = (chunk.document_id, chunk.title, *chunk.heading_path)
    return [path[:depth] for depth in range(2, len(path) + 1)]


def needs_preface(units: Iterable[ContextUnit]) -> bool:
    """Whether one of the units hangs on an introduction that stands in an earlier chunk."""
    return any(unit.chunk.units[unit.position].lead_in == PREFACE for unit in units)


def _same_paragraph(first: ContextUnit, second: ContextUnit) -> bool:
    units = first.chunk.units
    between = first.chunk.text[units[first.position].end : units[second.position].start]
    return second.position == first.position + 1 and "\n" not in between
