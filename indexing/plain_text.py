"""Markdown as a reader sees it: link targets, emphasis marks and template tags taken away, every word kept.

Whatever the page holds, the time this takes grows with its length and no faster: patterns never try a character twice, and
marks that come in pairs are paired by looking forward once.
"""

import html
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final

_LINK_TEXT: Final = r"\[((?:[^\[\]]++|\[[^\[\]]*+\])*+)\]"
_LINK_TARGET: Final = r"\((?:[^()\n]++|\n(?![ \t]*\n)|\([^()]*+\))*+\)"
_IMAGE = re.compile(rf"(?<!\\)!{_LINK_TEXT}{_LINK_TARGET}")
_LINK = re.compile(rf"\\?{_LINK_TEXT}(?<!\\\]){_LINK_TARGET}(?:\{{:[^{{}}\n]*+\}})?")
_REFERENCE_LINK = re.compile(r"(?<!\\)\[([^\[\]]++)\]\[[^\[\]]*+\]")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^<>\s]++)>")
_TAG = re.compile(r"(?<!\\)</?[A-Za-z](?:[^<>\n]++|\n(?![ \t]*\n))*+>")
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_ENCLOSING: Final = (("<!--", "-->"), ("{{", "}}"), ("{%", "%}"))
_EMPHASIS = tuple(
    (re.compile(opener, re.DOTALL), re.compile(closer))
    for opener, closer in (
        (r"\*\*(?=\S)", r"(?<=\S)\*\*"),
        (r"(?<!\w)__(?=\S)", r"(?<=\S)__(?!\w)"),
        (r"(?<![\w*\\])\*(?=[^\s*_])", r"(?<=[^\s\\])\*(?![\w*])"),
        (r"(?<![\w*\\])_(?=[^\s*_])", r"(?<=[^\s\\])_(?![\w*])"),
        (r"~~(?=\S)", r"(?<=\S)~~"),
    )
)
_TICKS = re.compile(r"(?<!\\)`+")
_FENCE_TICKS: Final = 3
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")
_STORED = re.compile("\ue000([0-9]+)\ue001")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~:=&$\"'])")
_MARKER = re.compile(r"^[ \t]*(?:[-*+][ \t]+(?:\[[ xX]\][ \t]+)?|>[ \t]?|#{1,6}[ \t]+)", re.MULTILINE)
_TABLE_RULE = re.compile(r"^(?=.*\|)(?=.*-)[ \t|:-]+$\n?", re.MULTILINE)
_SPACES = re.compile(r"[ \t]{2,}")


