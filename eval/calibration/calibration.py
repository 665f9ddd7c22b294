"""Calibrate the answer cache on a customer's own questions: what of their other wordings a cached answer may be given to.

Paraphrases and near misses come from the question set. Where it has no paraphrases, rules make one of each question: its content
words alone, as people type them into a search box. Near misses need no making: the other questions of the set stand for them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.bootstrap.caching import build_calibration
from app.caching.rules.calibration import Calibration
from app.costs.confidence import share_at_least
from app.home import prepare_home
from app.settings import Settings
from eval.arms.workbench import open_workbench
from eval.calibration.learning import calibrate
from eval.calibration.pairs import Wording, WordingKind, ask_wording, load_wordings, propose_all
from eval.datasets.cases import load_dataset
from indexing.embedding import Embedder
from indexing.language import ENGLISH
from indexing.language.words import words
from indexing.planning import Progress

BOUNDS: Final = (0.8, 0.9, 0.95, 0.99)
"""For which bounds it is printed how many proposals they would let pass."""

_FEWEST_WORDS: Final = 2


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A calibration, what it was made from, in words, and the file that holds it."""

    calibration: Calibration
    made_from: str
    file: Path

    @property
    def served(self) -> Mapping[float, int]:
        """For each of `BOUNDS`, how many proposals lie in bands whose lower bound reaches it."""
        bands, bound = self.calibration.bands, self.calibration.lower_bound
        return {wanted: sum(band.asked for band in bands if bound(band.lowest) >= wanted) for wanted in BOUNDS}

    @property
    def proposals(self) -> int:
        """How many proposals no rule dropped."""
        return sum(band.asked for band in self.calibration.bands)

    def to_json(self) -> dict[str, Any]:
        """The same as `--json` prints it."""
        bands = [
            {
                "probability_from": band.lowest,
                "asked": band.asked,
                "right": band.right,
                "lower_bound": share_at_least(band.right, band.asked),
            }
            for band in self.calibration.bands
        ]
        served = [{"bound": bound, "served": count} for bound, count in self.served.items()]
        return {
            "made_from": self.made_from,
            "proposals": self.proposals,
            "bands": bands,
            "served": served,
            "file": str(self.file),
        }


def calibrate_dataset(settings: Settings, folder: Path, progress: Progress, embedder: Embedder | None = None) -> Calibrated:
    """Learn from a dataset when cached answers are right, and let the answer cache of the home decide by it from now on.

    Args:
        settings: The product's settings.
        folder: The dataset.
        progress: Is told how far it is.
        embedder: Replaces the configured model.

    Raises:
        DatasetError: The dataset cannot be used, or there is too little to learn from.
        HomeError, IndexingError, PriceFileError, ProfileError: As `open_workbench`.
        OSError: The calibration cannot be written.
    """
    folder = folder.resolve()
    dataset = load_dataset(folder)
    wordings = load_wordings(folder)
    by_rules = [] if any(one.kind is WordingKind.PARAPHRASE for one in wordings) else keyword_wordings(wordings)
    wordings += by_rules
    with open_workbench(settings, dataset, progress, embedder) as bench:
        asked = []
        for number, wording in enumerate(wordings):
            progress.update("ask", number, len(wordings))
            asked.append(ask_wording(bench, wording))
    calibration = calibrate(propose_all(asked))
    made_from = _in_words(folder.name, wordings, len(by_rules))
    live = build_calibration(settings)
    prepare_home(settings.home)
    live.replace(calibration, made_from)
    return Calibrated(calibration, made_from, live.file)


def keyword_wordings(wordings: Sequence[Wording]) -> list[Wording]:
    """The questions with their content words alone, in order; none for one that has hardly any, or is no longer than that."""
    made = []
    for one in wordings:
        kept = [word for word in words(one.text) if word not in ENGLISH.stopwords]
        if one.kind is WordingKind.QUESTION and _FEWEST_WORDS <= len(kept) < len(words(one.text)):
            made.append(Wording(one.answer_id, one.family, WordingKind.PARAPHRASE, " ".join(kept)))
    return made


def _in_words(name: str, wordings: Sequence[Wording], by_rules: int) -> str:
    questions, paraphrases, near_misses = (sum(one.kind is kind for one in wordings) for kind in WordingKind)
    made = " made by rules" if by_rules else ""
    return (
        f"{name}: {questions:,} questions, {paraphrases:,} paraphrases{made}, {near_misses:,} near misses, "
        f"on {datetime.now(UTC):%Y-%m-%d}"
    )
