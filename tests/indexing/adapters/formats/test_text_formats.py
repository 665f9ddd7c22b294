"""Markdown, plain text, HTML, reStructuredText and CSV through the subprocess, as real files come."""

from collections.abc import Callable

import pytest

from indexing.parsing import ParsedDocument
from indexing.sources import Skipped

Parse = Callable[[str, bytes], ParsedDocument | Skipped]


def parsed(result: ParsedDocument | Skipped) -> ParsedDocument:
    assert isinstance(result, ParsedDocument), result
    return result


def reason(result: ParsedDocument | Skipped) -> str:
    assert isinstance(result, Skipped), result
    return result.reason


class TestMarkdown:
    def test_text_after_front_matter_is_left_exactly_as_it_is(self, parse_file: Parse) -> None:
        body = '\r\n# One  \r\n\r\n{% page "x" %} {{< ref >}}\r\n\ttab\u00a0\u2028end'
        result = parsed(parse_file("a.md", ("---\r\ntitle: T\r\n---\r\n" + body).encode()))
        assert result == ParsedDocument(body, "T", 4, None, "")

    def test_without_front_matter_the_first_line_is_one_and_the_title_the_first_h1(self, parse_file: Parse) -> None:
        text = "## Two\n\n```\n# code\n```\n\n# The *real* [title](x) {#id}\n"
        assert parsed(parse_file("a.markdown", text.encode())) == ParsedDocument(text, "The real title", 1, None, "")

    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("Title\n===\ntext", "Title"),
            ("text", None),
            ("#hash\n\n####### no", None),
            ("    # code", None),
            ("~~~\n# a\n~~~~\n# b #\n", "b"),
        ],
    )
    def test_title_from_headings(self, parse_file: Parse, text: str, title: str | None) -> None:
        assert parsed(parse_file("a.mdx", text.encode())).title == title

    def test_keywords_are_joined_and_labels_read(self, parse_file: Parse) -> None:
        text = (
            "---\nkeywords: leave, parental\naliases: [PPL, maternity]\ntags:\n  - hr\ndescription: All about it\n"
            "labels: [hr, 'team:pay']\n---\nx"
        )
        result = parsed(parse_file("a.md", text.encode()))
        assert result.keywords == "leave, parental, PPL, maternity, hr, All about it"
        assert result.labels == ("hr", "team:pay")
        assert result.first_line == 9

    @pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
    def test_labels_hold_whatever_ends_the_lines(self, parse_file: Parse, line_end: str) -> None:
        text = "---\nlabels: hr\ntitle: T\n---\nbody\n".replace("\n", line_end)
        assert parsed(parse_file("a.md", text.encode())) == ParsedDocument(f"body{line_end}", "T", 5, ("hr",), "")

    def test_toml_front_matter(self, parse_file: Parse) -> None:
        result = parsed(parse_file("a.md", b'+++\ntitle = "T"\nlabels = "hr"\ntags = ["a", "b"]\n[params]\nx = 1\n+++\nbody'))
        assert result == ParsedDocument("body", "T", 8, ("hr",), "a, b")

    @pytest.mark.parametrize(
        "front_matter",
        [
            "---\nlabels:\n---\n",
            "---\nlabels: []\n---\n",
            "---\nlabels: [hr, 'no spaces please']\n---\n",
            "---\nlabels: {hr: yes}\n---\n",
            "---\nlabels: [[hr]]\n---\n",
            "---\nlabels: hr\nlabels: everyone\n---\n",
            "---\nLabels: [hr\n---\n",
            "---\nlabels: hr\n\ttitle: tab\n---\n",
            "---\nlabels: hr\n",
            "---\nlabels: hr\nx: " + "y" * 70_000 + "\n---\n",
            "---\nbase: &b {labels: hr}\n<<: *b\n---\n",
            "---\nlabels: hr\nx: " + "[" * 5_000 + "\n---\n",
            "---\rtitle: T\rlabels: [hr\r---\r",
            "+++\rtitle = 'T'\rlabels = 'hr'\r+++\r",
            "+++\nlabels = 5\n+++\n",
            "+++\nlabels = ['hr'\n+++\n",
            "+++\nlabels = 'hr'\nLabels = 'everyone'\n+++\n",
            "\n---\nlabels: hr\n---\n",
            "  ---\nlabels: hr\n---\n",
            "  ---\n  labels: hr\n  ---\n",
            "----\nlabels: hr\n----\n",
            "--- # for us\r\nlabels: hr\r\n---\r\n",
            "\n\n+++\nlabels = 'hr'\n+++\n",
        ],
    )
    def test_labels_that_are_not_certain_skip_the_page(self, parse_file: Parse, front_matter: str) -> None:
        words = reason(parse_file("a.md", (front_matter + "Secret text.").encode()))
        assert "label" in words
        assert "Secret" not in words

    @pytest.mark.parametrize("block", ["title: a: b", "Just a paragraph.", "- a\n- b", "x: " + "[" * 30_000])
    def test_a_block_that_is_no_front_matter_is_text(self, parse_file: Parse, block: str) -> None:
        text = f"---\n{block}\n---\nbody"
        assert parsed(parse_file("a.md", text.encode())) == ParsedDocument(text, None, 1, None, "")

    @pytest.mark.parametrize("text", ["\n---\nlabels: hr\n", "\n---\nA rule, and labels of boxes\n\n---\n", "---|---\na|b\n"])
    def test_rules_and_tables_at_the_top_are_text(self, parse_file: Parse, text: str) -> None:
        result = parsed(parse_file("a.md", text.encode()))
        assert (result.labels, result.markdown) == (None, text)

    @pytest.mark.parametrize(
        ("name", "text"), [("a.md", "---\nlabel: hr\n---\nbody\n"), ("a.txt", "---\nlabels: hr\n---\nbody\n")]
    )
    def test_what_names_no_labels_leaves_them_to_the_folder(self, parse_file: Parse, name: str, text: str) -> None:
        assert parsed(parse_file(name, text.encode())).labels is None

    def test_aliases_neither_grow_nor_hide_labels(self, parse_file: Parse) -> None:
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{n}: &{n} [{','.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True)
        )
        assert parsed(parse_file("a.md", f"---\n{bomb}tags: *i\n---\nbody".encode())).markdown == "body"
        assert parsed(parse_file("a.md", b"---\nteam: &t hr\nlabels: [*t]\n---\nbody")).labels == ("hr",)

    def test_yaml_runs_nothing(self, parse_file: Parse) -> None:
        text = b"---\ntitle: !!python/object/apply:os.getcwd []\ntags: !!python/name:os.system x\n---\nbody"
        result = parsed(parse_file("a.md", text))
        assert (result.title, result.keywords) == (None, "x")


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
    def test_common_encodings(self, parse_file: Parse, encoding: str) -> None:
        assert parsed(parse_file("a.md", "Café “naïve” …".encode(encoding))).markdown == "Café “naïve” …"

    @pytest.mark.parametrize("content", [b"\x7fELF\x02\x00\x00abc", bytes(range(1, 32)) * 9, "text".encode("utf-16-le")])
    @pytest.mark.parametrize("name", ["a.md", "a.txt", "a.csv", "a.html", "a.rst"])
    def test_binary_with_a_text_name(self, parse_file: Parse, name: str, content: bytes) -> None:
        assert reason(parse_file(name, content)).startswith("binary")

    @pytest.mark.parametrize("content", [b"", b" \n\t\n", b"\xef\xbb\xbf \n", "\u00a0\u2003".encode()])
    def test_empty(self, parse_file: Parse, content: bytes) -> None:
        assert reason(parse_file("a.md", content)).startswith("empty")

    def test_front_matter_alone_is_a_page_without_text(self, parse_file: Parse) -> None:
        stub = parsed(parse_file("a.md", b"---\ntitle: T\n---\n\n"))
        assert (stub.title, stub.markdown.strip()) == ("T", "")

    def test_another_encoding_is_named(self, parse_file: Parse) -> None:
        assert "encoding" in reason(parse_file("a.txt", "Привет, мир, это обычный текст".encode("koi8-r")))

    def test_html_may_declare_its_own(self, parse_file: Parse) -> None:
        page = '<meta charset="koi8-r"><p>Привет, мир, это обычный текст'
        assert "обычный" in parsed(parse_file("a.html", page.encode("koi8-r"))).markdown


