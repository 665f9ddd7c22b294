"""One evaluation run from a dataset's folder to its results, and the files it leaves."""

import hashlib
import json
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Protocol

from app.costs.confidence import CONFIDENCE
from app.costs.pricing import plain_usd
from app.generation.endpoints import Rungs
from app.generation.prompting import prompt_hashes
from app.settings import Settings
from eval.arms.arms import ARMS, FARTHING, build_arm
from eval.arms.workbench import Workbench, open_workbench
from eval.datasets.cases import Case, load_dataset
from eval.datasets.json_lines import read_json_lines
from eval.errors import EvalError, RunError
from eval.measures.answers import TOKEN_F1_THRESHOLD
from eval.measures.intervals import RESAMPLES, SEED
from eval.measures.measures import Outcome
from eval.runs.curves import CurvePoint, quality_curves
from eval.runs.experiment import run_experiment
from eval.runs.report import render_report
from eval.runs.summary import summarise
from indexing.embedding import Embedder
from indexing.planning import Progress

RUN_FILE: Final = "run.json"
CASES_FILE: Final = "cases.jsonl"
REPORT_FILE: Final = "report.html"

_PACKAGES: Final = ("farthing", "llama-index-core", "numpy", "qdrant-edge-py", "sentence-transformers", "tiktoken", "torch")


