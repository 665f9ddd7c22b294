"""The command line: parse, call, render. Nothing heavy is imported until a command needs it."""

import sys
import traceback
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from app.errors import AppError, CommandError
from app.jobs.errors import DOMAIN_ERRORS

OK: Final = 0
PARTLY: Final = 1
REFUSED: Final = 2
FAULT: Final = 70
INTERRUPTED: Final = 130

_SINCE: Final = "30d"

PLUGINS: Final = "farthing.commands"
"""The entry-point group in which other packages register commands: a name, and a typer application."""

_PLUGIN_HELP: Final = {
    "eval": "Measure quality and cost on your own documents.",
    "tune": "Find the cheapest settings that keep enough evidence.",
    "profiles": "List the settings that were tuned, and go back to earlier ones.",
}
"""What `farthing --help` says of plugins, whose own words would cost an import."""

Labels = Annotated[
    list[str] | None, typer.Option("--label", metavar="LABEL", help="An access label; may be given more than once.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Since = Annotated[
    str, typer.Option(metavar="WHEN", help="How far to look back: hours, days, weeks (24h, 30d, 12w), or a date (2026-10-01).")
]

app = typer.Typer(
    help="Answers questions from your own documents, with citations and the bill.",
    epilog=(
        "Exit status: 0 all well, 1 done with files skipped or an abstention, 2 refused, 70 a fault of the program, "
        "130 interrupted."
    ),
    rich_markup_mode=None,  # plain help needs no import of rich
    pretty_exceptions_enable=False,
    add_completion=False,
    no_args_is_help=True,
)
costs_app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
app.add_typer(costs_app, name="costs")
cache_app = typer.Typer(
    help="Look after the answers that are kept to be given again.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)
app.add_typer(cache_app, name="cache")


@app.command()
def index(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Folders and files.", show_default=False)] = None,
    label: Labels = None,
    source: Annotated[str | None, typer.Option("--source", metavar="NAME", help="One source of this name for all paths.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done and what it would cost; do nothing.")
    ] = False,
    refresh: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Answer up to N of the most asked questions afresh whose cached answers died."),
    ] = None,
    json: Json = False,
) -> None:
    """Index folders and files, or, without a path, the sources of the settings. Only what changed is embedded."""
    from app.cli.commands import index as command

    raise typer.Exit(command.run(tuple(paths or ()), tuple(label or ()), source, refresh, dry_run=dry_run, as_json=json))


@app.command()
def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="A question, in quotes.")],
    label: Labels = None,
    after: Annotated[
        Path | None,
        typer.Option(metavar="PREVIOUS.json", help="The question follows this answer, as --json printed it; - reads stdin."),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show what was decided on each rung, and why.")] = False,
    json: Json = False,
) -> None:
    """Answer a question from the indexed documents, or abstain and show the closest pages."""
    from app.cli.commands import ask as command

    raise typer.Exit(command.run(question, tuple(label or ()), after, explain=explain, as_json=json))


@app.command()
def batch(
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS.jsonl", help="A line for each: question, perhaps id, labels.")],
    out: Annotated[Path, typer.Option(metavar="ANSWERS.jsonl", help="Takes an answer a line; what is in it is not asked again.")],
    label: Labels = None,
    concurrency: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="How many are answered at once.")] = 4,
    per_minute: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many are begun in a minute.")] = None,
    provider_batch: Annotated[
        bool, typer.Option("--provider-batch", help="Use the provider's batch API: cheaper, within a day.")
    ] = False,
) -> None:
    """Answer many questions from a file. Run it again to go on where it stopped."""
    from app.cli.commands import batch as command

    pace = concurrency, per_minute
    raise typer.Exit(command.run(questions, out, tuple(label or ()), *pace, provider_batch=provider_batch))


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on; the default is the setting server.host.")] = None,
    port: Annotated[int | None, typer.Option(help="The port; the default is the setting server.port.")] = None,
) -> None:
    """Answer questions over HTTP, until interrupted."""
    from app.cli.commands import serve as command

    raise typer.Exit(command.run(host, port))


@app.command()
def status(json: Json = False) -> None:
    """Say what is indexed."""
    from app.cli.commands import status as command

    raise typer.Exit(command.run(as_json=json))


@app.command()
def doctor() -> None:
    """Check settings, home, index, models, ledger and more: each line says ok, or what to do."""
    from app.cli.commands import doctor as command

    raise typer.Exit(command.run())


@costs_app.callback(invoke_without_command=True)
def costs(
    context: typer.Context,
    since: Since = _SINCE,
    by: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Break down by team, person, model, rung, stage, surface or day.")
    ] = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of text.")] = False,
    focus: Annotated[bool, typer.Option("--focus", help="Print billing data as FOCUS 1.2 has it, in CSV.")] = False,
) -> None:
    """Say what was spent and saved, and what an answer costs; `forecast` says what a month would."""
    if context.invoked_subcommand:
        if (since, by, json, csv, focus) != (_SINCE, None, False, False, False):
            raise CommandError("Options of `forecast` go after it: farthing costs forecast --questions-per-day 5000 --since 12w")
        return
    from app.cli.commands import costs as command

    raise typer.Exit(command.run(since, by, as_json=json, as_csv=csv, as_focus=focus))


