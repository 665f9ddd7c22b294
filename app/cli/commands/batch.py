"""`farthing batch`."""

import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from app.answers.answers import Answer
from app.answers.questions import Question
from app.bootstrap import build_ledger, build_rungs, build_service
from app.cli import INTERRUPTED, OK, PARTLY
from app.cli.callers import local_caller
from app.cli.commands.provider_batch import ProviderRun, open_batch
from app.cli.figures import counted
from app.cli.progress import ProgressBar
from app.cli.rendering import complain, console, printable
from app.costs.ledger import Surface
from app.costs.pricing import amount
from app.errors import CommandError
from app.jobs.answers_file import AnswersFile
from app.jobs.batch import Ask, Batch, Tally
from app.jobs.provider_batch import record_file
from app.jobs.questions_file import BatchQuestion, read_questions
from app.settings import Settings, load_settings
from indexing.documents import parse_labels

_PHASE: Final = "ask"
_PHASES: Final = {"prepare": "preparing", "provider": "waiting for the provider", _PHASE: "asking"}
_SHOWN_FAILED: Final = 20


@dataclass(frozen=True, slots=True)
class _Pace:
    concurrency: int
    per_minute: int | None

    def batch(self, ask: Ask, answers: AnswersFile, bar: ProgressBar, total: int) -> Batch:
        """A batch at this pace, which shows how far it is."""
        return Batch(ask, answers.append, lambda done: bar.update(_PHASE, done, total), self.concurrency, self.per_minute)


def run(file: Path, out: Path, labels: tuple[str, ...], concurrency: int, per_minute: int | None, *, provider_batch: bool) -> int:
    """Answer the questions of a file that have no answer yet; the exit status says whether all of them have one now."""
    settings = load_settings()
    if _same(file, out):
        raise CommandError(f"{out} holds the questions. Name another file for the answers: --out ANSWERS.jsonl")
    questions = read_questions(file, parse_labels(labels), settings.answering.max_question_characters)
    with AnswersFile(out) as answers:
        missing = [question for question in questions if not answers.has(question)]
        answered_before = len(questions) - len(missing)
        record = record_file(out)
        if record.exists() and not provider_batch:
            raise CommandError(
                f"{record} tells of a batch at a provider. Run the same with --provider-batch to take its replies."
            )
        pace = _Pace(concurrency, per_minute)
        try:
            if provider_batch and (missing or record.exists()):
                tally = _ask_provider(settings, missing, answers, pace, record)
            else:
                tally = _ask(settings, missing, answers, pace) if missing else Tally()
        except KeyboardInterrupt:  # while the index was opened
            tally = Tally(interrupted=True)
    show(tally, answered_before, console(sys.stdout))
    left = len(missing) - tally.answered - tally.abstained
    _complain(tally, left, out)
    if tally.interrupted:
        return INTERRUPTED
    return PARTLY if left else OK


def _same(file: Path, out: Path) -> bool:
    return file.resolve() == out.resolve() or (file.exists() and out.exists() and file.samefile(out))


def _ask(settings: Settings, questions: Sequence[BatchQuestion], answers: AnswersFile, pace: _Pace) -> Tally:
    caller = local_caller(surface=Surface.BATCH)
    service = build_service(settings)

    def ask(question: BatchQuestion) -> Answer:
        return service.ask(Question(question.text), caller.reading(question.scope))

    try:
        service.warm_up()
        with ProgressBar(console(sys.stderr), {_PHASE: "asking"}) as bar:
            bar.update(_PHASE, 0, len(questions))
            return pace.batch(ask, answers, bar, len(questions)).run(questions)
    finally:
        service.close()


def _ask_provider(
    settings: Settings, questions: Sequence[BatchQuestion], answers: AnswersFile, pace: _Pace, record: Path
) -> Tally:
    caller, rungs = local_caller(surface=Surface.BATCH), build_rungs(settings)
    with closing(build_ledger(settings)) as ledger:
        provider = open_batch(rungs, record, ledger)
        service = build_service(settings, rungs=rungs, ledger=ledger)
        try:
            service.warm_up()
            with ProgressBar(console(sys.stderr), _PHASES) as bar:

                def ask_all(rows: Sequence[BatchQuestion], ask: Callable[[BatchQuestion], Answer], tally: Tally) -> Tally:
                    return pace.batch(ask, answers, bar, len(rows)).run(rows, tally)

                return ProviderRun(service, provider, caller, bar.update, ask_all).run(questions)
        finally:
            service.close()


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


def _complain(tally: Tally, left: int, out: Path) -> None:
    """Say why a run ended before its last row, and how it goes on."""
    without = counted(left, "question has", "questions have")
    again = f"{without} no answer yet. Run the same again to go on; {out} keeps what is there."
    if record_file(out).exists():
        again = f"{again} The batch goes on at the provider, and that run picks it up."
    if tally.held_back:
        complain(f"{tally.held_back} {again}")
    elif tally.interrupted:
        complain(f"Interrupted. {again}")
