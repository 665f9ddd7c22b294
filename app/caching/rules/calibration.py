"""How likely a proposal is right, and what of that the labelled questions really support.

A logistic mix of the features of agreement orders proposals. What the order is worth is counted: proposals of labelled questions
fall into bands, and of each band it is known how many were right. The lower bound of that count, not the mix, decides.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final

from app.caching.rules.agreement import FEATURES
from app.costs.confidence import share_at_least
from retrieval.weights import probability

_TELLING: Final = 2


@dataclass(frozen=True, slots=True)
class Band:
    """The proposals whose probability is at least `lowest` and below the next band's: how many there were, and how many right."""

    lowest: float
    asked: int
    right: int


NOTHING_PASSED: Final = Band(0.0, 0, 0)


@dataclass(frozen=True, slots=True)
class Calibration:
    """A logistic mix by the names of the features, and what came of it; `bands` from the least likely up, the first from 0.

    `passed` counts what the verifying model let pass and an audit looked at: it says how well that model does, and nothing about
    the proposals that it was shown.
    """

    weights: Mapping[str, float]
    bias: float
    bands: tuple[Band, ...]
    passed: Band = NOTHING_PASSED

    def probability(self, features: Sequence[float]) -> float:
        """What the mix says, in (0, 1), for features in the order of `FEATURES`."""
        odds = self.bias + math.fsum(self.weights.get(n, 0.0) * value for n, value in zip(FEATURES, features, strict=True))
        return probability(odds)

    def share_from(self, probability: float) -> float:
        """The share of right ones that was counted among proposals as likely as this or likelier; 0 where there were none."""
        bands = self.bands[self._band(probability) :]
        asked = sum(band.asked for band in bands)
        return sum(band.right for band in bands) / asked if asked else 0.0

    def lower_bound(self, probability: float) -> float:
        """The share that the counts support at least: the best of its band and of those below, which are surely no better."""
        reached = self.bands[: self._band(probability) + 1]
        return max(share_at_least(band.right, band.asked) for band in reached)

    def observe(self, probability: float, *, right: bool) -> "Calibration":
        """The calibration after one more proposal was seen to be right or wrong, by an audit or by a person."""
        at = self._band(probability)
        return replace(self, bands=(*self.bands[:at], _one_more(self.bands[at], right=right), *self.bands[at + 1 :]))

    def observe_passed(self, *, right: bool) -> "Calibration":
        """The calibration after an audit of one that the verifying model had let pass."""
        return replace(self, passed=_one_more(self.passed, right=right))

    def trusts_verifier(self, max_wrong_share: float) -> bool:
        """Whether audits leave it possible that no more than a share is wrong of what the model lets pass.

        A single wrong one may be the audit's own mistake, and decides nothing.
        """
        wrong = self.passed.asked - self.passed.right
        return wrong < _TELLING or share_at_least(wrong, self.passed.asked) <= max_wrong_share

    def to_json(self) -> dict[str, Any]:
        """The calibration as its file holds it."""
        bands = [{"lowest": band.lowest, "asked": band.asked, "right": band.right} for band in self.bands]
        passed = {"asked": self.passed.asked, "right": self.passed.right} if self.passed.asked else None
        return {"weights": dict(self.weights), "bias": self.bias, "bands": bands, **({"passed": passed} if passed else {})}

    def _band(self, probability: float) -> int:
        return max(at for at, band in enumerate(self.bands) if at == 0 or band.lowest <= probability)


def read_calibration(content: Mapping[str, Any]) -> Calibration:
    """The calibration from what `to_json` gave.

    Raises:
        KeyError, TypeError: It is not of that form.
    """
    bands = tuple(Band(band["lowest"], band["asked"], band["right"]) for band in content["bands"])
    passed = content.get("passed", {"asked": 0, "right": 0})
    return Calibration(content["weights"], content["bias"], bands, Band(0.0, passed["asked"], passed["right"]))


def _one_more(band: Band, *, right: bool) -> Band:
    return replace(band, asked=band.asked + 1, right=band.right + int(right))


@cache
def shipped_calibration() -> Calibration:
    """The calibration that comes with the package, made with `python -m eval.training.calibration`."""
    return read_calibration(json.loads(files("app.caching.rules").joinpath("calibration.json").read_text(encoding="utf-8")))
