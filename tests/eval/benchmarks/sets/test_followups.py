import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from eval.benchmarks.sets.followups import (
    OTHER,
    TUNED,
    FollowUp,
    handbook_followups,
    mtrag_followups,
    mtrag_page,
    mtrag_turns,
    write_mtrag_pages,
)


def write(file: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def test_a_handbooks_answerable_follow_ups_stand_after_their_parents(tmp_path: Path) -> None:
    followup = {"question": "and then?", "standalone": "What then?", "evidence": [{"doc": "a.md", "quote": "Then rest."}]}
    rows: list[dict[str, Any]] = [
        {"id": "1", "question": "What first?", "followups": [{**followup, "evidence": []}, followup]},
        {"id": "2", "question": "x"},
    ]
    (one,) = handbook_followups(write(tmp_path / "questions.jsonl", rows))
    assert one == FollowUp("1/1", ("What first?",), "and then?", "What then?", ("Then rest.",), frozenset())


def test_gold_passages_are_found_by_the_whole_conversation(tmp_path: Path) -> None:
    turns = [{"role": "user", "text": "What is a moon?"}, {"role": "agent", "text": "A satellite."}]
    write(
        tmp_path / "groundedness-mtrag" / "faithfulness.jsonl",
        [{"history": turns, "question": "How old?", "context": [{"doc": "p1"}]}],
    )
    row = {"id": "m", "user_turns": ["What is a moon? ", "how old?"], "last_turn": "how old?", "rewrite": "How old is the moon?"}
    strange = {**row, "id": "n", "user_turns": ["What is a sun?", "how old?"]}
    write(tmp_path / "mtrag" / "followups.jsonl", [row, strange, {**row, "id": "f", "user_turns": ["What is a moon?"]}])
    (one,) = mtrag_followups(tmp_path)
    assert (one.id, one.earlier, one.written_out) == ("m", ("What is a moon? ",), "How old is the moon?")
    assert one.pages == {mtrag_page("p1")}
    first = {"id": "q", "question": "Why?", "history": [], "evidence": [{"doc": "p1"}]}
    write(tmp_path / "mtrag" / "questions.jsonl", [first, {**first, "id": "later", "history": turns}])
    (later,) = mtrag_turns(tmp_path)
    assert (later.id, later.earlier, later.written_out) == ("later", ("What is a moon?",), None)


def test_passages_become_pages(tmp_path: Path) -> None:
    rows = [{"id": "a/../1", "title": "Moon", "text": "Old."}, {"id": "2", "title": "", "text": "Older."}]
    write(tmp_path / "mtrag" / "docs.jsonl", rows)
    write_mtrag_pages(tmp_path, tmp_path / "pages")
    assert (tmp_path / "pages" / mtrag_page("a/../1")).read_text() == "# Moon\n\nOld."
    assert (tmp_path / "pages" / mtrag_page("2")).read_text() == "Older."
    assert mtrag_page("2").removesuffix(".md").isalpha()


@pytest.mark.data
def test_the_real_sets_have_both_halves(shared_data: Path) -> None:
    sets = {
        "handbook": handbook_followups(shared_data / "handbook-18f" / "questions.jsonl"),
        "mtrag": mtrag_followups(shared_data),
        "mtrag-un": mtrag_turns(shared_data),
    }
    assert {name: len(some) for name, some in sets.items()} == {"handbook": 29, "mtrag": 58, "mtrag-un": 132}
    for some in sets.values():
        assert {one.half for one in some} == {TUNED, OTHER}
        assert all(bool(one.quotes) != bool(one.pages) and one.earlier for one in some)
