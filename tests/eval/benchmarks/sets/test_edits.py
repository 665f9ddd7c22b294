from collections import Counter
from pathlib import Path

import pytest

from app.grounding import Readings, Support, check_sentence
from eval.benchmarks.sets.edits import BORROWED, DATE, KINDS, MODALITY, NAME, NEGATION, NUMBER, TRUE, edit_sentences, read_chunks
from eval.datasets.sentences import counted_rarity
from indexing.language import ENGLISH
from indexing.tokens import TokenCounter
from tests.fakes.tokens import FakeTokenCounter

MANUAL = Path(__file__).parents[4] / "docs"
COUNTER: TokenCounter = FakeTokenCounter()

PAGE = """---
title: Leave
---

# Leave

Everybody who works for Acme Labs must ask Anna before 1 March 2024 for 25 days of leave.

The other offices, such as Berlin or Oslo, are closed for 12 days in winter.
"""


def test_each_sentence_is_altered_in_every_way_that_it_can_be(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text(PAGE, encoding="utf-8")
    chunks = read_chunks(tmp_path, COUNTER)
    assert [chunk.title for chunk in chunks] == ["Leave"] * len(chunks)
    edits = edit_sentences(chunks, seed=1)
    first, second = (text for chunk in chunks for text in chunk.text.split("\n\n"))
    assert {(edit.kind, edit.text.split()[1]) for edit in edits if edit.kind != TRUE} == {
        *((kind, "who") for kind in (NUMBER, DATE, BORROWED, NEGATION, MODALITY)),
        *((kind, "other") for kind in (NUMBER, BORROWED, NEGATION)),
    }
    assert not {first, second} & {edit.text for edit in edits}
    assert all({source.text for source in edit.cited} == {first, second} for edit in edits)
    assert edits == edit_sentences(chunks, seed=1)
    assert edits != edit_sentences(chunks, seed=2)


def test_a_name_is_exchanged_for_one_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text(PAGE, encoding="utf-8")
    (tmp_path / "pay.md").write_text("# Pay\n\nThe office asks Zenith Bank to send money to everybody.\n", encoding="utf-8")
    edits = [edit for edit in edit_sentences(read_chunks(tmp_path, COUNTER), seed=1) if edit.kind == NAME]
    assert len(edits) == 3
    assert sum("Zenith Bank" in edit.text for edit in edits) == 2
    assert all(not any(edit.text == source.text for source in edit.cited) for edit in edits)


@pytest.fixture(scope="module")
def caught() -> dict[str, Counter[Support]]:
    """The verdicts on the altered sentences of the manual."""
    chunks = read_chunks(MANUAL, COUNTER)
    rarity = counted_rarity([chunk.text for chunk in chunks])
    verdicts = {kind: Counter[Support]() for kind in KINDS}
    for edit in edit_sentences(chunks, seed=7):
        verdicts[edit.kind][check_sentence(edit.text, edit.cited, rarity, Readings(ENGLISH)).support] += 1
    return verdicts


@pytest.mark.parametrize("kind", [NUMBER, NAME, NEGATION, MODALITY])
def test_altered_sentences_of_the_manual_are_caught(kind: str, caught: dict[str, Counter[Support]]) -> None:
    assert caught[kind].total() > 15
    assert caught[kind][Support.UNSUPPORTED] >= 0.95 * caught[kind].total()


def test_true_sentences_of_the_manual_are_not(caught: dict[str, Counter[Support]]) -> None:
    assert caught[TRUE].total() > 150
    assert caught[TRUE][Support.UNSUPPORTED] <= 0.01 * caught[TRUE].total()
    assert caught[TRUE][Support.SUPPORTED] >= 0.95 * caught[TRUE].total()