def plain_text(markdown: str) -> str:
    """A piece of Markdown without its marks: links become their text, images their description, lists lose their bullets.

    Every word that a reader of the rendered page sees stays, in order, on its line, and so do the numbers of a numbered list;
    table cells stay between bars, and code keeps all its characters.
    The result may still hold characters that mean something in Markdown or HTML: it is text, not markup, and must be escaped.
    """
    text = markdown.replace("\r\n", "\n").replace("\r", "\n") if "\r" in markdown else markdown
    code: list[str] = []
    if "`" in text:
        text = _store_code(text, code)
    if "<" in text:
        text = _replace_enclosed(text, "<!--", "-->", lambda _: " ")
        text = _AUTOLINK.sub(r"\1", text)
    if "{" in text:  # `{{` first: `{{% ... %}}` holds `{% ... %}` too
        text = _replace_enclosed(text, "{{", "}}", _template_arguments)
        text = _replace_enclosed(text, "{%", "%}", _template_arguments)
    if "[" in text:
        text = _IMAGE.sub(r"\1", text)
        text = _LINK.sub(r"\1", text)
        text = _REFERENCE_LINK.sub(r"\1", text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    text = _MARKER.sub("", text)
    if "--" in text or "-|" in text or ":-" in text or "- |" in text:
        text = _TABLE_RULE.sub("", text)
    for opener, closer in _EMPHASIS:
        text = _unwrap(text, opener, closer)
    text = _ESCAPE.sub(r"\1", text)
    if "&" in text:
        text = html.unescape(text)
    if code:
        text = _STORED.sub(lambda match: code[int(match.group(1))], text)
    return "\n".join(line for line in (_SPACES.sub(" ", raw).strip() for raw in text.split("\n")) if line)


def inseparable_spans(markdown: str) -> list[tuple[int, int]]:
    """Where a cut would tear markup apart: code, comments, template tags, links and HTML tags.

    Returns:
        `(start, end)` character offsets in order, not overlapping; where one holds another, the outer one.
    """
    spans = [(start, end) for start, _, _, end in _code_spans(markdown)] if "`" in markdown else []
    for opening, closing in _ENCLOSING:
        spans += _enclosed(markdown, opening, closing)
    if "[" in markdown:
        spans += (match.span() for match in _LINK.finditer(markdown))
    if "<" in markdown:
        spans += (match.span() for match in _TAG.finditer(markdown))
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _store_code(text: str, code: list[str]) -> str:
    """Put code aside, so that nothing in it is taken for a mark; what stands in its place names its position in `code`."""
    parts: list[str] = []
    at = 0
    text = text.replace("\ue000", " ")  # a private character, of which no reader sees anything
    for start, first, last, end in _code_spans(text):
        parts += (text[at:start], f"\ue000{len(code)}\ue001")
        code.append(text[first:last])
        at = end
    return "".join((*parts, text[at:]))


def _code_spans(text: str) -> Iterator[tuple[int, int, int, int]]:
    """Runs of code with the backticks around them: start, first character inside, end of the inside, end.

    A run of backticks is closed by the next one of its length. Only a fence, of three or more, reaches over a blank line, and
    one that reaches over lines is closed by backticks that end their line.
    """
    ticks = [match.span() for match in _TICKS.finditer(text)]
    blank = [match.start() for match in _BLANK_LINE.finditer(text)]
    closing: list[int | None] = []
    latest: dict[int, int] = {}
    for number in range(len(ticks) - 1, -1, -1):
        length = ticks[number][1] - ticks[number][0]
        closing.append(latest.get(length))
        latest[length] = number
    closing.reverse()
    number = 0
    while number < len(ticks):
        close = closing[number]
        if close is not None and _is_code(text, ticks[number], ticks[close], blank):
            yield (*ticks[number], *ticks[close])
            number = close
        number += 1


def _is_code(text: str, opening: tuple[int, int], closing: tuple[int, int], blank: list[int]) -> bool:
    if opening[1] - opening[0] < _FENCE_TICKS:
        next_blank = bisect_left(blank, opening[1])
        return next_blank == len(blank) or blank[next_blank] >= closing[0]
    over_lines = text.find("\n", opening[1], closing[0]) >= 0
    line_end = text.find("\n", closing[1])
    return not over_lines or not text[closing[1] : line_end if line_end >= 0 else len(text)].strip()


def _enclosed(text: str, opening: str, closing: str) -> Iterator[tuple[int, int]]:
    """The spans from each `opening` to the next `closing`."""
    start = text.find(opening)
    while start >= 0 and (end := text.find(closing, start + len(opening))) >= 0:
        yield start, end + len(closing)
        start = text.find(opening, end + len(closing))


def _replace_enclosed(text: str, opening: str, closing: str, replacement: Callable[[str], str]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in _enclosed(text, opening, closing):
        parts += (text[at:start], replacement(text[start + len(opening) : end - len(closing)]))
        at = end
    return "".join((*parts, text[at:]))


def _unwrap(text: str, opener: re.Pattern[str], closer: re.Pattern[str]) -> str:
    """Take away marks that open and close; one that is not closed stays."""
    parts: list[str] = []
    at = 0
    while (first := opener.search(text, at)) and (last := closer.search(text, first.end() + 1)):
        parts += (text[at : first.start()], text[first.end() : last.start()])
        at = last.end()
    return "".join((*parts, text[at:])) if parts else text


def _template_arguments(inside: str) -> str:
    """What a template tag says to a reader: its quoted arguments, as in `{% slack_channel "people-ops" %}`."""
    inside = inside.strip("-<>% \t\n")
    if inside.startswith(("page ", "asset", "include", "link ", "ref ", "relref ")):
        return " "
    return " ".join(double or single for double, single in _QUOTED.findall(inside))
