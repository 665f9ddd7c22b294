from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.language import ENGLISH


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in ENGLISH.sentences.spans(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["One.", "Two!", "Three?", "Four… ", "Five."],
        ["Ask Dr. Smith or Mrs. Jones, e.g. by mail, i.e. in writing.", "Then wait."],
        ["It costs 3.50 or 1.2 million, approx. 20 per cent of No. 5.", "Fine."],
        ["The U.S. Government pays at 5 p.m. Eastern time.", "It does."],
        ["J. R. Smith signed.", "So did K. Lee."],
        ['He said "Go."', "Then he left."],
        ["“Stop!”", "She stopped."],
        ["(See above.)", "[See below](x.md).", "**Bold.**", "*It.*", "Done."],
        ["Visit example.org/a.b or file.txt for v1.2.3.", "https://example.org is next."],
        ["What?!", "Really...", "Yes."],
        ["We sell apples, pears, etc. and plums.", "Buy."],
        ["Choose Option B." ],
        ["1. Apply early.", "2024 is over.", "Ärger is German."],
        ["One line\nand its rest.", "Next."],
        ["no capital. no end here."],
    ],
)  # fmt: skip
def test_sentences_are_told_apart(sentences: list[str]) -> None:
    expected = [sentence.strip() for sentence in sentences]
    assert split(" ".join(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one  \ntwo\\\nthree<br>\nfour", ["one", "two\\", "three<br>", "four"]),
        ("one  \r\ntwo\\\r\nthree", ["one", "two\\", "three"]),
        ("a. B c.\n\nD e.", ["a. B c.", "D e."]),
        ("", []),
        ("  \n ", []),
        ("...", ["..."]),
        ("  Padded.  ", ["Padded."]),
    ],
)
def test_breaks_and_borders(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    "whole",
    [
        "Read [this. And that. Now](https://example.org/a) today.",
        "Text <!-- a note. For us. --> more.",
        "Run `a. B. C` now.",
        'Use {% note "One. Two." %} here.',
        'A <span title="One. Two.">word</span> here.',
    ],
)
def test_markup_is_not_torn(whole: str) -> None:
    assert split(f"Before. {whole} After it.") == ["Before.", whole, "After it."]


@given(st.text(st.sampled_from("aB1 .!?\n\r\"')]*_`<>[({%}\\-é…"), max_size=120))
@settings(max_examples=1000, deadline=None)
def test_nothing_but_white_space_is_left_out(text: str) -> None:
    spans = ENGLISH.sentences.spans(text)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert "".join(text[start:end] for start, end in spans).split() == "".join(split(text)).split()
    borders = [0, *(border for span in spans for border in span), len(text)]
    assert not "".join(text[start:end] for start, end in zip(borders[::2], borders[1::2], strict=True)).strip()


_HOSTILE = (
    "a.", "a!", "a. ", "A. ", ".", "...a ", "e.g. ", "1. ", "a.\n", "  \n", "<br>", "\\\n", '"', '."', " .", "é. ", "[a. ",
    "`A. ",
)  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("piece", _HOSTILE)
def test_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    text = piece * (200_000 // len(piece)) + "end"
    assert ENGLISH.sentences.spans(text)[-1][1] == len(text)
