"""Where sentences end, as offsets, so that what is cited can be found again on its page."""

import re
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from indexing.plain_text import inseparable_spans

_END = re.compile(r"(?:(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+|(?:  |\\)(?=[\r\n])|<br ?/?>)(?=\s|$)")  # noqa: RUF001 - typographic quotes are meant
_START = re.compile(r"\s*[\"'“‘(\[*_`<{#~-]*(?:[A-Z0-9À-Þ]|[^\W\d_a-zß-ÿ]|https?:|\{%)")  # noqa: RUF001 - as above
_MORE = re.compile(r"\s*+\S")
_NUMBER = re.compile(r"\s*+\d++\s*+")


class SentenceReader:
    """Finds where sentences end in one language."""

    def __init__(self, abbreviations: frozenset[str], dates: Mapping[str, Any]) -> None:
        """Take what a language's vocabulary has: its abbreviations, and the months of a date with a stop behind the day."""
        self._abbreviations = abbreviations
        months = [form for forms in dates.get("months", ()) for form in forms.split()] if dates.get("day_with_stop") else []
        self._month = re.compile(rf"\s+(?:{'|'.join(map(re.escape, months))})\b") if months else None

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Split a paragraph into sentences.

        A line break that Markdown makes hard (two spaces, a backslash, `<br>`) ends a sentence too. Abbreviations, initials,
        decimal points and stops inside words end none, and neither do those inside code, links, tags and comments. Nothing but
        white space lies between two spans.

        Returns:
            `(start, end)` character offsets in reading order, without surrounding white space.
        """
        spans: list[tuple[int, int]] = []
        unbroken = inseparable_spans(text)
        start = 0
        for match in _END.finditer(text):
            end = match.end()
            hard = match.group()[0] in " \\<"
            if not hard and (_NUMBER.fullmatch(text, start, match.start()) or not self._ends_sentence(text, match.start(), end)):
                continue
            around = bisect_left(unbroken, (end,)) - 1
            if around >= 0 and end < unbroken[around][1]:
                continue
            _append(spans, text, start, end)
            start = end
        _append(spans, text, start, len(text))
        return spans

    def _ends_sentence(self, text: str, stop: int, end: int) -> bool:
        more = _MORE.match(text, end)
        if more and not _START.match(text, end):
            return False
        if text[stop] != ".":
            return True
        word = re.search(r"[\w.]*$", text[max(0, stop - 20) : stop])
        before = word.group().lower() if word else ""
        if before in self._abbreviations or (self._month and before.isdigit() and self._month.match(text, end)):
            return False
        # "J. Smith" is an initial and "1. Apply" a number, while "Option B." at the end of a line is neither.
        return not (len(before) == 1 and before.isalpha() and more and text[end : end + 1] == " ")


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        begin = start + len(piece) - len(piece.lstrip())
        spans.append((begin, begin + len(stripped)))