class TestPlain:
    def test_every_line_stays_on_its_line_and_none_becomes_a_mark(self, parse_file: Parse) -> None:
        text = "Notes\n=====\n\n# not a heading\nx <div> y\nlong\nparagraph\n-----\n\n        far\n```\n[1]: http://e.org\n\x1b[31mred\x1b[0m\n"
        result = parsed(parse_file("a.log", text.encode()))
        assert result.first_line == 1
        assert result.markdown.split("\n") == [
            "Notes", "=====", "", "\\# not a heading", "x &lt;div> y", "long", "paragraph", "", "", "   far", "\\```",
            "\\[1]: http://e.org", "red", "",
        ]  # fmt: skip


class TestHtml:
    PAGE = """<!doctype html><html><head><title>Head</title><style>p{}</style></head><body>
      <header>Site <nav><a href="/">Home</a></nav></header>
      <main><h1>Travel <a class="headerlink" href="#t">¶</a></h1>
      <p>Read <a href="https://e.org/a (b)">the rules</a> or <a href="javascript:alert(1)">this</a>, &lt;b&gt; and <b>now</b>.</p>
      <h2>Steps</h2><ol start="2"><li>Book<ul><li>flight</li></ul></li><li>Go</li></ol>
      <table><tr><th>City</th><th>Rate</th></tr><tr><td>A|B</td><td>10<br>20</td></tr></table>
      <pre><code class="language-python">if x &lt; 1:
    go("```")</code></pre>
      <p hidden>one secret</p><p style="display: none">two secrets</p><script>three()</script></main>
      <footer>Imprint</footer></body></html>"""

    def test_main_content_survives(self, parse_file: Parse) -> None:
        result = parsed(parse_file("a.html", self.PAGE.encode()))
        assert (result.title, result.first_line, result.labels) == ("Travel", None, None)
        for piece in (
            "# Travel\n",
            "[the rules](https://e.org/a%20%28b%29) or this, &lt;b> and **now**.",
            "## Steps\n\n2. Book\n   - flight\n3. Go\n",
            "| City | Rate |\n| --- | --- |\n| A\\|B | 10 20 |\n",
            '````python\nif x < 1:\n    go("```")\n````',
        ):
            assert piece in result.markdown

    @pytest.mark.parametrize("gone", ["secret", "three", "Imprint", "Home", "Site", "javascript", "¶", "p{}"])
    def test_what_a_reader_does_not_see_is_gone(self, parse_file: Parse, gone: str) -> None:
        assert gone not in parsed(parse_file("a.html", self.PAGE.encode())).markdown

    def test_without_main_header_and_footer_go_but_the_heading_stays(self, parse_file: Parse) -> None:
        page = b"<title>T</title><header><h1>Heading</h1><p>menu</p></header><p>Text.</p><footer>foot</footer>"
        assert parsed(parse_file("a.htm", page)).markdown == "# Heading\n\nText.\n"

    def test_title_falls_back_to_the_head(self, parse_file: Parse) -> None:
        assert parsed(parse_file("a.html", b"<title> Head\n title</title><p>Text.</p>")).title == "Head title"

    def test_front_matter_counts_in_html_too(self, parse_file: Parse) -> None:
        result = parsed(parse_file("a.html", b"---\ntitle: T\nlabels: hr\n---\n<p>Text.</p>"))
        assert (result.title, result.labels, result.markdown) == ("T", ("hr",), "Text.\n")

    def test_nesting_without_end_is_skipped(self, parse_file: Parse) -> None:
        assert "nested" in reason(parse_file("a.html", b"<div>" * 50_000 + b"x"))


