"""`report.html`: one page that opens from disk, with charts, figures and the worst cases. It needs no script and no network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.cli.figures import percent
from app.costs.pricing import dollars
from eval.arms.arms import ARMS, FARTHING, NO_COMPRESSION, SMALLER_K
from eval.datasets.cases import Case
from eval.measures.intervals import Interval
from eval.measures.measures import MEASURES, Measure, Outcome
from eval.runs.charts import Dot, Line, quality_chart, type_bars
from eval.runs.curves import CurvePoint

WORST_CASES: Final = 20


@dataclass(frozen=True, slots=True)
class WorstCase:
    """A case that went wrong, with what is needed to see why. `retained_by` are the other arms that had the whole evidence."""

    case: Case
    outcome: Outcome
    verdict: str
    retained_by: tuple[str, ...]


def render_report(
    run: Mapping[str, Any], cases: Sequence[Case], outcomes: Sequence[Outcome], curves: Mapping[str, Sequence[CurvePoint]]
) -> str:
    """The page as HTML. Everything that comes from documents, questions and answers is escaped.

    Args:
        run: What `run.json` holds.
        cases: The cases that were asked.
        outcomes: What came of them.
        curves: As `quality_curves` gives them; empty where `farthing` was not among the arms.
    """
    arms = [name for name in ARMS if name in run["arms"]]
    return page(
        "report.html",
        run=run,
        arms=arms,
        quality=Markup(_quality(run, arms, curves)),  # noqa: S704 - our own SVG, its labels escaped
        bars=Markup(_bars(run, arms)),  # noqa: S704 - as above
        rows=[(measure, [run["arms"][name][measure.name] for name in arms]) for measure in MEASURES],
        paired=_paired(run),
        headlines=_headlines(run) if FARTHING in arms else [],
        worst=worst_cases(cases, outcomes),
    )


def page(template: str, **values: object) -> str:
    """Fill a template of this package; everything but `Markup` is escaped."""
    environment = Environment(
        loader=PackageLoader("eval.runs"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "percent": percent,
        "measured": measured,
        "beside": beside,
        "difference": difference,
        "number": number,
        "money": dollars,
    }
    return environment.get_template(template).render(**values)


def worst_cases(cases: Sequence[Case], outcomes: Sequence[Outcome], limit: int = WORST_CASES) -> list[WorstCase]:
    """The cases that Farthing did worst on: failures, evidence that another arm had, evidence that none had, wrong answers."""
    by_id = {case.id: case for case in cases}
    held: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.arm != FARTHING and outcome.values.get("evidence_retention") == 1.0:
            held.setdefault(outcome.case_id, []).append(outcome.arm)
    found: list[tuple[int, WorstCase]] = []
    for outcome in outcomes:
        judged = _verdict(outcome, held) if outcome.arm == FARTHING else None
        if judged is not None:
            others = tuple(held.get(outcome.case_id, ()))
            found.append((judged[0], WorstCase(by_id[outcome.case_id], outcome, judged[1], others)))
    return [case for _, case in sorted(found, key=lambda pair: pair[0])[:limit]]


def _verdict(outcome: Outcome, held: Mapping[str, Sequence[str]]) -> tuple[int, str] | None:
    """How bad it is, 0 the worst, and in words; `None` when all is well."""
    values = outcome.values
    if outcome.error is not None:
        return 0, "the case failed"
    if outcome.answerable and outcome.missing:
        return (
            (1, "evidence lost by compression") if NO_COMPRESSION in held.get(outcome.case_id, ()) else (2, "evidence not found")
        )
    if values.get("abstained_unanswerable") == 0.0:
        return 3, "answered, though the documents do not"
    if values.get("abstained_answerable") == 1.0:
        return 4, "abstained, though the evidence was there"
    return (5, "the answer lacks what it must include") if values.get("answer_correct") == 0.0 else None


def _quality(run: Mapping[str, Any], arms: Sequence[str], curves: Mapping[str, Sequence[CurvePoint]]) -> str:
    lines = [Line(name, [(point.tokens, point.retention) for point in points]) for name, points in curves.items() if points]
    dots = []
    for name in arms:
        figures = run["arms"][name]
        if figures["evidence_retention"] and figures["context_tokens"]["mean"]:
            dots.append(Dot(name, figures["context_tokens"]["mean"], interval(figures["evidence_retention"])))
    return quality_chart(lines, dots)


def _bars(run: Mapping[str, Any], arms: Sequence[str]) -> str:
    types: dict[str, tuple[int, dict[str, Interval | None]]] = {}
    for name in arms:
        for kind, figures in run["arms"][name]["by_type"].items():
            if figures["evidence_retention"]:
                types.setdefault(kind, (figures["cases"], {}))[1][name] = interval(figures["evidence_retention"])
    ordered = dict(sorted(types.items(), key=lambda item: (-item[1][0], item[0])))
    return type_bars(ordered, arms)


def _paired(run: Mapping[str, Any]) -> list[tuple[str, list[tuple[Measure, Any]]]]:
    return [
        (
            name.removeprefix(f"{FARTHING}-"),
            [(m, figures[m.name]) for m in MEASURES if figures[m.name] and m.name != "latency_ms"],
        )
        for name, figures in run["paired"].items()
    ]


def _headlines(run: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The figures at the top: what, how much, and compared with what."""
    own = run["arms"][FARTHING]
    tokens = own["context_tokens"]["mean"]
    cards = [
        ("evidence retention", percent(own["evidence_retention"]["mean"]), _bounds(own["evidence_retention"])),
        (
            "context tokens a question",
            number(tokens),
            f"p50 {number(own['context_tokens']['p50'])}, p95 {number(own['context_tokens']['p95'])}",
        ),
    ]
    for name in (SMALLER_K, "naive-512-top5"):
        if name in run["arms"]:
            gain = run["paired"][f"{FARTHING}-{name}"]["evidence_retention"]
            spent = run["arms"][name]["context_tokens"]["mean"]
            ratio = "equal tokens" if name == SMALLER_K else f"{spent / tokens:.1f}x fewer tokens" if tokens else "no tokens"
            cards.append((f"against {name}, {ratio}", difference(gain, None), f"95 % interval {_bounds(gain, signed=True)}"))
    cost = own["cost_usd_per_correct_grounded_answer"]
    cards.append(
        ("per correct, grounded answer", dollars(cost), f"{own['correct_grounded_answers']} of {run['asked']} questions")
    )
    return cards


