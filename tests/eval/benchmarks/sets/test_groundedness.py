import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.grounding import Source, Support
from eval.benchmarks.sets.groundedness import (
    JUDGED,
    SET,
    RatedAnswer,
    auroc,
    balanced_accuracy,
    best_threshold,
    bigram_overlap,
    check_answers,
    cosine_scores,
    load_mtrag,
    load_summedits,
    word_overlap,
)
from eval.datasets.sentences import counted_rarity
from indexing.embedding import Embedder

UNIT = "Interns get 12 days of leave a year."


def rated(*sentences: str, context: str = UNIT, grounded: bool = True) -> RatedAnswer:
    return RatedAnswer("g", "", sentences, (context,), (Source(context),), grounded)


def write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_both_sets_are_read(tmp_path: Path) -> None:
    passage = {"doc": "p", "text": "Leave\nInterns get 12 days. Staff get 25."}
    row: dict[str, object] = {
        "id": "talk<::>1-reference",
        "question": "Who?",
        "context": [passage],
        "answer": "- **Staff** get 25.\n- Ask.",
        "label": "grounded",
    }
    write(tmp_path / "groundedness-mtrag" / "faithfulness.jsonl", [row])
    (one,) = load_mtrag(tmp_path)
    assert (one.group, one.sentences, one.grounded) == ("talk", ("Staff get 25.", "Ask."), True)
    assert one.cited == tuple(Source(text, ("Leave",)) for text in ("Leave", "Interns get 12 days.", "Staff get 25."))
    row = {"id": "s", "question": None, "context": "Leave\nStaff get 25.", "answer": "Staff get 52.", "label": "hallucinated"}
    write(tmp_path / "groundedness-summedits" / "sales.jsonl", [row])
    (other,) = load_summedits(tmp_path)
    assert (other.grounded, other.cited[0]) == (False, Source("Leave"))
    assert {one.part, other.part} <= {SET, JUDGED}


def test_an_answer_is_as_good_as_its_worst_sentence() -> None:
    answers = [rated(UNIT), rated(UNIT, "Interns get lunch."), rated(UNIT, "Interns get lunch.", "Interns get 15 days.")]
    checked = check_answers(answers)
    assert [one.verdict for one in checked] == [Support.SUPPORTED, Support.UNSURE, Support.UNSUPPORTED]
    scores = [one.score for one in checked]
    assert scores[0] == 1.0
    assert scores == sorted(scores, reverse=True)


def test_overlaps_count_what_stands_in_the_context() -> None:
    answer = rated("Interns get 15 days.")
    assert word_overlap(answer) == pytest.approx(2 / 3)  # "get" counts nothing
    assert bigram_overlap(answer) == pytest.approx(1 / 3)
    assert word_overlap(rated("So it is.")) == bigram_overlap(rated("So.")) == 0.0


def test_cosine_takes_the_closest_sentence(embedder: Embedder) -> None:
    own, far, without = rated(UNIT), rated("Ships sail."), RatedAnswer("g", "", ("Ships sail.",), (), (), grounded=False)
    scores = cosine_scores([own, far, without], embedder)
    assert scores[0] == pytest.approx(1.0)
    assert scores[1] < 1.0
    assert scores[2] == 0.0


def test_a_rare_term_weighs_more() -> None:
    rarity = counted_rarity(["leave day", "leave week", "leave year"])
    weights = rarity(["leav", "day", "unheard"])
    assert weights["leav"] < weights["day"] < weights["unheard"]


def test_auroc_is_the_share_of_pairs_in_order() -> None:
    scores, labels = [0.9, 0.5, 0.5, 0.1], [True, True, False, False]
    assert auroc(scores, labels) == pytest.approx(3.5 / 4)


def test_auroc_is_that_of_the_rank_sum() -> None:
    draw = np.random.default_rng(3)
    scores: NDArray[np.float64] = draw.random(60)
    labels = draw.random(60) < scores
    ranks = scores.argsort().argsort() + 1
    above = labels.sum()
    expected = (ranks[labels].sum() - above * (above + 1) / 2) / (above * (60 - above))
    assert auroc(scores.tolist(), labels.tolist()) == pytest.approx(expected)


def test_the_best_threshold_parts_what_can_be_parted() -> None:
    scores, labels = [0.9, 0.6, 0.4, 0.1], [True, True, False, True]
    assert best_threshold(scores, labels) == 0.6
    assert balanced_accuracy(scores, labels, 0.6) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.data
@pytest.mark.slow
def test_what_is_called_supported_is_grounded(shared_data: Path) -> None:
    checked = check_answers(load_mtrag(shared_data))
    assert len({one.rated.part for one in checked}) == 2
    for part in (SET, JUDGED):
        labels = [
            one.rated.grounded
            for one in checked
            if one.rated.part == part
            for support in one.verdicts
            if support is Support.SUPPORTED
        ]
        assert len(labels) > 90
        assert sum(labels) / len(labels) >= 0.95
