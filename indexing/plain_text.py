"""Markdown as a reader sees it: link targets, emphasis marks and template tags taken away, every word kept."""

import html
import re

_IMAGE = re.compile(r"!\[([^\]]*)\]\((?:[^()\s]|\([^()]*\)|\s+\"[^\"]*\")*\)")
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?:\{%.*?%\}|\{\{.*?\}\}|[^()]|\([^()]*\))*\)(?:\{:[^}]*\})?")
_REFERENCE_LINK = re.compile(r"\[([^\[\]]+)\]\[[^\[\]]*\]")
_AUTOLINK = re.compile(r"<((?:https?://|mailto:)[^>\s]+)>")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_TEMPLATE = re.compile(r"\{%-?\s*(.*?)\s*-?%\}|\{\{[<%]?\s*(.*?)\s*[%>]?\}\}", re.DOTALL)
_QUOTED = re.compile(r"\"([^\"]*)\"|'([^']*)'")
_STRONG = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_EMPHASIS = re.compile(r"(?<![\w*\\])([*_])(?=[^\s*_])(.+?)(?<=[^\s\\])\1(?![\w*])", re.DOTALL)
_STRIKE = re.compile(r"~~(?=\S)(.+?)(?<=\S)~~")
_CODE = re.compile(r"`+([^`]+)`+")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!|<>~:=&$\"'])")
_MARKER = re.compile(r"^[ \t]*(?:[-*+][ \t]+(?:\[[ xX]\][ \t]+)?|>[ \t]?|#{1,6}[ \t]+)", re.MULTILINE)
_TABLE_RULE = re.compile(r"^(?=.*\|)(?=.*-)[ \t|:-]+$\n?", re.MULTILINE)
_SPACES = re.compile(r"[ \t]{2,}")


def plain_text(markdown: str) -> str:
    """A piece of Markdown without its marks: links become their text, images their description, lists lose their bullets.

    Every word that a reader of the rendered page sees stays, in order, on its line, and so do the numbers of a numbered list; table
    cells stay between bars.
    The result may still hold characters that mean something in Markdown or HTML: it is text, not markup, and must be escaped.
    """
    text = markdown
    if "<" in text:
        text = _COMMENT.sub(" ", text)
        text = _AUTOLINK.sub(r"\1", text)
    if "[" in text:
        text = _IMAGE.sub(r"\1", text)
        text = _LINK.sub(r"\1", text)
        text = _REFERENCE_LINK.sub(r"\1", text)
    if "{" in text:
        text = _TEMPLATE.sub(_template_arguments, text)
    if "<" in text:
        text = _TAG.sub(" ", text)
    text = _MARKER.sub("", text)
    if "--" in text:
        text = _TABLE_RULE.sub("", text)
    for pattern, group in ((_STRONG, r"\2"), (_EMPHASIS, r"\2"), (_STRIKE, r"\1"), (_CODE, r"\1")):
        text = pattern.sub(group, text)
    text = _ESCAPE.sub(r"\1", text)
    if "&" in text:
        text = html.unescape(text)
    return "\n".join(line for line in (_SPACES.sub(" ", raw).strip() for raw in text.split("\n")) if line)


def _template_arguments(match: re.Match[str]) -> str:
    """What a template tag says to a reader: its quoted arguments, as in `{% slack_channel "people-ops" %}`."""
    inside = match.group(1) or match.group(2) or ""
    if inside.startswith(("page ", "asset", "include", "link ", "ref ", "relref ")):
        return " "
    return " ".join(double or single for double, single in _QUOTED.findall(inside))
