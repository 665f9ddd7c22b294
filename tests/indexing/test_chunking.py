import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.adapters.formats.markdown import parse
from indexing.adapters.tiktoken_counter import TiktokenCounter
from indexing.chunking import MAX_CHUNK_TOKENS, MAX_UNIT_TOKENS, chunk_document
from indexing.documents import PREFACE, Chunk, UnitKind
from indexing.errors import ParsingError
from indexing.language import ENGLISH
from indexing.plain_text import plain_text
from tests.fakes.tokens import FakeTokenCounter
from tests.indexing.pages import WORD, Page, document, pages

COUNTER = FakeTokenCounter()
LINE_ENDS = ("\n", "\r\n", "\r")


def cut(markdown: str, **fields: object) -> list[Chunk]:
    return chunk_document(document(markdown, **fields), COUNTER, ENGLISH)  # type: ignore[arg-type]


def unit_texts(chunks: list[Chunk]) -> list[str]:
    return [chunk.unit_text(position) for chunk in chunks for position in range(len(chunk.units))]


def lines_of(file: str) -> list[str]:
    """The lines of a file as Markdown and editors count them, with their ends."""
    return [line for line in re.split(r"(?<=\n)|(?<=\r)(?!\n)", file) if line]


def assert_well_formed(chunks: list[Chunk], markdown: str, file: str) -> None:
    lines = lines_of(file)
    at = 0
    assert [chunk.ordinal for chunk in chunks] == list(range(len(chunks)))
    assert len({chunk.id for chunk in chunks}) == len(chunks)
    unit_ids = [chunk.unit_id(position) for chunk in chunks for position in range(len(chunk.units))]
    assert len(set(unit_ids)) == len(unit_ids)
    first_unit = 0
    for chunk in chunks:
        at = markdown.index(chunk.text, at) + len(chunk.text)
        assert chunk.units
        assert chunk.first_unit == first_unit
        first_unit += len(chunk.units)
        assert chunk.units[0].start == 0
        assert chunk.units[-1].end == len(chunk.text)
        assert all(one.end <= other.start for one, other in pairwise(chunk.units))
        assert bool(chunk.preface) == any(unit.lead_in == PREFACE for unit in chunk.units)
        for position, unit in enumerate(chunk.units):
            assert unit.start < unit.end
            assert unit.lead_in is None or PREFACE <= unit.lead_in < position  # so the chain ends
            assert unit.lines is not None
            first, last = unit.lines
            held = "".join(lines[first - 1 : last])
            begin = held.find(chunk.unit_text(position))
            assert 0 <= begin < len(lines[first - 1])
            assert begin + unit.end - unit.start > len(held) - len(lines[last - 1])
        sizes = COUNTER.count_many([plain_text(chunk.unit_text(position)) for position in range(len(chunk.units))])
        assert len(chunk.units) == 1 or sum(sizes) <= MAX_CHUNK_TOKENS


