"""The calibration that a home has of its own: made from the customer's questions, moved by audits, shared by all processes."""

import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.caching.rules.agreement import FEATURES
from app.caching.rules.calibration import Calibration, read_calibration
from indexing.files import take_lock, write_durably

CALIBRATION_FILE: Final = "answers-calibration.json"
"""The file of a home that holds its own calibration."""

_CHECK_EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Learned:
    """A calibration, what it was made from, in words, and how many audits have moved it since."""

    calibration: Calibration
    made_from: str
    audits: int


class LiveCalibration:
    """The calibration to decide by now. Safe to use from several threads and processes.

    A file that is missing, damaged, or of other features than this version's stands for the shipped calibration. At most every
    second it is looked whether it has changed.
    """

    def __init__(self, file: Path, shipped: Callable[[], Calibration], check_every_s: float = _CHECK_EVERY_S) -> None:
        """Name the file; it is made when something is learned.

        Args:
            file: Where the calibration is kept.
            shipped: The one to begin with.
            check_every_s: How often it is looked at.
        """
        self._file = file
        self._shipped = shipped
        self._check_every_s = check_every_s
        self._lock = threading.Lock()
        self._check_at = 0.0
        self._seen: tuple[int, int] | None = None
        self._now: Learned | None = None

    @property
    def file(self) -> Path:
        """Where the calibration is kept."""
        return self._file

    def __call__(self) -> Calibration:
        """The calibration in force."""
        return self.learned().calibration

    def learned(self) -> Learned:
        """The calibration in force, and where it comes from."""
        with self._lock:
            if self._now is None or time.monotonic() >= self._check_at:
                self._check_at = time.monotonic() + self._check_every_s
                seen = self._stamp()
                if self._now is None or seen != self._seen:
                    self._seen, self._now = seen, self._read()
            return self._now

    def replace(self, calibration: Calibration, made_from: str) -> None:
        """Begin anew with a calibration. Raises `OSError` when it cannot be written."""
        with take_lock(self._file.with_suffix(".lock")):
            self._write(Learned(calibration, made_from, 0))

    def observe(self, probability: float, *, passed: bool, right: bool) -> Calibration:
        """Take in one audit, and write it down.

        Args:
            probability: What the mix had said of the proposal.
            passed: Whether the verifying model had let it pass: then the audit speaks of that model, too.
            right: Whether the cached answer was right.

        Returns:
            The calibration after it.

        Raises:
            OSError: It cannot be written.
        """
        with take_lock(self._file.with_suffix(".lock")):
            known = self._read()
            moved = known.calibration.observe(probability, right=right)
            moved = moved.observe_passed(right=right) if passed else moved
            self._write(Learned(moved, known.made_from, known.audits + 1))
        return moved

    def _write(self, learned: Learned) -> None:
        content = {
            "made_from": learned.made_from,
            "audits": learned.audits,
            "features": list(FEATURES),
            "calibration": learned.calibration.to_json(),
        }
        write_durably(self._file, json.dumps(content, indent=2) + "\n")
        with self._lock:
            self._seen, self._now = self._stamp(), learned

    def _read(self) -> Learned:
        shipped = Learned(self._shipped(), "the questions that Farthing was made with", 0)
        try:
            return _parse(json.loads(self._file.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return shipped
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning(
                "%s cannot be used (%s), so the shipped calibration decides. Remove it, or run `farthing cache calibrate`.",
                self._file,
                error,
            )
            return shipped

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino


def _parse(content: Any) -> Learned:
    """What a file holds. Raises `ValueError`, `KeyError` or `TypeError` when it holds no calibration of this version's."""
    if content["features"] != list(FEATURES):
        raise ValueError("it is of other features than this version's")
    calibration = read_calibration(content["calibration"])
    numbers = [calibration.bias, *(calibration.weights[name] for name in calibration.weights)]
    counted = [*calibration.bands, calibration.passed]
    sound = (
        calibration.bands
        and all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        and all(type(one.asked) is int and type(one.right) is int and 0 <= one.right <= one.asked for one in counted)
        and [one.lowest for one in calibration.bands] == sorted(one.lowest for one in calibration.bands)
    )
    if not sound:
        raise ValueError("its figures make no sense")
    return Learned(calibration, str(content["made_from"]), int(content["audits"]))
