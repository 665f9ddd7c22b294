"""Markdown: left exactly as it is; only its front matter is taken off and read."""

import html
import re
from typing import Final

from indexing.adapters.formats.front_matter import split_front_matter
from indexing.adapters.formats.text import decode_text
from indexing.parsing import ParsedDocument

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX_H1: Final = re.compile(r" {0,3}#[ \t]+(.*?)(?:[ \t]+#+)?[ \t]*$")
_SETEXT_H1: Final = re.compile(r" {0,3}=+[ \t]*$")
_ATTRIBUTES: Final = re.compile(r"[ \t]*\{[:#.][^{}]*\}$")
_IMAGE_OR_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKS: Final = re.compile(r"(\*\*|__|[*`])(.+?)\1")
_LINE_END: Final = re.compile(r"\r\n?|\n")
_ESCAPED: Final = re.compile(r"\\([!-/:-@\[-`{-~])")


def parse(content: bytes) -> ParsedDocument:
    """Read a Markdown page. Template tags and shortcodes stay in the text.

    A page that has front matter and no text - a redirect, a stub - is a page without chunks, and nothing to complain of.
    """
    text = decode_text(content)
    front_matter, start = split_front_matter(text)
    markdown = text[start:]
    return ParsedDocument(
        markdown=markdown,
        title=front_matter.title or first_h1(markdown),
        first_line=len(_LINE_END.findall(text, 0, start)) + 1,
        labels=front_matter.labels,
        keywords=front_matter.keywords,
    )


def first_h1(markdown: str) -> str | None:
    """The text of the first level-one heading outside code blocks, without its marks; `None` when there is none."""
    fence = ""
    above = ""
    for line in markdown.split("\n"):
        bar = _FENCE.match(line)
        if fence:
            if bar and bar[1].startswith(fence) and not line.strip(" \r`~"):
                fence = ""
            above = ""
            continue
        if bar:
            fence = bar[1]
            continue
        heading = _ATX_H1.match(line.rstrip("\r"))
        text = heading[1] if heading else above if _SETEXT_H1.match(line.rstrip("\r")) else ""
        if title := _without_marks(text):
            return title
        above = line if line.strip() and not line.startswith(("#", ">", "|", "    ", "\t")) else ""
    return None


def _without_marks(heading: str) -> str:
    text = _IMAGE_OR_LINK.sub(r"\1", _ATTRIBUTES.sub("", heading.strip()))
    text = _ESCAPED.sub(r"\1", _MARKS.sub(r"\2", text))
    return " ".join(html.unescape(text).split())
