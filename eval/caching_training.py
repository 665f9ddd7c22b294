"""Learn and calibrate when a cached answer that was proposed for another question is right.

    python -m eval.caching_training ../shared/data [--out app/caching/rules/calibration.json]

The mix is a plain logistic model over the proposals that no rule drops. Its bands are counted on questions that it was not
learned on: each third of them is judged by a mix learned from the others. Wordings of one question are not independent, so that
a band counts the questions that have a pair in it, and of these the share of its pairs that are right, rounded down.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from app.caching.rules.agreement import FEATURES, agreement
from app.caching.rules.calibration import Band, Calibration
from app.caching.rules.differences import differences
from app.costs.confidence import share_at_least
from app.home import prepare_home
from app.settings import load_settings
from eval.caching_pairs import FOLDS, HANDBOOKS, Pair, ask_wordings, propose_all
from eval.errors import DatasetError

BANDS: Final = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95)
"""Where bands begin."""

_C: Final = 0.1
_DIGITS: Final = 4


def kept_pairs(pairs: Sequence[Pair]) -> tuple[list[Pair], NDArray[np.float64]]:
    """The pairs that no rule drops, and their features: shape `(pairs, features)`."""
    kept: list[Pair] = []
    rows: list[tuple[float, ...]] = []
    for pair in pairs:
        if not differences(pair.proposal.question, pair.new.evidence.query):
            agrees = agreement(pair.proposal, pair.new.evidence)
            if not agrees.disagreements:
                kept.append(pair)
                rows.append(agrees.features)
    return kept, np.array(rows).reshape(len(rows), len(FEATURES))


def fit(rows: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """Learn the mix; its only band knows nothing yet."""
    centre, scale = rows.mean(axis=0), rows.std(axis=0) + 1e-9
    model = LogisticRegression(C=_C, max_iter=3000).fit((rows - centre) / scale, right)
    weights = model.coef_[0] / scale
    named = {name: round(float(weight), _DIGITS) for name, weight in zip(FEATURES, weights, strict=True)}
    return Calibration(named, round(float(model.intercept_[0] - weights @ centre), _DIGITS), (Band(0.0, 0, 0),))


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


def main() -> None:
    """Learn from both handbooks, print the bands, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds " + " and ".join(HANDBOOKS))
    parser.add_argument("--out", type=Path, default=Path("app/caching/rules/calibration.json"))
    arguments = parser.parse_args()
    console = Console(width=120)
    settings = load_settings()
    prepare_home(settings.home)
    pairs = [pair for name in HANDBOOKS for pair in propose_all(ask_wordings(settings, arguments.data, name))]
    learned = calibrate(pairs)
    table = Table(title="proposals that no rule drops, by what a mix learned from other questions says")
    for column in ("probability from", "questions", "right", "share", "lower bound"):
        table.add_column(column)
    for band in learned.bands:
        share = f"{band.right / band.asked:.1%}" if band.asked else ""
        table.add_row(f"{band.lowest}", f"{band.asked}", f"{band.right}", share, f"{share_at_least(band.right, band.asked):.1%}")
    console.print(table)
    made_by = {"made_by": "python -m eval.caching_training ../shared/data"}
    arguments.out.write_text(json.dumps({**made_by, **learned.to_json()}, indent=2) + "\n", encoding="utf-8")
    console.print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
