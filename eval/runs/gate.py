"""The gate: committed figures that quality must not fall below, and tokens must not rise above, by more than a margin."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.generation.endpoints import Rungs
from app.settings import Settings
from eval.arms.arms import FARTHING
from eval.errors import RunError
from eval.measures.measures import MEASURE_BY_NAME, Measure
from eval.runs.run import Run, RunProgress, run_dataset
from eval.runs.summary import known
from indexing.embedding import Embedder

BASELINES_FOLDER: Final = Path(__file__).with_name("gate_baselines")


@dataclass(frozen=True, slots=True)
class Guard:
    """One committed figure of the arm `farthing`: the mean of a measure, and how much worse it may get."""

    measure: Measure
    committed: float
    margin: float

    def holds(self, value: float | None) -> bool:
        """Whether a new figure is good enough; one that cannot be known is not."""
        if value is None:
            return False
        worse = self.committed - value if self.measure.more_is_better else value - self.committed
        return worse <= self.margin + 1e-9


@dataclass(frozen=True, slots=True)
class Baseline:
    """The committed figures for one dataset."""

    file: Path
    dataset: Path
    guards: tuple[Guard, ...]


@dataclass(frozen=True, slots=True)
class Guarded:
    """One guard and the new figure; `None` when the measure could not be taken."""

    guard: Guard
    value: float | None

    @property
    def holds(self) -> bool:
        """Whether the gate stays open."""
        return self.guard.holds(self.value)


def read_baselines(folder: Path = BASELINES_FOLDER) -> list[Baseline]:
    """The committed baselines, in the order of their names. Paths of datasets are relative to this package.

    Raises:
        RunError: There is none, or one cannot be understood.
    """
    baselines = [_read(file) for file in sorted(folder.glob("*.json"))]
    if not baselines:
        raise RunError(f"{folder} holds no baseline, so there is nothing to hold the line at.")
    return baselines


def check_baseline(
    settings: Settings, baseline: Baseline, progress: RunProgress, embedder: Embedder | None = None
) -> tuple[Run, list[Guarded]]:
    """Run a baseline's dataset, without models whatever is configured, and compare. Raises as `run_dataset`."""
    run = run_dataset(settings, baseline.dataset, progress, (FARTHING,), embedder=embedder, rungs=Rungs())
    return run, list(_guarded(baseline.guards, run))


def _guarded(guards: Sequence[Guard], run: Run) -> Iterator[Guarded]:
    for guard in guards:
        values = list(known(run.outcomes, guard.measure.name).values())
        yield Guarded(guard, sum(values) / len(values) if values else None)


def _read(file: Path) -> Baseline:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        guards = tuple(
            Guard(MEASURE_BY_NAME[name], float(row["committed"]), float(row["margin"]))
            for name, row in content["measures"].items()
        )
        return Baseline(file, Path(__file__).parents[1] / content["dataset"], guards)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The baseline {file} cannot be read ({type(error).__name__}: {error}). Correct it.") from error
