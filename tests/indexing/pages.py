"""Markdown pages made of words that can be told apart, so that a test can say where each of them went."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from indexing.documents import EVERYONE, Document, document_id

WORD = re.compile(r"\b[wh]\d+x\b")


@dataclass(slots=True)
class Page:
    """A generated page: `w1x` are words of the text, `h1x` of headings. `hidden` words are not for readers."""

    parts: list[str] = field(default_factory=list)
    next_word: int = 0

    def word(self, letter: str = "w") -> str:
        self.next_word += 1
        return f"{letter}{self.next_word}x"

    @property
    def text_words(self) -> list[str]:
        return [word for word in WORD.findall("\n".join(self.parts)) if word[0] == "w"]


def document(
    markdown: str,
    *,
    title: str | None = None,
    first_line: int | None = 1,
    path: str = "secret-folder/per-diem.md",
    labels: tuple[str, ...] = (EVERYONE,),
    tenant: str = "acme",
) -> Document:
    return Document(
        id=document_id(tenant, "docs", path),
        tenant=tenant,
        source="docs",
        path=path,
        uri=f"docs/{path}",
        title=title,
        markdown=markdown,
        first_line=first_line,
        labels=labels,
        content_hash="0",
    )


@st.composite
def pages(draw: st.DrawFn, max_blocks: int = 12) -> Page:
    """A page of up to `max_blocks` blocks of every kind."""
    page = Page()
    kinds = draw(st.lists(st.sampled_from(sorted(_BLOCKS)), max_size=max_blocks))
    for kind in kinds:
        page.parts.append(_BLOCKS[kind](page, draw))
    return page


def _sentence(page: Page, draw: st.DrawFn) -> str:
    count = draw(st.integers(1, 9))
    gap = draw(st.sampled_from([" "] * 12 + ["\n", "\u2028", "\x0c", "\x85", "\u00a0", "  \n", " e.g. ", " U.S. "]))
    words = [_dressed(page.word(), draw) for _ in range(count)]
    return "Say " + gap.join(words) + draw(st.sampled_from([".", ".", ".", "!", "?", '."', ".)", "…"]))


def _dressed(word: str, draw: st.DrawFn) -> str:
    dress = draw(st.sampled_from(["{}"] * 8 + ["**{}**", "*{}*", "_{}_", "`{}`", "[{}](a/b.md)", "~~{}~~", "({})", "<b>{}</b>"]))
    return dress.format(word)


def _paragraph(page: Page, draw: st.DrawFn) -> str:
    return " ".join(_sentence(page, draw) for _ in range(draw(st.integers(1, 4)))).replace("\n\n", "\n")


def _long_paragraph(page: Page, draw: st.DrawFn) -> str:
    gap = draw(st.sampled_from([" ", "\n"]))
    return gap.join(page.word() for _ in range(draw(st.integers(150, 500))))


def _heading(page: Page, draw: st.DrawFn) -> str:
    return "#" * draw(st.integers(1, 4)) + " " + page.word("h")


def _setext(page: Page, draw: st.DrawFn) -> str:
    return f"{page.word('h')}\n{draw(st.sampled_from(['===', '---']))}"


def _list(page: Page, draw: st.DrawFn) -> str:
    mark = draw(st.sampled_from(["-", "*", "1."]))
    indent = " " * (len(mark) + 1)
    lines, depth = [], 0
    for _ in range(draw(st.integers(1, 8))):
        depth = min(depth + 1, draw(st.integers(0, 3))) if lines else 0
        text = " ".join(_dressed(page.word(), draw) for _ in range(draw(st.integers(0, 30))))
        lines.append(indent * depth + f"{mark} {text}".rstrip())
        if text and draw(st.booleans()):
            lines += ["", indent * (depth + 1) + f"Then {page.word()}. Only if {page.word()}."]
            lines += [""] * draw(st.integers(0, 1))
    return "\n".join(lines)


def _table(page: Page, draw: st.DrawFn) -> str:
    rows = [f"| {page.word()} | {page.word()} |" for _ in range(draw(st.integers(0, 40)))]
    return "\n".join([f"| {page.word()} | {page.word()} |", "|---|---|", *rows])


def _code(page: Page, draw: st.DrawFn) -> str:
    fence = draw(st.sampled_from(["```", "~~~", "````"]))
    lines = [f"  *{page.word()} = [{page.word()}](x) <b {page.word()}>" for _ in range(draw(st.integers(1, 40)))]
    lines.insert(draw(st.integers(0, len(lines))), "")
    return "\n".join([f"{fence}sh", *lines, fence])


def _indented_code(page: Page, draw: st.DrawFn) -> str:
    lines = "\n".join(f"    {{% {page.word()} %}}" for _ in range(draw(st.integers(1, 5))))
    return f"***\n\n{lines}"  # behind a list, without the rule, it would be a paragraph of the last item


def _quote(page: Page, draw: st.DrawFn) -> str:
    return "\n".join(f"> Say {page.word()}." for _ in range(draw(st.integers(1, 4))))


def _html(page: Page, draw: st.DrawFn) -> str:
    cells = "\n".join(f'  <td class="c">{page.word()}</td>' for _ in range(draw(st.integers(1, 60))))
    return f"<table>\n{cells}\n</table>"


def _fixed(text: str) -> Callable[[Page, st.DrawFn], str]:
    return lambda _page, _draw: text


_BLOCKS: dict[str, Callable[[Page, st.DrawFn], str]] = {
    "paragraph": _paragraph,
    "long paragraph": _long_paragraph,
    "heading": _heading,
    "setext": _setext,
    "list": _list,
    "table": _table,
    "code": _code,
    "indented code": _indented_code,
    "quote": _quote,
    "html": _html,
    "rule": _fixed("***"),
    "tag": _fixed('{% include "foot.html" %}'),
    "comment": _fixed("<!-- nobody. Sees this -->"),
    "definition": _fixed("[place]: https://example.org/somewhere"),
    "image": _fixed("![](picture.png)"),
}
