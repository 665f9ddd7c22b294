"""What was learned about passages, units and whether there is an answer at all: a small readable file of weights."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_CERTAIN: Final = 60.0
"""Beyond such log-odds a probability is 0 or 1 to all digits, and the exponential overflows in the end."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Linear weights by the names of the features; a feature that is not named counts nothing.

    `passage` orders candidates (`retrieval.ranking`), `unit` with `unit_bias` gives the log-odds that a unit belongs to the
    answer (`retrieval.unit_scoring`), `answerable` with `answerable_bias` the log-odds that the evidence holds an answer
    (`retrieval.answerability`).
    """

    passage: Mapping[str, float]
    unit: Mapping[str, float]
    unit_bias: float
    answerable: Mapping[str, float]
    answerable_bias: float


def probability(log_odds: float) -> float:
    """The probability, in [0, 1], that log-odds stand for."""
    return 1.0 / (1.0 + math.exp(-max(-_CERTAIN, min(_CERTAIN, log_odds))))


@cache
def shipped_weights() -> Weights:
    """The weights that come with the package, learned with `python -m eval.training`."""
    content = json.loads(files("retrieval").joinpath("weights.json").read_text(encoding="utf-8"))
    return Weights(
        passage=content["passage"]["weights"],
        unit=content["unit"]["weights"],
        unit_bias=content["unit"]["bias"],
        answerable=content["answerable"]["weights"],
        answerable_bias=content["answerable"]["bias"],
    )
