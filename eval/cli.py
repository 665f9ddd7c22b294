"""The commands `farthing eval`, `farthing tune` and `farthing profiles`: parse, call, render."""

import json as json_format
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.answering.profiles import Profile, ProfileError, ProfileStore, require_same_model
from app.bootstrap import build_embedder
from app.cli import INTERRUPTED, OK, PARTLY
from app.cli.figures import percent
from app.cli.progress import ProgressBar
from app.cli.rendering import complain, console, printable, table
from app.costs.errors import CostsError
from app.costs.pricing import dollars
from app.generation.endpoints import Rungs
from app.settings import load_settings
from eval.arms.arms import ARMS, FARTHING, SMALLER_K
from eval.calibration.calibration import calibrate_dataset
from eval.questions.drafts import HEADING, make_questions, write_questions
from eval.questions.writing import open_question_writer
from eval.replay.replay import replay_dataset
from eval.replay.report import REPLAY_REPORT, show_replay, summarise_replay, write_replay
from eval.replay.traffic import TrafficSettings
from eval.runs.compare import compare_runs
from eval.runs.gate import check_baseline, read_baselines
from eval.runs.run import default_out, run_dataset, write_run
from eval.terminal import PHASES, show_calibration, show_comparison, show_gate, show_run, show_tuning, warn
from eval.tuning.run import parse_floor, tune_dataset
from eval.tuning.search import FLOOR_MEASURE

app = typer.Typer(
    help="Measure quality and cost on your own documents.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
tune_app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
profiles_app = typer.Typer(
    help="Profiles that `farthing tune --apply` has written.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)

_Dataset = Annotated[Path, typer.Argument(metavar="DATASET", help="A folder with docs/ and questions.jsonl.")]
_TRAFFIC: Final = TrafficSettings()
_INTERRUPTED_RUN: Final = "Interrupted. What was embedded is kept, and the next run goes on from there."


@app.command()
def run(
    dataset: _Dataset,
    arm: Annotated[
        list[str] | None, typer.Option("--arm", metavar="NAME", help=f"May be given more than once: {', '.join(ARMS)}.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="The first N rows only.")] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the results go; a new folder below runs/ by default.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print run.json.")] = False,  # noqa: FBT002 - typer reads flags so
) -> None:
    """Run the arms on a dataset; write run.json, cases.jsonl and report.html. smaller-k is always run beside farthing."""
    arms = tuple(arm or ARMS)
    if FARTHING in arms:
        arms = (*arms, SMALLER_K)
    try:
        with ProgressBar(console(sys.stderr), PHASES) as bar:
            result = run_dataset(load_settings(), dataset, bar, arms, limit)
    except KeyboardInterrupt:
        complain(_INTERRUPTED_RUN)
        raise typer.Exit(INTERRUPTED) from None
    folder = out or default_out(result.content["dataset"])
    write_run(result, folder)
    warn(result.content)
    screen = console(sys.stdout)
    if json:
        print(json_format.dumps(result.content, ensure_ascii=False))  # noqa: T201 - results go to stdout
    else:
        show_run(result.content, screen)
        screen.print(f"\n{printable(str(folder / 'report.html'))}")
    failed = any(figures["failed"] for figures in result.content["arms"].values())
    raise typer.Exit(PARTLY if failed else OK)


@app.command()
def replay(
    dataset: _Dataset,
    questions: Annotated[int, typer.Option(min=1, metavar="N", help="How many questions are asked.")] = _TRAFFIC.questions,
    distinct: Annotated[int | None, typer.Option(min=1, metavar="M", help="Of so many rows; all by default.")] = None,
    zipf: Annotated[float, typer.Option(min=0, metavar="S", help="The exponent of Zipf's law.")] = _TRAFFIC.zipf,
    paraphrases: Annotated[bool, typer.Option("--paraphrases", help="Ask the rows' paraphrases too.")] = False,  # noqa: FBT002 - as above
    near_misses: Annotated[bool, typer.Option("--near-misses", help="Ask each near miss five times.")] = False,  # noqa: FBT002 - as above
    edits: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Edits of pages; the dataset's edits.jsonl by default, if there is one.")
    ] = None,
    syncs: Annotated[int, typer.Option(min=1, metavar="N", help="Edits are taken in so many groups.")] = _TRAFFIC.syncs,
    users: Annotated[int, typer.Option(min=1, metavar="U", help="They have four sets of labels by turns.")] = _TRAFFIC.users,
    retyped: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="How many do not type a question as the dataset has it.")
    ] = _TRAFFIC.retyped_share,
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed makes the same traffic.")] = _TRAFFIC.seed,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the results go; runs/replay-DATASET by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print replay.json.")] = False,  # noqa: FBT002 - as above
) -> None:
    """Replay traffic through the answer cache, beside other caches; write replay.json and replay.html. Costs no dollars."""
    traffic = TrafficSettings(questions, distinct, zipf, paraphrases, near_misses, users, retyped, syncs, seed)
    try:
        with ProgressBar(console(sys.stderr), PHASES) as bar:
            content = summarise_replay(replay_dataset(load_settings(), dataset, traffic, bar, edits))
    except KeyboardInterrupt:
        complain(_INTERRUPTED_RUN)
        raise typer.Exit(INTERRUPTED) from None
    folder = out or Path("runs") / f"replay-{dataset.resolve().name}"
    write_replay(content, folder)
    screen = console(sys.stdout)
    if json:
        print(json_format.dumps(content, ensure_ascii=False))  # noqa: T201 - results go to stdout
    else:
        show_replay(content, screen)
        screen.print(f"\n{printable(str(folder / REPLAY_REPORT))}")


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a later run.")],
) -> None:
    """Compare two runs, measure by measure and case by case."""
    show_comparison(compare_runs(first, second), console(sys.stdout))


