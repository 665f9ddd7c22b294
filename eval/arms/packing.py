"""Contexts of whole passages: what is sent when nothing is compressed, and the rival that sends fewer passages instead."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from indexing.documents import PREFACE, Chunk
from indexing.tokens import TokenCounter
from retrieval.analysis import AnalysedChunk
from retrieval.passages import Passage

NOTHING: Final = ("", 0)


@dataclass(frozen=True, slots=True)
class _Part:
    """The first `units` units of a chunk."""

    chunk: Chunk
    units: int


class WholePassages:
    """Ranked passages of one question, to be sent whole. Contexts are rendered once and kept."""

    def __init__(self, passages: Sequence[Passage], analysed: Mapping[str, AnalysedChunk], counter: TokenCounter) -> None:
        self._chunks = [passage.chunk for passage in passages]
        self._analysed = analysed
        self._counter = counter
        self._first: list[tuple[str, int]] = [NOTHING]

    def all(self) -> tuple[str, int]:
        """Every passage: the text and its tokens."""
        return self._first_whole(len(self._chunks))

    def within(self, budget_tokens: int) -> tuple[str, int]:
        """As many passages from the top as fit, and of the next one as many units as fit: the text and its tokens."""
        count = 0
        while count < len(self._chunks) and self._first_whole(count + 1)[1] <= budget_tokens:
            count += 1
        if count == len(self._chunks):
            return self._first_whole(count)
        cut = [self._beginning(count, units) for units in range(1, len(self._chunks[count].units))]
        fitting = bisect_right([tokens for _, tokens in cut], budget_tokens)
        return cut[fitting - 1] if fitting else self._first_whole(count)

    def _first_whole(self, count: int) -> tuple[str, int]:
        while len(self._first) <= count:
            text = self._render([_Part(chunk, len(chunk.units)) for chunk in self._chunks[: len(self._first)]])
            self._first.append((text, self._counter.count(text)))
        return self._first[count]

    def _beginning(self, count: int, units: int) -> tuple[str, int]:
        """The first `count` passages whole, and the first units of the next."""
        whole = [_Part(chunk, len(chunk.units)) for chunk in self._chunks[:count]]
        text = self._render([*whole, _Part(self._chunks[count], units)])
        return text, self._counter.count(text)

    def _render(self, parts: Sequence[_Part]) -> str:
        """Documents in the order of their best passage, chunks of one in reading order, each heading printed once."""
        order: dict[str, int] = {}
        for part in parts:
            order.setdefault(part.chunk.document_id, len(order))
        lines: list[str] = []
        printed: set[tuple[str, ...]] = set()
        last: tuple[str, ...] = ()
        for part in sorted(parts, key=lambda part: (order[part.chunk.document_id], part.chunk.ordinal)):
            chunk, analysed = part.chunk, self._analysed[part.chunk.id]
            path = (chunk.document_id, chunk.title, *chunk.heading_path)
            if path != last:
                above = [path[:depth] for depth in range(2, len(path) + 1)]
                lines.append(" > ".join([heading[-1] for heading in above if heading not in printed] or [path[-1]]))
                printed.update(above)
                last = path
            if any(unit.lead_in == PREFACE for unit in chunk.units[: part.units]):
                lines.append(analysed.preface)
            lines += _lines(chunk, analysed, part.units)
        return "\n".join(lines)


def _lines(chunk: Chunk, analysed: AnalysedChunk, count: int) -> list[str]:
    """The first units as a reader sees them; the sentences of a paragraph share a line."""
    lines: list[str] = []
    for position in range(count):
        text = analysed.units[position].text
        before = chunk.units[position - 1].end if position else 0
        if position and "\n" not in chunk.text[before : chunk.units[position].start]:
            lines[-1] += f" {text}"
        else:
            lines.append(text)
    return lines
