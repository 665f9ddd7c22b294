"""Learn and calibrate when a cached answer that was proposed for another question is right.

The mix is a plain logistic model over the proposals that no rule drops. Its bands are counted on questions that it was not
learned on: each third of them is judged by a mix learned from the others. Wordings of one question are not independent, so that
a band counts the questions that have a pair in it, and of these the share of its pairs that are right, rounded down.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.caching.rules.agreement import FEATURES, agreement
from app.caching.rules.calibration import Band, Calibration
from app.caching.rules.differences import differences
from eval.calibration.logistic import fit_logistic
from eval.calibration.pairs import FOLDS, Pair
from eval.errors import DatasetError

BANDS: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95)
"""Where bands begin."""

_C: Final = 0.1


def kept_pairs(pairs: Sequence[Pair]) -> tuple[list[Pair], NDArray[np.float64]]:
    """The pairs that no rule drops, and their features: shape `(pairs, features)`."""
    kept: list[Pair] = []
    rows: list[tuple[float, ...]] = []
    for pair in pairs:
        if not differences(pair.proposal.question, pair.new.evidence.query, pair.new.evidence.language):
            agrees = agreement(pair.proposal, pair.new.evidence)
            if not agrees.disagreements:
                kept.append(pair)
                rows.append(agrees.features)
    return kept, np.array(rows).reshape(len(rows), len(FEATURES))


def fit(rows: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """Learn the mix; its only band knows nothing yet."""
    weights, bias = fit_logistic(FEATURES, rows, right, _C)
    return Calibration(weights, bias, (Band(0.0, 0, 0),))


def calibrate(pairs: Sequence[Pair]) -> Calibration:
    """Learn the mix from all pairs, and count its bands on questions that it was not learned on.

    Raises:
        DatasetError: There are too few pairs to learn from.
    """
    kept, rows = kept_pairs(pairs)
    right = np.array([pair.right for pair in kept], dtype=bool)
    folds = np.array([pair.new.wording.fold for pair in kept])
    if any(right[folds != fold].all() or not right[folds != fold].any() for fold in range(FOLDS)):
        raise DatasetError(
            f"{len(kept)} proposals are left after the rules, too few to tell right from wrong ones. "
            "Add paraphrases and near misses to the questions."
        )
    probabilities = np.empty(len(kept))
    for fold in range(FOLDS):
        learned = fit(rows[folds != fold], right[folds != fold])
        probabilities[folds == fold] = [learned.probability(row) for row in rows[folds == fold].tolist()]
    complete = fit(rows, right)
    families = [pair.new.wording.family for pair in kept]
    return Calibration(complete.weights, complete.bias, count_bands(probabilities, right, families))


def count_bands(probabilities: NDArray[np.float64], right: NDArray[np.bool_], families: Sequence[str]) -> tuple[Band, ...]:
    """Count the questions of each band, and of these the right ones.

    Args:
        probabilities: What a mix says of each pair that was not learned on: shape `(pairs,)`.
        right: Whether each pair is right.
        families: The question that each pair belongs to.
    """
    bands = []
    for lowest, end in zip(BANDS, (*BANDS[1:], np.inf), strict=True):
        inside = np.flatnonzero((probabilities >= lowest) & (probabilities < end))
        asked = len({families[at] for at in inside.tolist()})
        bands.append(Band(lowest, asked, int(asked * right[inside].mean()) if asked else 0))
    return tuple(bands)
