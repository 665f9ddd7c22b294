"""Front matter: the block of YAML (`---`) or TOML (`+++`) at the top of a page, read without trusting it.

What cannot be read for certain is refused where it may say who can read the page.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import yaml

from indexing.documents import AccessLabel, parse_labels
from indexing.errors import LabelError, ParsingError

_MAX_CHARACTERS: Final = 65_536
_MAX_DEPTH: Final = 50
_OPENING: Final = re.compile(r"(---|\+\+\+)[ \t]*(?:\r\n?|\n)")
_NEARLY_OPENING: Final = re.compile(r"\s*(---|\+\+\+)[^\r\n]*(?:\r\n?|\n)")
_CLOSING: Final = {
    "---": re.compile(r"(?<=[\r\n])(?:---|\.\.\.)[ \t]*(?:\r\n?|\n|\Z)"),
    "+++": re.compile(r"(?<=[\r\n])\+\+\+[ \t]*(?:\r\n?|\n|\Z)"),
}
_NEARLY_CLOSING: Final = re.compile(r"[\r\n][ \t]*(?:-{3,}|\+{3,}|\.{3})[ \t]*(?:[\r\n]|\Z)")
_NAMES_LABELS: Final = re.compile(r"(?:^|\r)\s*[\"']?labels[\"']?\s*[:=]", re.MULTILINE | re.IGNORECASE)
_KEYWORD_FIELDS: Final = ("keywords", "aliases", "tags", "description")

_Loader: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_Fields: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a page says about itself. `labels` is `None` when it names none."""

    title: str | None = None
    labels: tuple[AccessLabel, ...] | None = None
    keywords: str = ""


def split_front_matter(text: str) -> tuple[FrontMatter, int]:
    """Read the front matter of a page.

    Returns:
        What it says, and the offset in `text` where the page itself begins (0 without front matter).

    Raises:
        ParsingError: It names labels and cannot be read, or its labels are malformed. The page must not be shown to anybody.
    """
    opening = _OPENING.match(text)
    if opening is None:
        _refuse_labels_below_the_top(text)
        return FrontMatter(), 0
    closing = _CLOSING[opening[1]].search(text, opening.end())
    if closing is None or closing.start() - opening.end() > _MAX_CHARACTERS:
        _refuse_labels(text[opening.end() : opening.end() + _MAX_CHARACTERS], "does not end, or is longer than 64 KiB")
        return FrontMatter(), 0
    block = text[opening.end() : closing.start()]
    try:
        fields = _read_yaml(block) if opening[1] == "---" else _read_toml(block)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, ValueError, RecursionError) as exc:
        mark = getattr(exc, "problem_mark", None)
        place = f" (line {mark.line + 2})" if mark else ""
        _refuse_labels(block, f"is not valid {'YAML' if opening[1] == '---' else 'TOML'}{place}")
        return FrontMatter(), 0
    if fields is None:
        return FrontMatter(), 0
    return _interpret(fields), closing.end()


def _refuse_labels(block: str, what: str) -> None:
    """Let a page with broken front matter pass as text, unless the block says who may read it."""
    if _NAMES_LABELS.search(block):
        raise ParsingError(f"its front matter names labels but {what}; correct it, so that it is certain who may read the page")


def _refuse_labels_below_the_top(text: str) -> None:
    """Front matter after a blank line, indented, or with other marks than three is text, and its labels would not hold."""
    opening = _NEARLY_OPENING.match(text)
    closing = _NEARLY_CLOSING.search(text, opening.end() - 1) if opening else None
    if opening and closing:
        _refuse_labels(text[opening.end() : closing.start()], "does not begin with a line of its own at the top")


def _read_yaml(block: str) -> _Fields | None:
    """The top level of a YAML mapping; `None` when the block is something else, such as text between two rules.

    Only the tree of nodes is built: aliases stay shared nodes and tags stay names, so that neither can grow or run anything.
    """
    depth = 0
    for event in yaml.parse(block, Loader=_Loader):  # iterative, while composing recurses in C, where depth is a crash
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deeply")
    root = yaml.compose(block, Loader=_Loader)
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        return None
    fields: dict[str, object] = {}
    for key_node, value_node in root.value:
        key = str(key_node.value).lower()
        if key == "<<":
            raise ParsingError("its front matter has a merge key (<<), which may hide labels; write the fields out")
        if key == "labels" and key in fields:
            raise ParsingError("its front matter names labels twice; keep one")
        fields[key] = _plain_value(value_node)
    return fields


def _plain_value(node: yaml.Node) -> object:
    """A scalar as a string, a list of scalars as a list of strings, anything else as `None`."""
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return [str(item.value) for item in node.value]
    return None


def _read_toml(block: str) -> _Fields:
    table: dict[str, Any] = tomllib.loads(block)
    fields: dict[str, object] = {}
    for key, value in table.items():
        if key.lower() == "labels" and "labels" in fields:
            raise ParsingError("its front matter names labels twice; keep one")
        fields[key.lower()] = value
    return fields


def _interpret(fields: _Fields) -> FrontMatter:
    title = fields.get("title")
    keywords: dict[str, None] = {}
    for name in _KEYWORD_FIELDS:
        value = fields.get(name)
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and word.strip():
                keywords[" ".join(word.split())] = None
    return FrontMatter(
        title=" ".join(title.split()) or None if isinstance(title, str) else None,
        labels=_labels(fields["labels"]) if "labels" in fields else None,
        keywords=", ".join(keywords),
    )


def _labels(value: object) -> tuple[AccessLabel, ...]:
    if not isinstance(value, str | list):
        raise ParsingError("the labels in its front matter are malformed: write one name, or a list of names")
    names = value if isinstance(value, list) else [value]
    try:
        labels = parse_labels(names)
    except LabelError as exc:
        raise ParsingError(f"the labels in its front matter are malformed: {exc}") from exc
    if not labels:
        raise ParsingError("the labels in its front matter are an empty list; name at least one, or leave the field out")
    return labels