@given(page=pages(), line_end=st.sampled_from(LINE_ENDS), front_lines=st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_every_word_is_in_one_unit_and_every_unit_on_its_lines(page: Page, line_end: str, front_lines: int) -> None:
    markdown = "\n\n".join(page.parts).replace("\n", line_end)
    file = f"front{line_end}" * front_lines + markdown
    chunks = cut(markdown, first_line=front_lines + 1)
    assert_well_formed(chunks, markdown, file)
    found = [word for text in unit_texts(chunks) for word in WORD.findall(text)]
    assert found == page.text_words
    indexed = " ".join(chunk.embedding_text for chunk in chunks)
    assert set(found) <= set(WORD.findall(indexed))
    assert chunks == cut(markdown, first_line=front_lines + 1)
    assert all("secret-folder" not in c.embedding_text and "per-diem" not in c.embedding_text for c in chunks)


@given(page=pages(max_blocks=6), other=pages(max_blocks=4))
@settings(max_examples=60, deadline=None)
def test_an_edited_section_leaves_the_chunks_of_the_others(page: Page, other: Page) -> None:
    kept = "\n\n".join(["# Kept", *page.parts])
    before = {chunk.id: chunk.text for chunk in cut(f"# Edited\n\nOld text.\n\n{kept}") if chunk.heading_path[:1] == ("Kept",)}
    after = {chunk.id: chunk.text for chunk in cut("\n\n".join(["# Edited", *other.parts, kept]))}
    assert before.items() <= after.items()


def test_headings_make_the_path_without_the_title() -> None:
    chunks = cut("# Travel\n\nA b.\n\n## Per *diem*\n\nC d.\n\nSetext\n---\n\nE f.\n\n# Other\n\nG h.\n", title="Travel")
    assert [(chunk.heading_path, chunk.text) for chunk in chunks] == [
        ((), "A b."),
        (("Per diem",), "C d."),
        (("Setext",), "E f."),
        (("Other",), "G h."),
    ]
    assert chunks[1].embedding_text == "Travel > Per diem\nC d."


def test_without_a_title_the_path_is_searched_by_words_only() -> None:
    (chunk,) = cut("Some text.", path="hidden/per-diem.md")
    assert chunk.title == "Per diem"
    assert chunk.embedding_text == "Some text."
    assert chunk.words_text == "Per diem\nSome text."


@pytest.mark.parametrize(
    "markdown", ["", "\n\n", "   ", "# Heading only\n", "***\n", "<!-- nothing -->", "{% tag %}\n", "|\n", "-\n-\n"]
)
def test_a_page_without_words_has_no_chunks(markdown: str) -> None:
    assert cut(markdown) == []


def test_an_empty_item_lends_its_place_to_nothing() -> None:
    (chunk,) = cut("Things:\n\n- one\n-\n\nA paragraph.")
    assert [unit.kind for unit in chunk.units] == [UnitKind.SENTENCE, UnitKind.ITEM, UnitKind.SENTENCE]
    assert [unit.lead_in for unit in chunk.units] == [None, 0, None]


def test_items_lean_on_the_introduction_and_on_the_item_above() -> None:
    (chunk,) = cut("First this. You need:\n\n- one\n  - deeper\n    - deepest\n  - second\n- two\n\n  More of two.\n\nAfter.")
    assert [chunk.unit_text(n) for n in range(9)] == [
        "First this.", "You need:", "- one", "- deeper", "- deepest", "- second", "- two", "More of two.", "After.",
    ]  # fmt: skip
    assert [unit.lead_in for unit in chunk.units] == [None, None, 1, 2, 3, 2, 1, 6, None]


def test_a_list_that_goes_on_in_the_next_chunk_takes_its_introduction_along() -> None:
    items = "\n".join(f"- item {n} {'word ' * 20}end" for n in range(20))
    chunks = cut(f"# List\n\nYou need all of these:\n\n{items}")
    assert len(chunks) > 1
    assert chunks[0].preface == ""
    for chunk in chunks[1:]:
        assert chunk.preface == "You need all of these:"
        assert {unit.lead_in for unit in chunk.units} == {PREFACE}
        assert chunk.embedding_text.startswith("List\nYou need all of these:\nitem")


def test_a_preface_holds_every_introduction_that_lies_before() -> None:
    filling = "word " * 30
    nested = "\n".join(f"  - below {n} {filling}" for n in range(6))
    chunks = cut(f"You need:\n\n- parent\n{nested}\n- sibling {filling}\n- last {filling}")
    mixed = [chunk for chunk in chunks if "below" in chunk.text and "sibling" in chunk.text and chunk.preface]
    assert [chunk.preface for chunk in mixed] == ["You need:\n- parent"]


def test_a_long_item_is_taken_by_sentences_that_lean_on_the_first() -> None:
    sentences = " ".join(f"Sentence {n} has {'many ' * 10}words." for n in range(6))
    (chunk,) = cut(f"Intro:\n\n- {sentences}")
    assert [unit.kind for unit in chunk.units] == [UnitKind.SENTENCE, UnitKind.ITEM, *[UnitKind.SENTENCE] * 5]
    assert [unit.lead_in for unit in chunk.units] == [None, 0, 1, 1, 1, 1, 1]


def test_a_long_table_repeats_nothing_but_leans_on_its_head() -> None:
    rows = "\n".join(f"| name {n} | {n * 10} | {'x ' * 10}|" for n in range(60))
    chunks = cut(f"The limits:\n\n| Who | How much | Why |\n|---|---|---|\n{rows}")
    assert len(chunks) > 1
    assert chunks[0].unit_text(1) == "| Who | How much | Why |\n|---|---|---|"
    assert chunks[0].units[1].lead_in == 0
    assert {unit.lead_in for unit in chunks[0].units[2:]} == {1}
    for chunk in chunks[1:]:
        assert chunk.preface == "| Who | How much | Why |\n|---|---|---|"
        assert {unit.kind for unit in chunk.units} == {UnitKind.TABLE}
    assert all(COUNTER.count(text) <= MAX_UNIT_TOKENS for text in unit_texts(chunks))


def test_a_short_table_and_a_short_code_block_are_one_unit_each() -> None:
    code = "```sh\n# not a heading\n\n- not an item\n```"
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    (chunk,) = cut(f"{code}\n\n{table}")
    assert [(chunk.unit_text(n), unit.kind) for n, unit in enumerate(chunk.units)] == [
        (code, UnitKind.CODE),
        (table, UnitKind.TABLE),
    ]


def test_code_keeps_its_words_whatever_they_look_like() -> None:
    lines = "\n".join(f'<div id="d{n}"> {{% tag{n} %}} [t{n}](target{n}) *a{n}*' for n in range(40))
    chunks = cut(f"# Code\n\n```html\n{lines}\n```\n\nSee [more](elsewhere.md).")
    indexed = " ".join(chunk.embedding_text for chunk in chunks)
    assert all(f"{word}{n}" in indexed for n in range(40) for word in ("d", "tag", "t", "target", "a"))
    assert "elsewhere" not in indexed
    assert cut("    {{ only.a.tag }}\n")[0].units[0].kind is UnitKind.CODE


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_only_line_ends_end_lines(separator: str) -> None:
    chunks = cut(
        f"One{separator}two.\n\nThree.\n\n| a{separator} | b |\n|---|---|\n" + "| 1 | 2 |\n" * 60 + "\nEnd.", first_line=4
    )
    by_text = {chunk.unit_text(n): unit.lines for chunk in chunks for n, unit in enumerate(chunk.units)}
    assert by_text["Three."] == (6, 6)
    assert by_text[f"| a{separator} | b |\n|---|---|"] == (8, 9)
    assert by_text["End."] == (71, 71)


@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_windows_and_old_line_ends_cut_alike(line_end: str) -> None:
    markdown = "# T\n\nOne.  \nTwo, hard break\\\nThree. Four.\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```\n"
    chunks = cut(markdown.replace("\n", line_end))
    plain = cut(markdown)
    assert [text.replace(line_end, "\n") for text in unit_texts(chunks)] == unit_texts(plain)
    assert [unit.lines for chunk in chunks for unit in chunk.units] == [unit.lines for chunk in plain for unit in chunk.units]
    assert [chunk.embedding_text for chunk in chunks] == [chunk.embedding_text for chunk in plain]


def test_a_converted_page_has_no_lines() -> None:
    (chunk,) = cut("One. Two.", first_line=None)
    assert [unit.lines for unit in chunk.units] == [None, None]


def test_equal_sections_have_ids_of_their_own() -> None:
    chunks = cut("# A\n\nSame.\n\n# A\n\nSame.\n\n# B\n\nSame.")
    assert len({chunk.id for chunk in chunks}) == 3
    assert chunks[0].id == cut("# A\n\nSame.")[0].id


def test_labels_and_place_are_the_documents() -> None:
    page = document("Text.", labels=("hr", "legal"))
    (chunk,) = chunk_document(page, COUNTER, ENGLISH)
    assert (chunk.labels, chunk.tenant, chunk.document_id, chunk.uri) == (("hr", "legal"), "acme", page.id, page.uri)
    (elsewhere,) = chunk_document(replace(page, id="other"), COUNTER, ENGLISH)
    assert elsewhere.id != chunk.id
    assert elsewhere.embedding_hash == chunk.embedding_hash


@pytest.mark.parametrize("gap", [" ", "\n"])
def test_a_sentence_without_an_end_is_cut_between_words(gap: str) -> None:
    words = [f"word{n}" for n in range(1000)]
    chunks = cut(gap.join(words))
    assert gap.join(unit_texts(chunks)) == gap.join(words)
    assert max(map(COUNTER.count, unit_texts(chunks))) <= MAX_UNIT_TOKENS


def test_a_long_sentence_is_not_cut_inside_markup() -> None:
    link = "[two words](https://example.org/a b)"
    chunks = cut(" ".join([link, "<a title='x y'>in</a>", "`code with space`"] * 80))
    assert len(unit_texts(chunks)) > 1
    for text in unit_texts(chunks):
        assert text.count("[") == text.count(")")
        assert text.count("`") % 2 == 0
        assert text.count("<a ") == text.count("in</a>")


def test_deep_lists_lose_nothing() -> None:
    markdown = "\n".join("  " * depth + f"- w{depth}x" for depth in range(40))
    assert WORD.findall(" ".join(unit_texts(cut(markdown)))) == [f"w{depth}x" for depth in range(40)]


_HOSTILE = (
    "[", "*", "<", "{%", "|", " x", "![", "[a](", "<!--", "**a ", "`", "`a ``b ", "A. ", "a. ", "> ", "- ", "\n- a", "\n> ",
    "#\n", "\n| a | b", "\n[a]: b", "\n1. a", "<div>\n\n", "```\n", "a\n", "<br>\n", "\n    x", "{% a %} ", "\\", "...a",
)  # fmt: skip


@pytest.mark.timeout(30)
@pytest.mark.parametrize("piece", _HOSTILE)
def test_hostile_pages_are_cut_in_reasonable_time(piece: str) -> None:
    chunks = cut("start " + piece * (100_000 // len(piece)))
    assert chunks[0].text.startswith("start")


@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "piece", ["lorem ipsum dolor ", "Lorem ipsum dolor. ", "lorem ipsum\n", "# H\n\n" + "Lorem.\n\n- a\n\n" * 9]
)
def test_two_megabytes_are_cut_in_reasonable_time(piece: str) -> None:
    markdown = piece * (2_000_000 // len(piece))
    chunks = chunk_document(document(markdown), TiktokenCounter(), ENGLISH)
    assert len(chunks) > 1000
    assert sum(len(chunk.text) for chunk in chunks) > 0.5 * len(markdown)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("name", ["handbook-18f", "handbook-gitlab", "guides-18f"])
def test_real_pages_are_well_formed(shared_data: Path, name: str) -> None:
    root = shared_data / name / "docs"
    files = sorted(root.rglob("*.md"))
    assert len(files) >= 50
    for file in files:
        content = file.read_bytes()
        try:
            parsed = parse(content)
        except ParsingError:
            continue
        page = document(parsed.markdown, title=parsed.title, first_line=parsed.first_line, path=file.name)
        assert_well_formed(chunk_document(page, COUNTER, ENGLISH), parsed.markdown, content.decode())
