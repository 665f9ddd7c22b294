"""`farthing tune` from a dataset's folder to its results, and to the profile that it may put in force."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from app.answering.profiles import Profile, ProfileStore
from app.settings import Settings
from eval.arms.arms import Asked, ask_retrieval
from eval.arms.workbench import Workbench, open_workbench
from eval.datasets.cases import Dataset, load_dataset
from eval.errors import EvalError, RunError
from eval.runs.charts import Dot, Line, frontier_chart
from eval.runs.report import page
from eval.runs.run import RunProgress
from eval.tuning.measuring import SPLIT, Replayer, measurements_file
from eval.tuning.search import FLOOR_MEASURE, Tuning, tune
from indexing.embedding import Embedder, EmbedderSpec
from retrieval.context import ContextSettings

TUNE_FILE: Final = "tune.json"
TUNE_REPORT: Final = "tune.html"

_FLOOR: Final = re.compile(r"([a-z0-9_]+)=([0-9.]+)")


def parse_floor(text: str) -> float:
    """The floor in `evidence_retention=0.85`.

    Raises:
        EvalError: It names another measure, or no share between 0 and 1.
    """
    match = _FLOOR.fullmatch(text)
    try:
        if match and match.group(1) == FLOOR_MEASURE and 0 < (share := float(match.group(2))) <= 1:
            return share
    except ValueError:
        pass
    raise EvalError(
        f"{text!r} is no floor. Write {FLOOR_MEASURE}=SHARE with a share above 0 and at most 1, as in {FLOOR_MEASURE}=0.85."
    )


def tune_dataset(
    settings: Settings, folder: Path, floor: float, out: Path, progress: RunProgress, embedder: Embedder | None = None
) -> tuple[Tuning, Profile | None]:
    """Tune on a dataset, and write what was found into `out`.

    What is measured is written at once and reused by the next run with the same data, index, weights and code.

    Args:
        settings: The product's settings.
        folder: The dataset.
        floor: The least evidence retention.
        out: Where `tune.json`, `tune.html` and the measurements go.
        progress: Is told how far it is; the phase `tune` counts trials.
        embedder: Replaces the configured model.

    Returns:
        What was found, and the pick as a profile that may be applied; `None` when nothing reaches the floor or the other half
        does not hold the pick.

    Raises:
        DatasetError, EvalError: The dataset cannot be used, or is too small.
        RunError: `out` cannot be written.
    """
    dataset = load_dataset(folder)
    with open_workbench(settings, dataset, progress, embedder) as bench:
        stored = _stored_retrieval(bench, progress)
        replayer = Replayer(bench, stored, measurements_file(bench, out))
        try:
            found = tune(replayer, bench.context_settings, floor, lambda done, total: progress.update("tune", done, total))
        finally:
            replayer.close()
        store = ProfileStore(settings.home.resolve())
        profile = _profile(found, bench.dataset, bench.embedder.spec, store)
        _write(found, bench, profile, out)
        return found, profile


def _stored_retrieval(bench: Workbench, progress: RunProgress) -> list[Asked]:
    answerable = [case for case in bench.dataset.cases if case.answerable]
    stored = []
    for done, case in enumerate(answerable, start=1):
        stored.append(ask_retrieval(bench, case))
        progress.update("ask", done, len(answerable))
    return stored


def _profile(found: Tuning, dataset: Dataset, spec: EmbedderSpec, store: ProfileStore) -> Profile | None:
    if found.pick is None or not found.held:
        return None
    now = datetime.now(tz=UTC)
    stem = f"{re.sub(r'[^A-Za-z0-9._-]+', '-', dataset.name).strip('-._')[:40] or 'profile'}-{now:%Y-%m-%d}"
    taken = set(store.names())
    name = next(name for number in range(1, len(taken) + 2) if (name := stem if number == 1 else f"{stem}-{number}") not in taken)
    return Profile(
        name=name,
        created_at=now.isoformat(timespec="seconds"),
        settings=found.pick.searched.settings,
        embedder=spec,
        dataset=dataset.name,
        data_hash=dataset.data_hash,
        figures={"floor": {FLOOR_MEASURE: found.floor}, **found.pick.to_json(), "gain": _gain(found)},
    )


def _gain(found: Tuning) -> dict[str, Any]:
    return {
        FLOOR_MEASURE: found.retention_gain.to_json() if found.retention_gain else None,
        "context_tokens": found.tokens_gain.to_json() if found.tokens_gain else None,
    }


def tuning_json(found: Tuning, dataset: str, current: ContextSettings, profile: Profile | None) -> Mapping[str, Any]:
    """What `tune.json` holds."""
    return {
        "dataset": dataset,
        "floor": {FLOOR_MEASURE: found.floor},
        "split": SPLIT,
        "questions": {"searched": found.searched_questions, "proved": found.proved_questions},
        "current": {
            "settings": current.to_json(),
            FLOOR_MEASURE: found.current_retention.to_json(),
            "context_tokens": round(found.current.mean_tokens, 1),
        },
        "pick": found.pick.to_json() if found.pick else None,
        "held": found.held,
        "lossless": found.lossless.to_json() if found.lossless else None,
        "gain": _gain(found),
        "best": {FLOOR_MEASURE: round(found.best.retention, 6), "context_tokens": round(found.best.mean_tokens, 1)},
        "frontier": [point.to_json() for point in found.frontier],
        "cost": {"seconds": round(found.seconds, 1), "replayed": found.replayed, "reused": found.reused, "usd": "0"},
        "profile": profile.name if profile else None,
    }


def _write(found: Tuning, bench: Workbench, profile: Profile | None, out: Path) -> None:
    content = tuning_json(found, bench.dataset.name, bench.context_settings, profile)
    searched = [(point.searched.mean_tokens, point.searched.retention) for point in found.frontier]
    proved = Line("farthing", [(point.proved.mean_tokens, point.retention) for point in found.frontier])
    dots = [Dot("current", found.current.mean_tokens, found.current_retention)]
    if found.pick:
        dots.append(Dot("picked", found.pick.proved.mean_tokens, found.pick.retention))
    tried = [(one.mean_tokens, one.retention) for one in found.tried]
    chart = Markup(frontier_chart(tried, searched, proved, dots, found.floor))  # noqa: S704 - our own SVG, its labels escaped
    html = page("tune.html", tuning=content, chart=chart, frontier=found.frontier, pick=found.pick, lossless=found.lossless)
    try:
        (out / TUNE_FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (out / TUNE_REPORT).write_text(html, encoding="utf-8")
    except OSError as error:
        raise RunError(f"The results cannot be written to {out} ({error}). Name another folder with --out.") from error
