import json

import pytest

from app.caching.rules.agreement import FEATURES
from app.caching.rules.calibration import Band, Calibration, read_calibration, shipped_calibration
from app.costs.confidence import share_at_least

COUNTED = Calibration({FEATURES[0]: -1.0}, 2.0, (Band(0.0, 100, 40), Band(0.7, 400, 399), Band(0.9, 10, 9)))


def test_the_probability_is_the_logistic_of_the_weighted_features() -> None:
    assert COUNTED.probability((2.0, *[7.0] * (len(FEATURES) - 1))) == pytest.approx(0.5)
    assert COUNTED.probability((0.0, *[0.0] * (len(FEATURES) - 1))) == pytest.approx(0.880797, abs=1e-6)
    assert COUNTED.probability((1e9, *[0.0] * (len(FEATURES) - 1))) < 1e-9


def test_the_bound_is_the_best_of_the_bands_reached() -> None:
    assert COUNTED.lower_bound(0.1) == share_at_least(40, 100)
    assert COUNTED.lower_bound(0.7) == COUNTED.lower_bound(0.95) == share_at_least(399, 400)
    assert share_at_least(9, 10) < COUNTED.lower_bound(0.95)


def test_the_share_is_that_of_the_band_and_all_above() -> None:
    assert COUNTED.share_from(0.95) == 0.9
    assert COUNTED.share_from(0.7) == 408 / 410
    assert COUNTED.share_from(0.0) == 448 / 510
    assert Calibration({}, 0.0, (Band(0.0, 0, 0),)).share_from(0.5) == 0.0


def test_what_is_observed_moves_its_band_alone() -> None:
    moved = COUNTED.observe(0.75, right=False).observe(0.75, right=True)
    assert moved.bands == (COUNTED.bands[0], Band(0.7, 402, 400), COUNTED.bands[2])
    for _ in range(30):
        moved = moved.observe(0.75, right=False)
    assert moved.lower_bound(0.95) < 0.95 < COUNTED.lower_bound(0.95)


def test_it_is_read_as_it_was_written() -> None:
    assert read_calibration(json.loads(json.dumps(COUNTED.to_json()))) == COUNTED


def test_the_shipped_file_names_known_features_and_supports_no_serving() -> None:
    shipped = shipped_calibration()
    assert set(shipped.weights) == set(FEATURES)
    assert [band.lowest for band in shipped.bands] == sorted({band.lowest for band in shipped.bands})
    assert shipped.bands[0].lowest == 0.0
    assert all(shipped.lower_bound(band.lowest) < 0.99 for band in shipped.bands)


def test_one_wrong_answer_that_a_model_let_pass_may_be_the_audits_mistake_and_two_of_ten_are_not() -> None:
    once = COUNTED.observe_passed(right=False)
    assert once.trusts_verifier(0.01)
    assert not once.observe_passed(right=False).trusts_verifier(0.01)
    much = once
    for _ in range(400):
        much = much.observe_passed(right=True)
    assert much.observe_passed(right=False).trusts_verifier(0.01)
    assert much.bands == COUNTED.bands, "it says nothing about the proposals"
    assert read_calibration(json.loads(json.dumps(once.to_json()))) == once