@app.command()
def gate() -> None:
    """Hold the line at the committed baselines: exit status 1 when quality fell or tokens rose beyond the margin."""
    settings, screen = load_settings(), console(sys.stdout)
    red = False
    for baseline in read_baselines():
        with ProgressBar(console(sys.stderr), PHASES) as bar:
            result, guarded = check_baseline(settings, baseline, bar)
        warn(result.content)
        show_gate(baseline.file.stem, guarded, screen)
        red = red or not all(one.holds for one in guarded)
    raise typer.Exit(PARTLY if red else OK)


@app.command("calibrate-cache")
def calibrate_cache(
    dataset: _Dataset,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,  # noqa: FBT002 - typer reads flags so
) -> None:
    """Calibrate the answer cache on your own questions, and let it decide by that from now on."""
    try:
        with ProgressBar(console(sys.stderr), PHASES) as bar:
            made = calibrate_dataset(load_settings(), dataset, bar)
    except KeyboardInterrupt:
        complain("Interrupted. The calibration that was there stays in force.")
        raise typer.Exit(INTERRUPTED) from None
    if json:
        print(json_format.dumps(made.to_json(), ensure_ascii=False))  # noqa: T201 - results go to stdout
    else:
        show_calibration(made, console(sys.stdout))


@app.command("make-questions")
def make_questions_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder of documents, or one document.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="A new file; stdout by default.")] = None,
    no_model: Annotated[bool, typer.Option("--no-model", help="Ask no model: headings and sentences only.")] = False,  # noqa: FBT002 - as above
) -> None:
    """Draft questions, each marked for a person to review: a model writes them if one is configured, else headings do."""
    settings, made, status = load_settings(), list[dict[str, Any]](), OK
    with open_question_writer(settings, Rungs() if no_model else None) as writer:
        try:
            with ProgressBar(console(sys.stderr), PHASES) as bar:
                drafts = _kept(make_questions(settings, path, bar, writer), made)
                if out is None:
                    deque(drafts, maxlen=0)
                else:
                    write_questions(drafts, out)
        except CostsError as error:  # such as a budget that leaves no room
            complain(f"{error} The drafts made until then are there.")
            status = PARTLY
        except KeyboardInterrupt:
            complain("Interrupted. The drafts made until then are there.")
            status = INTERRUPTED
    if out is None:
        for row in made:
            print(json_format.dumps(row, ensure_ascii=False))  # noqa: T201 - results go to stdout
    complain(
        f"{len(made)} drafts. Review each and remove its `review` mark; `farthing eval run` counts those that still have it."
    )
    if writer:
        by_model = sum(row["made_by"] != HEADING for row in made)
        complain(f"A model wrote {by_model} of them, for {dollars(writer.cost_usd)}, which is in the ledger under `eval`.")
    raise typer.Exit(status)