@costs_app.command("forecast")
def costs_forecast(
    questions_per_day: Annotated[int, typer.Option(metavar="N", help="A volume of your own, beside the usual ones.")],
    since: Since = _SINCE,
    fixed_usd_per_month: Annotated[
        str, typer.Option(metavar="USD", help="What a month costs whatever is asked, such as servers.")
    ] = "0",
    json: Json = False,
) -> None:
    """Say what a month would cost at 1,000 to 10 million questions a day, from measured averages."""
    from app.cli.commands import forecast as command

    raise typer.Exit(command.run(questions_per_day, since, fixed_usd_per_month, as_json=json))


@cache_app.command("stats")
def cache_stats(since: Since = _SINCE, json: Json = False) -> None:
    """Say what is kept, how often it is given and what that saves, and by what it is decided."""
    from app.cli.commands import cache_stats as command

    raise typer.Exit(command.run(since, as_json=json))


@cache_app.command("show")
def cache_show(
    question: Annotated[str, typer.Argument(metavar="QUESTION|ANSWER_ID", help="A question, in quotes, or the id of an answer.")],
    json: Json = False,
) -> None:
    """Show what is kept for a question, when it dies, and why it would be given now or not."""
    from app.cli.commands import cache as command

    raise typer.Exit(command.run_show(question, as_json=json))


@cache_app.command("drop")
def cache_drop(
    question: Annotated[str | None, typer.Option(metavar="TEXT", help="The question, whatever its case.")] = None,
    document: Annotated[str | None, typer.Option(metavar="PATH", help="A document that they cite, as citations name it.")] = None,
    label: Annotated[str | None, typer.Option(metavar="LABEL", help="A label of what they cite, or of who asked.")] = None,
    older_than: Annotated[str | None, typer.Option(metavar="WHEN", help="Made longer ago than 24h, 30d, 12w, or a date.")] = None,
    answer_id: Annotated[str | None, typer.Option("--id", metavar="ANSWER_ID", help="The id of the answer.")] = None,
    json: Json = False,
) -> None:
    """Erase the answers for which all that is given holds."""
    from app.cli.commands import cache as command

    raise typer.Exit(command.run_drop(question, document, label, older_than, answer_id, as_json=json))


@cache_app.command("pin")
def cache_pin(
    question: Annotated[str, typer.Argument(metavar="ANSWER_ID|QUESTION", help="The id of a kept answer, or a question.")],
    answer: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What to say: text with marks [1] for the kept citations, or an answer as JSON."),
    ] = None,
    label: Labels = None,
    json: Json = False,
) -> None:
    """Have a reviewed answer given until what it cites changes."""
    from app.cli.commands import cache as command

    raise typer.Exit(command.run_pin(question, answer, tuple(label or ()), as_json=json))


@cache_app.command("calibrate")
def cache_calibrate(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="A folder with docs/ and questions.jsonl.")],
    json: Json = False,
) -> None:
    """Count on your own questions when a cached answer may be given to other words."""
    plugin = next((one for one in entry_points(group=PLUGINS) if one.name == "eval"), None)
    if plugin is None:
        raise AppError("Calibrating needs the package `eval`, which is not installed here.")
    arguments = ["calibrate-cache", str(dataset), *(["--json"] if json else [])]
    _load(plugin)(arguments, prog_name="farthing eval")


@cache_app.command("clear")
def cache_clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Erase everything that is kept."""
    from app.cli.commands import cache as command

    raise typer.Exit(command.run_clear(yes=yes, as_json=json))


@app.command()
def feedback(
    answer_id: Annotated[str, typer.Argument(metavar="ANSWER_ID", help="The id of the answer, as --json shows it.")],
    verdict: Annotated[str, typer.Argument(metavar="right|wrong", help="Whether the answer is right.")],
    comment: Annotated[str | None, typer.Option(metavar="TEXT", help="What is wrong with it, or good.")] = None,
) -> None:
    """Say whether an answer was right. The last verdict on an answer counts; a wrong one is not given again."""
    from app.cli.commands import feedback as command

    raise typer.Exit(command.run(answer_id, verdict, comment))


def main() -> None:
    """Run the command line: every domain error becomes one sentence on stderr and exit status 2."""
    for plugin in entry_points(group=PLUGINS):
        _register(plugin)
    try:
        app(prog_name="farthing")
    except DOMAIN_ERRORS as error:
        print(f"farthing: {error}", file=sys.stderr)
        sys.exit(REFUSED)
    except Exception:  # noqa: BLE001 - a fault must not leave with the status of an abstention
        traceback.print_exc()
        print(
            "farthing: this is a fault of the program, not of your input. Please report it with the lines above.", file=sys.stderr
        )
        sys.exit(FAULT)


def _register(plugin: EntryPoint) -> None:
    """Add a command that imports its package when it is called, not before."""

    @app.command(
        plugin.name,
        help=_PLUGIN_HELP.get(plugin.name, f"A command of the package {plugin.module.split('.', maxsplit=1)[0]}."),
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def run(context: typer.Context) -> None:
        _load(plugin)(context.args, prog_name=f"farthing {plugin.name}")


def _load(plugin: EntryPoint) -> Any:
    """The command of a plugin. Raises `AppError` when its package is not whole."""
    try:
        return plugin.load()
    except ImportError as error:
        raise AppError(f"The command `{plugin.name}` is not installed here: {error}.") from error
