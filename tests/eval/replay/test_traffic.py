"""Traffic that is made from a dataset."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.caching.rules.wording import same_words_key
from eval.datasets.cases import Dataset, load_dataset
from eval.errors import DatasetError
from eval.replay.traffic import (
    LABEL_SETS,
    NEAR_MISS_TIMES,
    Asking,
    Edit,
    Sync,
    TrafficSettings,
    first_texts,
    label_page,
    make_traffic,
    read_edits,
    retype,
)
from indexing.documents import EVERYONE
from indexing.language import ENGLISH
from retrieval.passages import Query

EVIDENCE = [{"doc": "parking.md", "quote": "Report broken parking to the desk on floor 3."}]
ROWS: list[dict[str, Any]] = [
    {
        "id": f"q{number}",
        "question": f"For how many days may I use parking space {number}?",
        "answer": f"{number} days.",
        "evidence": EVIDENCE,
        "type": "number",
        "paraphrases": [f"Parking space {number}: how long?"],
        "near_misses": [
            {"question": f"For how many nights may I use parking space {number}?", "answer": "None.", "evidence": []}
        ],
    }
    for number in range(10)
]
EDITS = [Edit(f"{number}.md", None, "text") for number in range(7)]


@pytest.fixture
def dataset(write_dataset: Callable[..., Path]) -> Dataset:
    return load_dataset(write_dataset(ROWS))


def test_the_same_seed_makes_the_same_traffic(dataset: Dataset) -> None:
    first, second, other = (make_traffic(dataset, EDITS, TrafficSettings(300, seed=seed)) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_what_is_asked_follows_zipf_and_near_misses_are_asked_several_times(dataset: Dataset) -> None:
    asked = Counter(event.case.id for event in make_traffic(dataset, [], TrafficSettings(2_000)) if isinstance(event, Asking))
    counts = [count for name, count in asked.most_common() if "/" not in name]
    assert sum(asked.values()) == 2_000
    assert {asked[f"q{number}/0"] for number in range(10)} == {NEAR_MISS_TIMES}
    weights = [rank**-0.8 for rank in range(1, 11)]
    assert counts == pytest.approx([sum(counts) * weight / sum(weights) for weight in weights], rel=0.25)


def test_few_questions_have_few_near_misses(dataset: Dataset) -> None:
    events = make_traffic(dataset, [], TrafficSettings(40))
    assert sum(isinstance(event, Asking) and "/" in event.case.id for event in events) == 10


def test_only_so_many_rows_and_only_what_is_wanted_is_asked(dataset: Dataset) -> None:
    plain = TrafficSettings(500, distinct=3, paraphrases=False, near_misses=False, retyped_share=0.0)
    events = [event for event in make_traffic(dataset, [], plain) if isinstance(event, Asking)]
    assert len({event.case.id for event in events}) == 3
    assert all(event.text == event.case.question for event in events)


def test_edits_stand_in_order_between_the_questions(dataset: Dataset) -> None:
    events = make_traffic(dataset, EDITS, TrafficSettings(40, syncs=3))
    at = [number for number, event in enumerate(events) if isinstance(event, Sync)]
    assert at == [10, 21, 32]
    assert [edit for event in events if isinstance(event, Sync) for edit in event.edits] == EDITS


def test_users_have_the_label_sets_by_turns(dataset: Dataset) -> None:
    events = make_traffic(dataset, [], TrafficSettings(200, users=6))
    labels = {event.user: event.labels for event in events if isinstance(event, Asking)}
    assert labels == {user: LABEL_SETS[user % 4] for user in range(6)}


def test_most_pages_are_for_everyone_and_each_team_has_some() -> None:
    counts = Counter(label_page(f"page {number}") for number in range(2_000))
    assert counts.pop((EVERYONE,)) == pytest.approx(1_400, rel=0.1)
    assert set(counts) == {("team:blue",), ("team:green",), ("team:red",)}
    assert min(counts.values()) > 120


def test_retyped_questions_are_the_same_words() -> None:
    question = "When does FMLA leave expire?"
    typed = {retype(question, random.Random(seed)) for seed in range(200)}
    assert len(typed) > 30
    assert "when does fmla leave expire?" in typed
    assert {same_words_key(Query(text), ENGLISH) for text in typed if "know" not in text} == {
        same_words_key(Query(question), ENGLISH)
    }


def test_edits_are_read_oldest_first(tmp_path: Path) -> None:
    rows = [
        {"date": "2025-02-01", "status": "D", "path": "a.md", "before": "two", "after": None},
        {"date": "2025-01-01", "status": "M", "path": "a.md", "before": "one", "after": "two"},
        {"date": "2025-01-15", "status": "A", "path": "b.md", "before": None, "after": "new"},
    ]
    file = tmp_path / "edits.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    edits = read_edits(file)
    assert edits == [Edit("a.md", "one", "two"), Edit("b.md", None, "new"), Edit("a.md", "two", None)]
    assert first_texts(edits) == {"a.md": "one", "b.md": None}


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"status": "X", "path": "a.md", "before": "", "after": ""}',
        '{"status": "M", "path": "a.md", "before": "one", "after": null}',
        '{"status": "A", "path": "../a.md", "before": null, "after": "one"}',
        '{"status": "A", "path": "/a.md", "before": null, "after": "one"}',
    ],
)
def test_edits_that_cannot_be_used_are_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "edits.jsonl"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(DatasetError, match=r"edits\.jsonl"):
        read_edits(file)


@pytest.mark.parametrize(
    "broken",
    [
        {"paraphrases": "text"},
        {"paraphrases": [""]},
        {"near_misses": None},
        {"near_misses": [{"question": "?"}]},
        {"near_misses": [{"question": "?", "answer": "!", "evidence": ["a quote"]}]},
        {"near_misses": [{"question": "?", "answer": "!", "evidence": [{"doc": "gym.md", "quote": 3}]}]},
    ],
)
def test_rows_that_cannot_be_asked_are_named(write_dataset: Callable[..., Path], broken: dict[str, Any]) -> None:
    folder = write_dataset([{**ROWS[0], **broken}])
    with pytest.raises(DatasetError, match=r"questions\.jsonl:1"):
        make_traffic(load_dataset(folder), [], TrafficSettings(10))