class RunProgress(Progress, Protocol):
    """Is told how far a run is; the phase `ask` counts questions."""


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: what `run.json` holds, and the outcome of every arm on every case."""

    content: Mapping[str, Any]
    cases: Sequence[Case]
    outcomes: Sequence[Outcome]
    curves: Mapping[str, Sequence[CurvePoint]]


def run_dataset(
    settings: Settings,
    folder: Path,
    progress: RunProgress,
    arms: Sequence[str] = ARMS,
    limit: int | None = None,
    embedder: Embedder | None = None,
    rungs: Rungs | None = None,
) -> Run:
    """Run arms on a dataset.

    Args:
        settings: The product's settings; indexes and embeddings lie under their home.
        folder: The dataset.
        progress: Is told how far it is.
        arms: The names of the arms; each is run once, in the order of `ARMS`.
        limit: Take this many rows from the top.
        embedder: Replaces the configured model.
        rungs: Replaces the configured endpoints.

    Raises:
        PriceFileError: The price file cannot be used.
        DatasetError: The dataset cannot be used; nothing has been done.
        EvalError: There is no arm of a name.
        IndexingError, HomeError: The documents cannot be indexed.
    """
    unknown = sorted(set(arms) - set(ARMS))
    if unknown:
        raise EvalError(f"There is no arm {', '.join(map(repr, unknown))}. The arms are: {', '.join(ARMS)}.")
    began = time.monotonic()
    dataset = load_dataset(folder, limit)
    with open_workbench(settings, dataset, progress, embedder, rungs) as bench:
        built = {name: build_arm(name, bench) for name in ARMS if name in arms}
        ready = time.monotonic()
        total = len(bench.dataset.cases)
        done = 0

        def on_case() -> None:
            nonlocal done
            done += 1
            progress.update("ask", done, total)

        outcomes, stored = run_experiment(bench, built, on_case)
        curves = quality_curves(bench, stored) if FARTHING in built else {}
        content = {
            **_description(bench),
            **summarise(outcomes),
            "curves": {name: [point.to_json() for point in points] for name, points in curves.items()},
            "configuration": {
                **_configuration(bench),
                "limit": limit,
                "arms": {name: dict(arm.configuration()) for name, arm in built.items()},
            },
            "seconds": {"ready": round(ready - began, 1), "asking": round(time.monotonic() - ready, 1)},
        }
        return Run(content, bench.dataset.cases, outcomes, curves)


def write_run(run: Run, out: Path) -> None:
    """Write `run.json`, `cases.jsonl` and `report.html` into a folder.

    Raises:
        RunError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / RUN_FILE).write_text(json.dumps(run.content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        lines = [json.dumps(_case_row(outcome), ensure_ascii=False) for outcome in run.outcomes]
        (out / CASES_FILE).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        (out / REPORT_FILE).write_text(render_report(run.content, run.cases, run.outcomes, run.curves), encoding="utf-8")
    except OSError as error:
        raise RunError(f"The results cannot be written to {out} ({error}). Name another folder with --out.") from error


def default_out(dataset: str) -> Path:
    """A new folder below `runs/`, named by the moment and the dataset."""
    return Path("runs") / f"{datetime.now(tz=UTC):%Y%m%dT%H%M%SZ}-{dataset}"


def read_outcomes(run: Path) -> tuple[Mapping[str, Any], list[Outcome]]:
    """Read a finished run back, without its contexts and answers.

    Args:
        run: The folder of a run, or its `run.json`.

    Raises:
        RunError: It is not a run, or damaged.
    """
    folder = run.parent if run.name == RUN_FILE else run
    try:
        content = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        return content, [
            Outcome(
                arm=row["arm"],
                case_id=row["id"],
                case_type=row["type"],
                answerable=row["answerable"],
                values=row["values"],
                cost_usd=None,
                prompt_usd=None,
                good=row["correct_and_grounded"],
                error=row["error"],
            )
            for row in read_json_lines(folder / CASES_FILE)
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{folder} does not hold a run ({error}). Name a folder that `farthing eval run --out` has written."
        ) from error


def weights_hash() -> str:
    """SHA-256 of the learned weights that ship with the package, in hex."""
    return hashlib.sha256(files("retrieval").joinpath("weights.json").read_bytes()).hexdigest()


def _description(bench: Workbench) -> dict[str, Any]:
    dataset = bench.dataset
    answerable = sum(case.answerable for case in dataset.cases)
    return {
        "dataset": dataset.name,
        "cases": dataset.row_count,
        "asked": len(dataset.cases),
        "answerable": answerable,
        "unanswerable": len(dataset.cases) - answerable,
        "unreviewed": sum(case.unreviewed for case in dataset.cases),
        "excluded": [asdict(row) for row in dataset.excluded],
        "created_at": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "data_hash": dataset.data_hash,
        "weights_hash": weights_hash(),
        "prompt_hashes": prompt_hashes(),
        "versions": {**{name: metadata.version(name) for name in _PACKAGES}, "python": platform.python_version()},
    }


def _configuration(bench: Workbench) -> dict[str, Any]:
    named = sum(bool(case.must_include) for case in bench.dataset.cases if case.answerable)
    return {
        "profile": bench.profile,
        "embedder": bench.embedder.spec.key,
        "tokenizer": bench.counter.name,
        "index": bench.index_recipe,
        "baseline_model": bench.settings.baseline.model,
        "baseline_output_tokens": bench.settings.baseline.output_tokens,
        "resamples": RESAMPLES,
        "confidence": CONFIDENCE,
        "seed": SEED,
        "prices": bench.prices_version,
        "models": {"small": [one.model for one in bench.rungs.small], "strong": [one.model for one in bench.rungs.strong]},
        "groundedness": _groundedness_scorer(bench),
        "correctness": f"An answer is correct when it holds every phrase of must_include ({named} questions name some); "
        f"of the other questions, when it holds the gold answer or has a token F1 of at least {TOKEN_F1_THRESHOLD} with it.",
    }


def _groundedness_scorer(bench: Workbench) -> str:
    """What made the figures of groundedness, in words."""
    models = bench.rungs.small or bench.rungs.strong
    if not models:
        return "word for word"
    return f"ground check and judge {models[0].model}" if bench.settings.ladder.judge else "ground check"


def _case_row(outcome: Outcome) -> dict[str, Any]:
    return {
        "arm": outcome.arm,
        "id": outcome.case_id,
        "type": outcome.case_type,
        "answerable": outcome.answerable,
        "values": outcome.values,
        "cost_usd": plain_usd(outcome.cost_usd),
        "correct_and_grounded": outcome.good,
        "missing": outcome.missing,
        "answer": outcome.answer,
        "error": outcome.error,
    }
