"""`farthing batch`."""

import sys
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from app.bootstrap import open_provider_batch, open_service
from app.cli import INTERRUPTED, OK, PARTLY
from app.cli.callers import local_caller
from app.cli.figures import counted
from app.cli.progress import ProgressBar
from app.cli.rendering import complain, console, printable
from app.costs.ledger import Surface
from app.costs.pricing import amount
from app.errors import CommandError
from app.jobs.batch import Tally
from app.jobs.file_batch import FileBatch, FileReport, Pace
from app.jobs.questions_file import read_questions
from app.settings import load_settings
from indexing.documents import parse_labels

_PHASES: Final = {"prepare": "preparing", "provider": "waiting for the provider", "ask": "asking"}
_SHOWN_FAILED: Final = 20


def run(file: Path, out: Path, labels: tuple[str, ...], concurrency: int, per_minute: int | None, *, provider_batch: bool) -> int:
    """Answer the questions of a file that have no answer yet; the exit status says whether all of them have one now."""
    settings = load_settings()
    if _same(file, out):
        raise CommandError(f"{out} holds the questions. Name another file for the answers: --out ANSWERS.jsonl")
    questions = read_questions(file, parse_labels(labels), settings.answering.max_question_characters)
    caller, pace = local_caller(surface=Surface.BATCH), Pace(concurrency, per_minute)
    with ProgressBar(console(sys.stderr), _PHASES) as bar:
        batch = FileBatch(partial(open_service, settings), partial(open_provider_batch, settings), caller, pace, bar)
        done = batch.run(questions, out, by_provider=provider_batch)
    show(done.tally, done.answered_before, console(sys.stdout))
    _complain(done, out)
    if done.tally.interrupted:
        return INTERRUPTED
    return PARTLY if done.left else OK


def _same(file: Path, out: Path) -> bool:
    return file.resolve() == out.resolve() or (file.exists() and out.exists() and file.samefile(out))


def show(tally: Tally, answered_before: int, out: Console) -> None:
    """Print what a run came to."""
    before = f"{answered_before:,} had been answered before" if answered_before else ""
    failed = f"{len(tally.failed):,}" if tally.failed else ""
    tokens = f"{tally.input_tokens:,} read, {tally.output_tokens:,} written"
    for name, figure, words in (
        ("answered", f"{tally.answered:,}", before),
        ("abstained", f"{tally.abstained:,}", ""),
        ("failed", failed or "0", "run the same again to try them again" if failed else ""),
        ("tokens", f"{tally.input_tokens + tally.output_tokens:,}", tokens),
        ("spent", amount(tally.cost_usd), ""),
        ("saved", amount(tally.saved_usd), "against the naive prompt, computed"),
    ):
        out.print(f"{name:12}{figure:>12}{f'  {words}' if words else ''}")
    if tally.noted:
        words = "a budget, an endpoint or the ledger held a model back: see notes in their receipts"
        out.print(f"{'noted':12}{f'{tally.noted:,}':>12}  {words}")
    for identity, reason in tally.failed[:_SHOWN_FAILED]:
        out.print(f"failed  {printable(identity)}: {printable(reason)}")
    if len(tally.failed) > _SHOWN_FAILED:
        out.print(f"... and {len(tally.failed) - _SHOWN_FAILED:,} more")


def _complain(done: FileReport, out: Path) -> None:
    """Say why a run ended before its last row, and how it goes on."""
    without = counted(done.left, "question has", "questions have")
    again = f"{without} no answer yet. Run the same again to go on; {out} keeps what is there."
    if done.goes_on:
        again = f"{again} The batch goes on at the provider, and that run picks it up."
    if done.tally.held_back:
        complain(f"{done.tally.held_back} {again}")
    elif done.tally.interrupted:
        complain(f"Interrupted. {again}")
