"""Plain logistic models whose weights can be read."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

_DIGITS: Final = 4


def fit_logistic(
    names: Sequence[str],
    rows: NDArray[np.float64],
    labels: NDArray[np.bool_],
    c: float,
    row_weights: NDArray[np.float64] | None = None,
) -> tuple[dict[str, float], float]:
    """Learn a mix of features, each brought to a like scale first: its weights by name, and its bias.

    Args:
        names: The features.
        rows: Shape `(rows, features)`.
        labels: What each row is: shape `(rows,)`, of both kinds.
        c: How freely weights may grow: scikit-learn's inverse of the regularisation.
        row_weights: How much each row counts: shape `(rows,)`; alike by default.
    """
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    model = LogisticRegression(C=c, max_iter=3000)
    model.fit((rows - centre) / scale, labels, sample_weight=row_weights)
    weights = model.coef_[0] / scale
    return named_weights(names, weights), round(float(model.intercept_[0] - weights @ centre), _DIGITS)


def named_weights(names: Sequence[str], weights: NDArray[np.float64]) -> dict[str, float]:
    """Weights by name, rounded as they are written."""
    return {name: round(float(weight), _DIGITS) for name, weight in zip(names, weights, strict=True)}