def _kept(rows: Iterable[dict[str, Any]], made: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        made.append(row)
        yield row


@tune_app.command()
def tune(
    dataset: _Dataset,
    floor: Annotated[str, typer.Option(metavar="MEASURE=SHARE", help="What must be kept, as in evidence_retention=0.85.")],
    apply: Annotated[bool, typer.Option("--apply", help="Put what was found in force, as a profile.")] = False,  # noqa: FBT002 - as above
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where the results go; runs/tune-DATASET by default.")] = None,
) -> None:
    """Find the cheapest settings that keep enough evidence, on one half of the questions, and prove them on the other."""
    settings, share = load_settings(), parse_floor(floor)
    folder = out or Path("runs") / f"tune-{dataset.resolve().name}"
    try:
        with ProgressBar(console(sys.stderr), PHASES) as bar:
            found, profile = tune_dataset(settings, dataset, share, folder, bar)
    except KeyboardInterrupt:
        complain(f"Interrupted. What was measured is kept in {folder}; run the same again to go on.")
        raise typer.Exit(INTERRUPTED) from None
    screen = console(sys.stdout)
    show_tuning(found, screen)
    screen.print(printable(str(folder / "tune.html")))
    if profile is None:
        raise typer.Exit(PARTLY)
    if apply:
        ProfileStore(settings.home.resolve()).apply(profile)
        screen.print(f"The profile {profile.name} is in force. `farthing profiles rollback` takes it back.")


@profiles_app.command("list")
def list_profiles() -> None:
    """List the profiles; the one in force is marked."""
    settings = load_settings()
    store, screen = ProfileStore(settings.home.resolve()), console(sys.stdout)
    applied, names = store.applied(), store.names()
    if not names:
        screen.print("There is no profile: the settings are in force. `farthing tune DATASET --floor ... --apply` makes one.")
        return
    rows = table("profile", "made", "dataset", "budget", "evidence retention", "")
    damaged = False
    for name in names:
        mark = "in force" if applied and applied[-1] == name else ""
        try:
            profile = store.read(name)
        except ProfileError as error:  # one that is damaged hides no other
            complain(str(error))
            rows.add_row(name, "-", "-", "-", "-", mark)
            damaged = True
            continue
        budget = str(profile.settings.budget_tokens)
        rows.add_row(name, profile.created_at, printable(profile.dataset), budget, _proved(profile), mark)
    screen.print(rows)
    if not applied:
        screen.print("None is in force: the settings are.")
    raise typer.Exit(PARTLY if damaged else OK)


def _proved(profile: Profile) -> str:
    try:
        return percent(profile.figures["proved"][FLOOR_MEASURE]["mean"])
    except (KeyError, TypeError):  # figures are for people to read; a file may have been edited by one
        return "-"


@profiles_app.command("rollback")
def roll_back() -> None:
    """Put the profile before the current one in force again, or the settings when it was the first."""
    settings = load_settings()
    store = ProfileStore(settings.home.resolve())
    name = store.roll_back()
    console(sys.stdout).print(f"The profile {name} is in force." if name else "The settings are in force.")
    if name is not None:  # the step is taken in any case, so that one more leads past a profile that cannot be used
        require_same_model(store.read(name), build_embedder(settings).spec)
