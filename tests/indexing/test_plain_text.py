import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.plain_text import inseparable_spans, plain_text


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ('See [the guide](https://example.org/a(b)c "Title").', "See the guide."),
        ("[a [nested] text](x)", "a [nested] text"),
        ("[![badge](b.svg)](link)", "badge"),
        ("![](decoration.png) text", "text"),
        ("![A chart]({{ '/a.png' | url }})", "A chart"),
        ('[set up]({% page "/first" %})', "set up"),
        ('[go]({{ site.baseurl }}/x){:target="_blank"} on', "go on"),
        ("[text][ref] and [text][]", "text and text"),
        (r"\[not a link\](x) but \[this](y)", "[not a link](x) but this"),
        ("<https://example.org/x> <mailto:a@b.c>", "https://example.org/x mailto:a@b.c"),
        ("**bold** __bold__ *it* _it_ ***both*** ~~gone~~", "bold bold it it both gone"),
        ("**bold with _it_ and `code`**", "bold with it and code"),
        ("2 * 3 * 4 and snake_case_name and field__name__in", "2 * 3 * 4 and snake_case_name and field__name__in"),
        ("**open and *open", "**open and *open"),
        (r"\*stars\* 1\. \<div> a\_b", "*stars* 1. <div> a_b"),
        ("a <b>c</b> <br> d<!-- hidden. Words --> e", "a c d e"),
        ("if x <y\n\nthen > z", "if x <y\nthen > z"),
        ("&lt;b&gt; &amp; &copy;", "<b> & ©"),
        ("{% slack_channel \"people-ops\" %} {% include 'x.html' %} {{< relref \"y.md\" >}}", "people-ops"),
        ('{{% alert "Careful" %}}Text{{% /alert %}}', "CarefulText"),
        ("- item\n* [ ] task\n+ [x] done\n1. first\n> quoted\n## Head", "item\ntask\ndone\n1. first\nquoted\nHead"),
        ("| a | b |\n|---|:-:|\n| 1 | - |", "| a | b |\n| 1 | - |"),
        ("x\r\n- y\rz", "x\ny\nz"),
        ("", ""),
        ("   \n\n\t", ""),
    ],
)  # fmt: skip
def test_marks_go_and_words_stay(markdown: str, expected: str) -> None:
    assert plain_text(markdown) == expected


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("run `git clone <url>` now", "run git clone <url> now"),
        ("`*.md` or `*.html`", "*.md or *.html"),
        ("`{{ name }}` and `{% raw %}` and `[a](b)`", "{{ name }} and {% raw %} and [a](b)"),
        ("`` a`b ``", "a`b"),
        ('```html\n<div class="x">\n\n  **y**\n```\nafter *that*', 'html\n<div class="x">\n**y**\nafter that'),
        ("`&lt;` `\\*`", "&lt; \\*"),
        ("a `b\n\n*c* ` d", "a `b\nc ` d"),
        (r"\`*not code*\`", "`not code`"),
        ("\ue0000\ue001 `x` \ue0007\ue001", "0\ue001 x 7\ue001"),
    ],
)  # fmt: skip
def test_code_is_left_as_it_is(markdown: str, expected: str) -> None:
    assert plain_text(markdown) == expected


_PLAIN = st.integers(0, 999).map(lambda n: f"w{n}")


def _marked(inner: st.SearchStrategy[str], *, links: bool = True) -> st.SearchStrategy[str]:
    text = st.lists(inner, min_size=1, max_size=3).map(" ".join)
    linked = (text.map("[{}](https://example.org/hidden)".format), text.map("![{}](hidden.png)".format)) if links else ()
    return st.one_of(
        *linked,
        text.map("**{}**".format),
        text.map("~~{}~~".format),
        text.map("<em class='hidden'>{}</em>".format),
        text.map("({})".format),
        text.map("{} <!-- hidden -->".format),
        text.map("{{%% include hidden %%}} {}".format),
        _PLAIN.map("`{}`".format),
        _PLAIN.map("*{}*".format),
        _PLAIN.map("_{}_".format),
    )


@given(
    st.lists(st.one_of(_PLAIN, _marked(_PLAIN), _marked(_marked(_PLAIN, links=False))), max_size=12),
    st.sampled_from([" ", "\n", "\n- ", "\n> "]),
)
@settings(max_examples=400, deadline=None)
def test_no_word_is_lost_or_moved_and_no_target_shows(pieces: list[str], gap: str) -> None:
    markdown = gap.join(pieces)
    shown = plain_text(markdown)
    assert re.findall(r"w\d+", shown) == re.findall(r"w\d+", markdown)
    assert "hidden" not in shown


@given(st.text(st.sampled_from("ab `*_[]()<>!{}%#|-~\\\n\r&;\"'/:.1\ue000\ue001"), max_size=80))
@settings(max_examples=1000, deadline=None)
def test_any_text_gives_trimmed_lines_and_spans_in_order(text: str) -> None:
    shown = plain_text(text)
    assert all(line and line == line.strip(" \t\n") for line in shown.split("\n")) or not shown
    spans = inseparable_spans(text)
    assert all(start < end <= len(text) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@given(st.text(st.sampled_from("abc 12\n.,;:!?'\"-"), max_size=60).map(lambda text: re.sub(r"(?m)^[ \t]*[-+*][ \t]", "", text)))
def test_text_without_marks_keeps_its_characters(text: str) -> None:
    assert plain_text(text).split() == re.sub(r"(?m)^[ \t]*-[ \t]+", "", text).split()


def test_what_must_not_be_torn() -> None:
    text = "a `b c` <!-- d --> {% e %} {{ f }} [g h](i j) <k l> ![m](n) `[o](p)`"
    assert [text[start:end] for start, end in inseparable_spans(text)] == [
        "`b c`", "<!-- d -->", "{% e %}", "{{ f }}", "[g h](i j)", "<k l>", "[m](n)", "`[o](p)`",
    ]  # fmt: skip


_HOSTILE = (
    "[", "*", "<", "{%", "|", " ", "![", "[a](", "{{", "<!--", "**a ", "*a ", "_a ", "__a ", "~~a ", "`", "`a ``b ", "\\", "<a ",
    "</a", "<http://a", "[a](b){:", "[a][", "(", "]", "&", "#", "> ", "- ", "-", "\n", "\r\n", "\t", "{%%}", "[a](x{%%}", "[[a]",
    "[a [b] ", "![x[y] ", "{%  ", "{{ % ", "<a\n", "|-", "`\n\n",
)  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", _HOSTILE)
@pytest.mark.parametrize("start", ["", "[a](", "{% ", "<a "])
def test_hostile_text_takes_no_longer_than_its_length(piece: str, start: str) -> None:
    text = start + piece * (100_000 // len(piece)) + "end"
    assert plain_text(text).endswith("end")
    inseparable_spans(text)