def interval(figures: Mapping[str, float]) -> Interval:
    """The interval that `run.json` holds."""
    return Interval(figures["mean"], figures["low"], figures["high"])


def number(value: float | None) -> str:
    """A count or a mean for people."""
    return "unknown" if value is None else f"{value:,.0f}"


def measured(value: Any, measure: Measure) -> str:
    """A measure of an arm, as `run.json` holds it, in a cell."""
    if value is None:
        return "—"
    if isinstance(value, (int, float)):
        return percent(value) if measure.share else number(value)
    if "p50" in value:
        return number(value.get("mean", value["p50"]))
    return percent(value["mean"])


def beside(value: Any, measure: Measure) -> str:
    """What stands below a measure in its cell: its bounds or its percentiles; nothing below a plain number."""
    if not isinstance(value, Mapping):
        return ""
    if "p50" in value:
        names = ("p50", "p95") if "mean" in value else ("p95", "p99")
        return ", ".join(f"{name} {number(value[name])}" for name in names)
    if measure.share:
        return f"{value['low'] * 100:.1f} to {value['high'] * 100:.1f}"
    return f"{number(value['low'])} to {number(value['high'])}"


def difference(value: Mapping[str, float] | None, measure: Measure | None) -> str:
    """A paired difference in a cell: points for shares, plain numbers for the rest."""
    if value is None:
        return "—"
    if measure is None or measure.share:
        return f"{value['mean'] * 100:+.1f} points"
    return f"{value['mean']:+,.0f}"


def _bounds(figures: Mapping[str, float], *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{figures['low'] * 100:{sign}.1f} to {figures['high'] * 100:{sign}.1f}"
