"""Word documents, by mammoth: HTML first, then Markdown."""

import io
from typing import Any, Final

import mammoth

from indexing.adapters.formats.html import converted, html_to_markdown
from indexing.adapters.formats.markdown import first_h1
from indexing.adapters.formats.package import check_package, core_title
from indexing.parsing import ParsedDocument

_STYLES: Final = "p[style-name='Title'] => h1:fresh\np[style-name='Subtitle'] => p:fresh"


def parse(content: bytes) -> ParsedDocument:
    """Read a Word document: headings, lists, tables, links, footnotes; no images, no comments, no deleted text."""
    check_package(content)
    result = mammoth.convert_to_html(
        io.BytesIO(content),
        style_map=_STYLES,
        include_embedded_style_map=False,
        external_file_access=False,
        convert_image=mammoth.images.img_element(_no_image),
    )
    markdown = html_to_markdown(result.value)
    return converted(markdown, first_h1(markdown) or core_title(content))


def _no_image(_image: Any) -> dict[str, str]:
    return {}
