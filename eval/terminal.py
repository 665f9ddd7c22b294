"""How results look on a terminal: tables on stdout, progress and warnings on stderr."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from app.cli.figures import percent
from app.cli.rendering import complain, printable, table
from app.costs.confidence import share_at_least
from app.costs.pricing import dollars
from eval.arms.arms import ARMS, FARTHING, LLAMAINDEX, NAIVE
from eval.calibration.calibration import Calibrated
from eval.measures.measures import Measure
from eval.runs.compare import Comparison
from eval.runs.gate import Guarded
from eval.runs.report import difference, number
from eval.tuning.measuring import SPLIT
from eval.tuning.search import FEWER_TIMES, FLOOR_MEASURE, LOST_POINTS, FrontierPoint, Tuning

PHASES: Final = {"read": "reading", "embed": "embedding", "write": "writing", "ask": "asking", "tune": "trying settings"}
_SHOWN_FLIPS: Final = 40


def warn(run: Mapping[str, Any]) -> None:
    """Name the rows that were left out, with their lines, and say what failed."""
    for row in run["excluded"]:
        complain(f"left out: line {row['line']}, {row['id']}: {row['reason']}")
    if run["unreviewed"]:
        complain(f"{run['unreviewed']} of the questions were generated, and nobody has reviewed them yet")
    for name, figures in run["arms"].items():
        if failed := figures["failed"]:
            complain(f"{len(failed)} cases failed in {name}; the first is {failed[0]['id']}: {failed[0]['error']}")


def show_run(run: Mapping[str, Any], out: Console) -> None:
    """Print a run: what each arm keeps and spends, what it answers, and how far Farthing is from the others."""
    arms = [name for name in ARMS if name in run["arms"]]
    out.print(
        f"{run['dataset']}: {run['asked']} questions asked ({run['answerable']} answerable, {run['unanswerable']} not), "
        f"{len(run['excluded'])} left out"
    )
    out.print()
    _show_evidence(run, arms, out)
    _show_answers(run, arms, out)
    _show_costs(run, arms, out)
    if run["paired"]:
        out.print()
        _show_paired(run, out)


def _show_evidence(run: Mapping[str, Any], arms: Sequence[str], out: Console) -> None:
    rows = table("", "evidence", "95 %", "tokens", "p50", "p95", "recall@10", "nDCG@10", "RR@10", "fail")
    for name in arms:
        figures, tokens = run["arms"][name], run["arms"][name]["context_tokens"]
        rows.add_row(
            name,
            *_with_bounds(figures[FLOOR_MEASURE]),
            *(number(tokens[statistic]) for statistic in ("mean", "p50", "p95")),
            *(_decimal(figures[measure]) for measure in ("recall_at_10", "ndcg_at_10", "rr_at_10")),
            str(len(figures["failed"])),
        )
    out.print(rows)
    out.print()


def _show_answers(run: Mapping[str, Any], arms: Sequence[str], out: Console) -> None:
    answering = [name for name in arms if run["arms"][name]["correct_answers"] is not None]
    rows = table("", "correct", "token F1", "grounded", "citations", "abstained", "on unanswerable", "correct, grounded")
    for name in answering:
        figures = run["arms"][name]
        rows.add_row(
            name,
            *(_mean(figures[measure]) for measure in ("answer_correct", "token_f1", "groundedness", "citation_precision")),
            *(_share(figures[measure]) for measure in ("abstained_answerable", "abstained_unanswerable")),
            "-" if figures["correct_grounded_answers"] is None else str(figures["correct_grounded_answers"]),
        )
    if answering:
        out.print(rows)
        out.print(f"grounded: by {run['configuration']['groundedness']}")
        out.print()


def _show_costs(run: Mapping[str, Any], arms: Sequence[str], out: Console) -> None:
    rows = table("", "per answer", "basis", "per correct", "per correct, grounded", "p50 ms", "p95 ms", "p99 ms")
    for name in arms:
        figures, latency = run["arms"][name], run["arms"][name]["latency_ms"]
        rows.add_row(
            name,
            dollars(figures["cost_usd_per_answer"]),
            figures["cost_basis"],
            *(
                "-" if figures[counted] is None else dollars(figures[cost])
                for counted, cost in (
                    ("correct_answers", "cost_usd_per_correct_answer"),
                    ("correct_grounded_answers", "cost_usd_per_correct_grounded_answer"),
                )
            ),
            *("-" if latency[statistic] is None else f"{latency[statistic]:.0f}" for statistic in ("p50", "p95", "p99")),
        )
    out.print(rows)
    if NAIVE in arms or LLAMAINDEX in arms:
        out.print("ms: farthing from question to answer; the naive pipelines without embedding the question")


def _show_paired(run: Mapping[str, Any], out: Console) -> None:
    differences = table("farthing less", "evidence", "95 %", "tokens", "tokens, times")
    own = run["arms"][FARTHING]["context_tokens"]["mean"]
    for pair, figures in run["paired"].items():
        name = pair.removeprefix(f"{FARTHING}-")
        gain, tokens = figures[FLOOR_MEASURE], figures["context_tokens"]
        spent = run["arms"][name]["context_tokens"]["mean"]
        bounds = "-" if gain is None else f"{gain['low'] * 100:+.1f} to {gain['high'] * 100:+.1f}"
        times = "-" if not own or spent is None else f"{spent / own:.1f}x"
        differences.add_row(name, difference(gain, None), bounds, "-" if tokens is None else f"{tokens['mean']:+,.0f}", times)
    out.print(differences)


def show_comparison(comparisons: Sequence[Comparison], out: Console) -> None:
    """Print what changed from the first run to the second, arm by arm."""
    for comparison in comparisons:
        only = f", {comparison.only} in one run only" if comparison.only else ""
        out.print(f"{comparison.arm}: {comparison.cases} questions in both{only}")
        rows = table("", "first", "second", "difference", "95 %")
        for measure, before, after, change in comparison.differences:
            rows.add_row(
                measure.label,
                *(_figure(measure, value) for value in (before, after, change.value)),
                f"{_figure(measure, change.low)} to {_figure(measure, change.high)}",
            )
        out.print(rows)
        for flip in comparison.flips[:_SHOWN_FLIPS]:
            sign, style = ("better", "green") if flip.improved else ("worse ", "red")
            out.print(Text(f"{sign}  {printable(flip.case_id)}: {flip.measure.label}", style=style))
        if len(comparison.flips) > _SHOWN_FLIPS:
            out.print(f"... and {len(comparison.flips) - _SHOWN_FLIPS} more flips")
        out.print()


def show_gate(name: str, guarded: Sequence[Guarded], out: Console) -> None:
    """Print each committed figure beside the new one; a red line names what fell."""
    for one in guarded:
        guard = one.guard
        new = "unknown" if one.value is None else _figure(guard.measure, one.value)
        words = f"committed {_figure(guard.measure, guard.committed)}, new {new}, margin {_figure(guard.measure, guard.margin)}"
        line = f"{'ok ' if one.holds else 'RED'}  {name}: {guard.measure.label}: {words}"
        out.print(Text(line, style="green" if one.holds else "bold red"))


def show_tuning(tuning: Tuning, out: Console) -> None:
    """Print the frontier, the pick with its proof and its gain, and what the search cost."""
    out.print(
        f"Searched on {tuning.searched_questions} questions, proved on the other {tuning.proved_questions}. Divided: {SPLIT}."
    )
    rows = table("budget", "tokens", "searched", "tokens, proof", "proved", "95 %", "whole", "lost", "95 %")
    for point in tuning.frontier:
        marks = " <- picked" if point is tuning.pick else ""
        rows.add_row(
            str(point.searched.settings.budget_tokens),
            number(point.searched.mean_tokens),
            percent(point.searched.retention),
            number(point.proved.mean_tokens),
            percent(point.retention.value),
            f"{point.retention.low * 100:.1f} to {point.retention.high * 100:.1f}",
            f"{point.times_fewer_tokens:.1f}x",
            f"{point.lost.value * 100:+.1f}",
            f"{point.lost.low * 100:+.1f} to {point.lost.high * 100:+.1f}{marks}",
        )
    out.print(rows)
    out.print(
        "whole: how many times the tokens that the same passages need uncompressed; lost: the points that compression loses"
    )
    out.print()
    _show_pick(tuning, out)
    _show_lossless(tuning, out)
    out.print(
        f"The search took {tuning.seconds:.0f} s: {tuning.replayed:,} questions replayed, {tuning.reused:,} taken from what was "
        "measured before, no model call, $0."
    )


def _show_pick(tuning: Tuning, out: Console) -> None:
    pick = tuning.pick
    if pick is None or tuning.retention_gain is None or tuning.tokens_gain is None:
        best = tuning.best
        out.print(
            f"Nothing reaches {percent(tuning.floor)}. The best is {percent(best.retention)} at {number(best.mean_tokens)} "
            f"tokens, with a budget of {best.settings.budget_tokens}."
        )
        return
    out.print(f"The cheapest that reaches {percent(tuning.floor)}: {_settings(pick)}")
    out.print(f"  proved: {percent(pick.retention.value)}, 95 % {percent(pick.retention.low)} to {percent(pick.retention.high)}")
    gain, tokens = tuning.retention_gain, tuning.tokens_gain
    out.print(
        f"  against the current settings: {gain.value * 100:+.1f} points ({gain.low * 100:+.1f} to {gain.high * 100:+.1f}), "
        f"{tokens.value:+,.0f} tokens ({tokens.low:+,.0f} to {tokens.high:+,.0f})"
    )
    if not tuning.held:
        out.print(
            f"  The other half does not hold it: it is below {percent(tuning.floor)} there, and is not put in force. With "
            f"{tuning.proved_questions} questions that may be chance: more questions prove more, a higher floor leaves a reserve."
        )


def _show_lossless(tuning: Tuning, out: Console) -> None:
    point = tuning.lossless
    if point is None:
        out.print(f"No setting loses at most {LOST_POINTS:.0%} against its passages whole at {FEWER_TIMES} times fewer tokens.")
        return
    where = "" if point.lost.value <= LOST_POINTS else " where it was searched, not on the other half"
    out.print(
        f"Nearly lossless{where}: budget {point.searched.settings.budget_tokens}, at most "
        f"{max(point.searched.settings.selection.ceilings.values())} passages: {percent(point.retention.value)} at "
        f"{number(point.proved.mean_tokens)} tokens, proved; {point.lost.value * 100:.1f} points less than whole "
        f"({point.lost.low * 100:.1f} to {point.lost.high * 100:.1f}), {point.times_fewer_tokens:.1f} times fewer tokens."
    )


def _settings(point: FrontierPoint) -> str:
    content = point.searched.settings.to_json()
    ceilings = ", ".join(f"{form} {count}" for form, count in content["ceilings"].items())
    scales = ", ".join(f"{group} x{scale}" for group, scale in content["unit_scales"].items())
    return f"budget {content['budget_tokens']}, score gap {content['max_score_gap']}; at most {ceilings} passages; {scales}"


def _figure(measure: Measure, value: float) -> str:
    return percent(value) if measure.share else f"{value:,.1f}"


def _with_bounds(figures: Mapping[str, float] | None) -> tuple[str, str]:
    if figures is None:
        return "-", "-"
    return percent(figures["mean"]), f"{figures['low'] * 100:.1f} to {figures['high'] * 100:.1f}"


def _decimal(figures: Mapping[str, float] | None) -> str:
    return "-" if figures is None else f"{figures['mean']:.3f}"


def _mean(figures: Mapping[str, float] | None) -> str:
    return "-" if figures is None else percent(figures["mean"])


def _share(value: float | None) -> str:
    return "-" if value is None else percent(value)


def show_calibration(made: Calibrated, out: Console) -> None:
    """Print what of the answer cache's proposals is right, and how many each bound would let pass."""
    rows = table("probability from", "questions", "right", "lower bound")
    for band in made.calibration.bands:
        bound = share_at_least(band.right, band.asked)
        rows.add_row(f"{band.lowest:.2f}", f"{band.asked:,}", f"{band.right:,}", f"{bound:.1%}" if band.asked else "")
    out.print(rows)
    out.print()
    for bound, served in made.served.items():
        out.print(f"given on the evidence alone at a bound of {bound:.0%}: {served:,} of {made.proposals:,}")
    out.print(f"Made from {printable(made.made_from)}.")
    out.print(f"{printable(str(made.file))} decides from now on; `farthing cache stats` says what that allows.")
