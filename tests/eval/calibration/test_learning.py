from pathlib import Path

import numpy as np
import pytest

from app.caching.rules.agreement import FEATURES, Cited, Proposal
from app.caching.rules.calibration import Band
from eval.calibration.learning import BANDS, calibrate, count_bands, fit, kept_pairs
from eval.calibration.pairs import AskedWording, Pair, Wording, WordingKind, load_wordings, propose, propose_all
from eval.errors import DatasetError
from retrieval.passages import Query
from tests.indexing.pages import document
from tests.retrieval.finding import find

PAGES = [
    document("# Leave\n\nParental leave lasts twelve weeks for employees.", path="leave.md"),
    document("# Vouchers\n\nThe travel desk reviews a voucher in five days.", path="vouchers.md"),
]


def asked(answer_id: str, text: str, vector: tuple[float, float], *, abstains: bool = False) -> AskedWording:
    evidence = find(text, *PAGES)
    chunk = evidence.passages[0].chunk
    entry = Proposal(Query(text), (Cited(chunk.unit_id(0), chunk.unit_text(0), (chunk.title,)),))
    wording = Wording(answer_id, answer_id.partition("/")[0], WordingKind.QUESTION, text)
    return AskedWording(wording, np.array(vector, dtype=np.float32), evidence, None if abstains else entry)


def test_bands_count_questions_and_round_down() -> None:
    probabilities = np.array([0.96, 0.97, 0.99, 0.6, 0.61, 0.2])
    right = np.array([True, True, False, True, True, False])
    bands = count_bands(probabilities, right, ["a", "a", "b", "a", "c", "d"])
    assert [band.lowest for band in bands] == list(BANDS)
    assert bands[0] == Band(0.0, 1, 0)
    assert bands[1] == Band(0.5, 2, 2)
    assert bands[-1] == Band(0.95, 2, 1)
    assert bands[2] == Band(0.7, 0, 0)


def test_the_mix_learns_which_way_a_feature_points() -> None:
    rows = np.random.default_rng(1).normal(size=(400, len(FEATURES)))
    learned = fit(rows, rows[:, 0] < 0)
    assert learned.weights[FEATURES[0]] < 0
    assert learned.probability((-2.0, *[0.0] * (len(FEATURES) - 1))) > 0.9
    assert learned.probability((2.0, *[0.0] * (len(FEATURES) - 1))) < 0.1


def test_the_nearest_entries_are_proposed_but_neither_oneself_nor_an_abstention() -> None:
    new = asked("a", "parental leave length", (1.0, 0.0))
    near, far = asked("a", "weeks of parental leave", (0.8, 0.6)), asked("b", "voucher review", (0.0, 1.0))
    silent = asked("c", "parental leave for whom", (1.0, 0.0), abstains=True)
    pairs = propose(new, [far, silent, new, near])
    assert [pair.old for pair in pairs] == [near, far]
    assert [pair.right for pair in pairs] == [True, False]
    assert propose(new, [far, near], 1)[0].old is near


def test_every_entry_of_the_family_is_proposed_however_far() -> None:
    crowd = [asked(f"x{n}", f"voucher review {n}", (1.0, 0.0)) for n in range(6)]
    new, near_miss = asked("a", "parental leave length", (1.0, 0.0)), asked("a/0", "parental leave for whom", (0.0, 1.0))
    pairs = [pair for pair in propose_all([*crowd, new, near_miss]) if pair.new is new]
    assert any(pair.old is near_miss and not pair.right for pair in pairs)
    assert len(pairs) == 6


def test_pairs_that_a_rule_drops_are_not_learned_from() -> None:
    new = asked("a", "how many weeks does parental leave last", (1.0, 0.0))
    alike, other = (
        asked("a", "parental leave length", (1.0, 0.0)),
        asked("b", "how many weeks does voucher review last", (1.0, 0.0)),
    )
    kept, rows = kept_pairs([Pair(alike, new), Pair(other, new)])
    assert [pair.old for pair in kept] == [alike]
    assert rows.shape == (1, len(FEATURES))


def test_too_few_pairs_are_refused() -> None:
    new = asked("a", "how many weeks does parental leave last", (1.0, 0.0))
    old = asked("a", "parental leave length", (1.0, 0.0))
    with pytest.raises(DatasetError, match="1 proposals are left after the rules"):
        calibrate([Pair(old, new)])
    with pytest.raises(DatasetError):
        calibrate([])


@pytest.mark.data
def test_wordings_of_a_question_and_its_near_misses_stand_in_one_half_and_fold(shared_data: Path) -> None:
    wordings = load_wordings(shared_data / "handbook-18f")
    assert {wording.kind for wording in wordings} == {"question", "paraphrase", "near miss"}
    assert len({(one.family, one.half, one.fold) for one in wordings}) == len({one.family for one in wordings})
    assert {(one.half, one.fold) for one in wordings} == {(half, fold) for half in range(2) for fold in range(3)}
