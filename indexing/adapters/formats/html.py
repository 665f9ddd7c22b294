"""HTML: the main content as Markdown. Word and reStructuredText come through here, too, once they are HTML."""

import re
from typing import Any, Final

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EncodingDetector
from markdownify import MarkdownConverter

from indexing.adapters.formats.front_matter import FrontMatter, split_front_matter
from indexing.adapters.formats.markdown import first_h1
from indexing.adapters.formats.text import EMPTY, decode_text, escape_inline, without_control_characters
from indexing.errors import ParsingError
from indexing.parsing import ParsedDocument

_NOT_CONTENT: Final = (
    "script, style, noscript, template, iframe, object, embed, svg, canvas, audio, video, form, button, input, select, textarea, "
    "nav, aside, dialog, title, [hidden], [aria-hidden=true], [role=navigation], [role=banner], [role=search], [role=contentinfo]"
)
_HIDING: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SAFE_LINK: Final = re.compile(r"(?!\w[\w+.-]*:)|https?:|mailto:|tel:", re.IGNORECASE)
_PERMALINK_TEXTS: Final = frozenset({"¶", "#", "§", "🔗"})
_LANGUAGE: Final = re.compile(r"(?:language|lang|highlight)-([\w+#.-]+)")
_BLANK_LINES: Final = re.compile(r"\n{3,}")
_BLOCK_START: Final = re.compile(r"^(#{1,6}(?=\s|$)|>|={3,}$|-{3,}$)")


def parse(content: bytes) -> ParsedDocument:
    """Read an HTML page: its main content, the title of its first H1 or of its head."""
    text = _decode(content)
    front_matter, start = split_front_matter(text)
    soup = BeautifulSoup(text[start:], "lxml")
    head_title = soup.title.get_text() if soup.title else ""
    markdown = soup_to_markdown(_main_content(soup))
    first_heading = soup.find("h1")
    title = front_matter.title or first_h1(markdown) or _words(first_heading) or " ".join(head_title.split()) or None
    return converted(markdown, title, front_matter)


def converted(markdown: str, title: str | None, front_matter: FrontMatter | None = None) -> ParsedDocument:
    """A document that another format was converted to.

    Raises:
        ParsingError: Nothing is in it.
    """
    if not markdown.strip():
        raise ParsingError(EMPTY)
    front_matter = front_matter or FrontMatter()
    return ParsedDocument(markdown, title, first_line=None, labels=front_matter.labels, keywords=front_matter.keywords)


def html_to_markdown(html: str) -> str:
    """HTML of our own converters as Markdown."""
    return soup_to_markdown(BeautifulSoup(html, "lxml"))


def soup_to_markdown(soup: Tag) -> str:
    """A tree of HTML as Markdown: headings, lists, tables, code and links; what is not shown to a reader is left out."""
    for element in soup.select(_NOT_CONTENT):
        element.decompose()
    for element in soup.find_all(style=_HIDING):
        element.decompose()
    for link in soup.select("h1 a, h2 a, h3 a, h4 a, h5 a, h6 a"):
        if link.get_text(strip=True) in _PERMALINK_TEXTS:
            link.decompose()
    markdown = _Converter(
        heading_style="atx", bullets="-", table_infer_header=True, escape_asterisks=False, escape_underscores=False
    ).convert_soup(soup)
    return _BLANK_LINES.sub("\n\n", without_control_characters(markdown)).strip("\n") + "\n"


def _decode(content: bytes) -> str:
    """Decode a page as any text, but before Windows-1252 is guessed, believe what it declares."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        declared = EncodingDetector.find_declared_encoding(content, is_html=True)
        if declared is None:
            return decode_text(content)
        try:
            return decode_text(content.decode(declared).encode())
        except (LookupError, UnicodeError) as exc:
            raise ParsingError("it is not in the encoding that it declares; save it as UTF-8") from exc
    return decode_text(content)


def _main_content(soup: BeautifulSoup) -> Tag:
    """The part that holds the page's own text: `main`, the only `article`, or the body without its header and footer."""
    mains = soup.select("main, [role=main]")
    articles = soup.select("article")
    for candidates in (mains[:1], articles if len(articles) == 1 else []):
        if candidates and candidates[0].get_text(strip=True):
            return candidates[0]
    for element in soup.select("header, footer"):
        if not element.find_parent(["article", "section"]):
            heading = element.find("h1")
            if heading:
                element.insert_before(heading.extract())
            element.decompose()
    return soup


def _words(element: Any) -> str:
    return " ".join(element.get_text().split()) if isinstance(element, Tag) and not element.decomposed else ""


class _Converter(MarkdownConverter):
    """Markdown that shows just the words of the page: no raw HTML, no images, no links that run something."""

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Keep text from becoming HTML, or from splitting the table cell that it stands in."""
        escaped = escape_inline(text)
        return escaped.replace("|", "\\|") if parent_tags & {"td", "th"} else escaped

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A link to a place that can be gone to; of any other the text."""
        href = str(el.get("href") or "").strip()
        if not href or not _SAFE_LINK.match(href) or href.startswith("#"):
            return text
        el["href"] = href.replace(" ", "%20").replace("(", "%28").replace(")", "%29").replace("<", "%3C").replace(">", "%3E")
        el.attrs.pop("title", None)
        return str(super().convert_a(el, text, parent_tags))  # type: ignore[misc] # made at run time

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002 - the hook's signature
        """The description of an image stands for it."""
        return escape_inline(str(el.get("alt") or ""))

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """A paragraph stays one, though it may begin with a mark of Markdown."""
        return str(super().convert_p(el, _BLOCK_START.sub(r"\\\1", text.strip(" \t\r\n")), parent_tags))  # type: ignore[misc] # the same

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002 - the hook's signature
        """A code block, fenced by more backticks than it holds."""
        code = text.strip("\n")
        if not code.strip():
            return ""
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", code)), default=0))
        classes = " ".join(
            str(name) for tag in (el, *el.find_all("code", limit=1)) for name in tag.get_attribute_list("class") if name
        )
        language = _LANGUAGE.search(classes)
        return f"\n\n{fence}{language[1] if language else ''}\n{code}\n{fence}\n\n"

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002 - the hook's signature
        """The term of a definition list as a bold line."""
        return f"\n\n**{' '.join(text.split())}**\n\n" if text.strip() else ""

    def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:  # noqa: ARG002 - the hook's signature
        """The definition as a paragraph."""
        return f"\n\n{text.strip()}\n\n"
