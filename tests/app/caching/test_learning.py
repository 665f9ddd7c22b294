"""The calibration of a home's own: read where it is sound, moved by several processes at once, never trusted blindly."""

import json
import logging
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest

from app.caching.learning import CALIBRATION_FILE, LiveCalibration
from app.caching.rules.agreement import FEATURES
from app.caching.rules.calibration import Band, Calibration

SHIPPED = Calibration(dict.fromkeys(FEATURES, -0.5), 1.0, (Band(0.0, 10, 5), Band(0.9, 20, 19)))


def live(folder: Path) -> LiveCalibration:
    return LiveCalibration(folder / CALIBRATION_FILE, lambda: SHIPPED, check_every_s=0.0)


def test_without_a_file_the_shipped_one_decides(tmp_path: Path) -> None:
    assert live(tmp_path)() == SHIPPED
    assert list(tmp_path.iterdir()) == []


def test_what_is_learned_is_kept_for_every_process(tmp_path: Path) -> None:
    other = live(tmp_path)
    assert other().bands[1] == Band(0.9, 20, 19)
    live(tmp_path).observe(0.95, passed=False, right=False)
    live(tmp_path).observe(0.95, passed=True, right=True)
    assert other().bands[1] == Band(0.9, 22, 20)
    assert other().passed == Band(0.0, 1, 1)
    assert other.learned().audits == 2
    assert stat.S_IMODE((tmp_path / CALIBRATION_FILE).stat().st_mode) == 0o600


def test_a_new_calibration_begins_anew(tmp_path: Path) -> None:
    live(tmp_path).observe(0.95, passed=False, right=False)
    live(tmp_path).replace(SHIPPED, "the handbook")
    learned = live(tmp_path).learned()
    assert (learned.calibration, learned.made_from, learned.audits) == (SHIPPED, "the handbook", 0)


def _observe(folder: Path) -> None:
    for _ in range(25):
        live(folder).observe(0.95, passed=False, right=True)


def test_no_audit_of_several_processes_is_lost(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_observe, args=(tmp_path,)) for _ in range(2)]
    for process in processes:
        process.start()
    _observe(tmp_path)
    for process in processes:
        process.join()
    assert live(tmp_path)().bands[1] == Band(0.9, 95, 94)


def _spoil(content: dict[str, Any], what: str) -> None:
    calibration = content["calibration"]
    if what == "features":
        content["features"] = ["something else"]
    elif what == "more right than asked":
        calibration["bands"][1]["right"] = 10**6
    elif what == "no bands":
        calibration["bands"] = []
    elif what == "bands upside down":
        calibration["bands"].reverse()
    elif what == "words for figures":
        calibration["weights"][FEATURES[0]] = "high"
    elif what == "not a number":
        calibration["bias"] = float("nan")
    else:
        del calibration["bands"]


@pytest.mark.parametrize(
    "what",
    ["features", "more right than asked", "no bands", "bands upside down", "words for figures", "not a number", "no key"],
)
def test_a_file_that_makes_no_sense_is_said_and_not_believed(tmp_path: Path, what: str, caplog: pytest.LogCaptureFixture) -> None:
    live(tmp_path).replace(SHIPPED.observe(0.95, right=False), "the handbook")
    file = tmp_path / CALIBRATION_FILE
    content = json.loads(file.read_text(encoding="utf-8"))
    _spoil(content, what)
    file.write_text(json.dumps(content), encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        assert live(tmp_path)() == SHIPPED
    assert "so the shipped calibration decides" in caplog.text


@pytest.mark.parametrize("text", ["", "[]", "null", "\x00", "{"])
def test_neither_is_a_damaged_one(tmp_path: Path, text: str) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(text, encoding="utf-8")
    assert live(tmp_path)() == SHIPPED
