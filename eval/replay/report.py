"""What came of replayed traffic: `replay.json`, a page with pictures, and a table for the terminal."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from rich.console import Console

from app.caching.cache import HitKind
from app.cli.figures import percent, print_whole
from app.cli.rendering import printable, table
from app.costs.confidence import share_at_most
from app.costs.pricing import dollars, plain_usd
from app.costs.receipts import sum_usd
from eval.errors import RunError
from eval.replay.arms import PERFECT, SIMILAR
from eval.replay.replay import EXACT_ONLY, FARTHING, NO_CACHE, VERIFIED, Judged, Replayed
from eval.runs.charts import rates_chart
from eval.runs.report import page

REPLAY_FILE: Final = "replay.json"
REPLAY_REPORT: Final = "replay.html"

KINDS: Final = (HitKind.EXACT.value, HitKind.SAME_WORDS.value, HitKind.VERIFIED.value)
COLUMNS: Final = (
    "", "hits", "of asked", *(kind.replace("_", " ") for kind in KINDS), "wrong", "at most", "stale", "foreign", "tokens",
    "dollars", "of no cache", "p50 ms", "p95 ms",
)  # fmt: skip
NOTES: Final = (
    "wrong: made for a question with another gold answer; at most: Clopper and Pearson's 95 % bound on the share of wrong hits",
    "stale: a page that it cites has changed its words, or it declines what has an answer by now",
    "foreign: the asker may not read a page that it cites",
    "perfect: what no cache can do better, for it knows the gold answers, the edits and the rights",
    "ms: from question to answer, without the model's own time; no time-out of a cached answer ends during the replay",
)
_SLICES: Final = 40


def summarise_replay(replayed: Replayed) -> dict[str, Any]:
    """What `replay.json` holds."""
    askings = replayed.askings
    return {
        "arms": {name: _figures(judged) for name, judged in replayed.judged.items()},
        "over_time": {name: _over_time(judged) for name, judged in replayed.judged.items()},
        "replay": {
            "dataset": replayed.dataset,
            **asdict(replayed.settings),
            "questions": len(askings),
            "wordings": len({asking.text for asking in askings}),
            "gold_answers": len({asking.case.id for asking in askings}),
            "label_sets": len({asking.labels for asking in askings}),
            "syncs": len(replayed.syncs),
            "edits": replayed.edits,
            "synced_before": list(replayed.syncs),
            "calibrated_on": replayed.calibrated_on,
            "prices": replayed.prices,
            "seconds": replayed.seconds,
        },
    }


def write_replay(content: Mapping[str, Any], out: Path) -> None:
    """Write `replay.json` and `replay.html` into a folder.

    Raises:
        RunError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / REPLAY_FILE).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        (out / REPLAY_REPORT).write_text(render_replay(content), encoding="utf-8")
    except OSError as error:
        raise RunError(f"The results cannot be written to {out} ({error}). Name another folder with --out.") from error


def render_replay(content: Mapping[str, Any]) -> str:
    """The page as HTML. It needs no script and no network."""
    replay, series = content["replay"], content["over_time"]
    marks = [number / replay["questions"] for number in replay["synced_before"]]
    lines = {name: _total(series[name]) for name in (EXACT_ONLY, PERFECT)}
    charts = [
        (name, Markup(rates_chart({kind: series[name][kind] for kind in KINDS}, lines, marks, replay["questions"])))  # noqa: S704 - our own SVG
        for name in (FARTHING, VERIFIED)
    ]
    rows = [_cells(content, name) for name in content["arms"]]
    return page("replay.html", replay=replay, charts=charts, kinds=[*KINDS, *lines], columns=COLUMNS, rows=rows, notes=NOTES)


def show_replay(content: Mapping[str, Any], out: Console) -> None:
    """Print each arm: what it hit, what of that was wrong, and what it cost."""
    replay = content["replay"]
    out.print(
        f"{printable(replay['dataset'])}: {replay['questions']:,} questions in {replay['wordings']:,} wordings with "
        f"{replay['gold_answers']:,} gold answers, {replay['users']} users with {replay['label_sets']} sets of labels, "
        f"{replay['edits']:,} edits in {replay['syncs']} syncs; calibrated on {replay['calibrated_on']}"
    )
    rows = table(*COLUMNS)
    for name in content["arms"]:
        rows.add_row(*_cells(content, name))
    print_whole(rows, out)
    for note in NOTES:
        out.print(note)


def _figures(judged: Sequence[Judged]) -> dict[str, Any]:
    hits = [one for one in judged if one.given.kind]
    wrong = sum(one.wrong for one in hits)
    found = Counter(one.given.kind for one in hits)
    others = {kind: found[kind] for kind in (SIMILAR, PERFECT) if found[kind]}
    p50, p95, p99 = np.percentile([one.given.ms for one in judged], (50, 95, 99)).tolist()
    return {
        "asked": len(judged),
        "hits": {kind: found[kind] for kind in KINDS} | others,
        "wrong": wrong,
        "wrong_upper": round(share_at_most(wrong, len(hits)), 5),
        "stale": sum(one.stale for one in hits),
        "foreign": sum(one.foreign for one in hits),
        "tokens": sum(one.given.tokens for one in judged),
        "cost_usd": plain_usd(sum_usd([one.given.cost_usd for one in judged])),
        "latency_ms": {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)},
    }


def _over_time(judged: Sequence[Judged]) -> dict[str, list[float]]:
    """The share of each kind of hit in each slice of time."""
    slices = [part for part in np.array_split(np.arange(len(judged)), min(_SLICES, len(judged))) if len(part)]
    kinds = sorted({one.given.kind for one in judged if one.given.kind} | set(KINDS))
    return {
        kind: [round(sum(judged[at].given.kind == kind for at in part.tolist()) / len(part), 4) for part in slices]
        for kind in kinds
    }


def _total(series: Mapping[str, Sequence[float]]) -> list[float]:
    return [sum(shares) for shares in zip(*series.values(), strict=True)]


def _cells(content: Mapping[str, Any], name: str) -> tuple[str, ...]:
    figures, free = content["arms"][name], content["arms"][NO_CACHE]
    hits = sum(figures["hits"].values())
    share = float(figures["cost_usd"]) / float(free["cost_usd"]) if figures["cost_usd"] and float(free["cost_usd"] or 0) else None
    return (
        name,
        f"{hits:,}",
        percent(hits / figures["asked"]),
        *(f"{figures['hits'][kind]:,}" for kind in KINDS),
        f"{figures['wrong']:,}",
        percent(figures["wrong_upper"]) if hits else "-",
        f"{figures['stale']:,}",
        f"{figures['foreign']:,}",
        f"{figures['tokens']:,}",
        dollars(figures["cost_usd"]),
        percent(share),
        f"{figures['latency_ms']['p50']:.1f}",
        f"{figures['latency_ms']['p95']:.1f}",
    )
