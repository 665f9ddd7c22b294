"""reStructuredText, by docutils, with everything off that reads other files, fetches addresses or passes raw HTML through."""

import re
from itertools import takewhile
from typing import Any, ClassVar, Final

from bs4 import BeautifulSoup
from docutils import nodes
from docutils.core import publish_parts
from docutils.parsers.rst import Directive, directives
from docutils.parsers.rst.languages import en
from docutils.utils import SystemMessage

from indexing.adapters.formats.html import converted, soup_to_markdown
from indexing.adapters.formats.markdown import first_h1
from indexing.adapters.formats.text import decode_text
from indexing.errors import ParsingError
from indexing.parsing import ParsedDocument

_DIRECTIVE: Final = re.compile(r"^[ \t]*\.\.[ \t]+(?:\|[^|\n]+\|[ \t]+)?([A-Za-z][\w.:+-]*?)[ \t]?::", re.MULTILINE)
_OPTION: Final = re.compile(r":[\w-]+:(?:\s|$)")
_LISTS_OF_FILES: Final = frozenset({"toctree", "autosummary"})
_NO_LANGUAGE: Final = frozenset({"code", "literal-block", None})
_SETTINGS: Final = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "traceback": False,
    "doctitle_xform": True,
    "syntax_highlight": "none",
    "math_output": "LaTeX",
    "embed_stylesheet": False,
    "stylesheet_path": "",
    "smart_quotes": False,
}


def parse(content: bytes) -> ParsedDocument:
    """Read a reStructuredText page. Directives that only a documentation builder knows keep their text."""
    text = decode_text(content)
    for name in set(_DIRECTIVE.findall(text)):
        if name.lower() not in en.directives:
            directives.register_directive(name, _TextOfDirective)
    try:
        parts = publish_parts(text, writer="html5", settings_overrides=_SETTINGS)
    except SystemMessage as exc:
        raise ParsingError("it is not well-formed reStructuredText") from exc
    soup = BeautifulSoup(parts["html_body"], "lxml")
    for literal in soup.select("span.literal"):
        literal.name = "code"
    for block in soup.select("pre.code"):
        block["class"] = " ".join(f"language-{name}" for name in block.get_attribute_list("class") if name not in _NO_LANGUAGE)
    markdown = soup_to_markdown(soup)
    return converted(markdown, first_h1(markdown))


class _TextOfDirective(Directive):
    """A directive that docutils does not know, such as `versionadded`: its text is kept as if it stood alone."""

    has_content: ClassVar[bool] = True
    optional_arguments: ClassVar[int] = 1
    final_argument_whitespace: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """Parse the text of the directive in place."""
        if self.name in _LISTS_OF_FILES:
            return []
        options = len(list(takewhile(_OPTION.match, self.content)))
        container: Any = nodes.container()
        self.state.nested_parse(self.content[options:], self.content_offset + options, container)
        words = " ".join(line for argument in self.arguments for line in argument.split("\n") if not _OPTION.match(line))
        return [*([nodes.paragraph("", words)] if words else []), *container.children]