class TestRst:
    def test_structure_survives(self, parse_file: Parse) -> None:
        text = (
            "Leave\n=====\n\nSee `rules <https://e.org>`_ and ``code``.\n\nKinds\n-----\n\n- a\n- b\n\n"
            "== ==\nA  B\n== ==\n1  2\n== ==\n\n.. code-block:: python\n\n   x = 1\n\n"
            ".. versionadded:: 2.0\n   :stable:\n\n   New words.\n\n.. toctree::\n\n   other\n"
        )
        result = parsed(parse_file("a.rst", text.encode()))
        assert (result.title, result.first_line) == ("Leave", None)
        assert result.markdown == (
            "# Leave\n\nSee [rules](https://e.org) and `code`.\n\n## Kinds\n\n- a\n- b\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n\n"
            "```python\nx = 1\n```\n\n2.0\n\nNew words.\n"
        )

    @pytest.mark.parametrize(
        "directive",
        [
            ".. include:: {path}",
            ".. literalinclude:: {path}",
            ".. csv-table:: t\n   :file: {path}",
            ".. raw:: html\n   :file: {path}",
            ".. csv-table:: t\n   :url: file://{path}",
            ".. raw:: html\n\n   <b>canary</b>",
        ],
    )
    def test_nothing_else_is_read_and_no_html_passes(
        self, parse_file: Parse, tmp_path_factory: pytest.TempPathFactory, directive: str
    ) -> None:
        secret = tmp_path_factory.mktemp("secret") / "secret.txt"
        secret.write_text("canary,canary\n")
        result = parsed(parse_file("a.rst", f"Before.\n\n{directive.format(path=secret)}\n\nAfter.\n".encode()))
        assert "canary" not in result.markdown
        assert "Before." in result.markdown
        assert "After." in result.markdown


class TestDelimited:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_delimiters_are_found(self, parse_file: Parse, delimiter: str) -> None:
        text = f'City{delimiter}Rate{delimiter}\nA{delimiter}"1,5 ""x""\nnext"{delimiter}\n\nB{delimiter}<i>{delimiter}\n'
        result = parsed(parse_file("a.csv", text.encode("utf-8-sig")))
        assert result == ParsedDocument(
            '| City | Rate |\n| --- | --- |\n| A | 1,5 "x" next |\n| B | &lt;i> |\n', None, None, None, ""
        )

    def test_bars_are_escaped_and_short_rows_filled(self, parse_file: Parse) -> None:
        assert parsed(parse_file("a.tsv", b"a\tb\nx|y\nz\tw\n")).markdown == "| a | b |\n| --- | --- |\n| x\\|y |  |\n| z | w |\n"

    def test_what_a_cap_leaves_out_is_said(self, parse_file: Parse) -> None:
        result = parsed(parse_file("a.csv", b"n\n" + b"".join(b"%d\n" % n for n in range(20_100))))
        assert result.markdown.endswith("| 19998 |\n\n101 more rows of this table are left out.\n")

    def test_an_unclosed_quote_is_named(self, parse_file: Parse) -> None:
        assert "quote" in reason(parse_file("a.csv", b'a,b\n"' + b"x,y\n" * 50_000))
