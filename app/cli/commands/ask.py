"""`farthing ask`."""

import sys
from contextlib import nullcontext
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from app.answers.conversation import Conversation, continue_from
from app.answers.events import Decision, Event, Listener, Step, nobody
from app.answers.questions import Question, admit
from app.answers.shapes import AnswerShape, CitationShape, ReceiptLineShape, ReceiptShape, answer_shape
from app.bootstrap import build_counter, build_service
from app.cli import OK, PARTLY
from app.cli.callers import local_caller
from app.cli.rendering import console, printable, table
from app.costs.pricing import dollars
from app.errors import AppError
from app.settings import load_settings
from app.telemetry import configure_command_logging


def run(text: str, labels: tuple[str, ...], after: Path | None, *, explain: bool, as_json: bool) -> int:
    """Answer one question, a follow-up when it comes `after` an answer; the exit status says whether it was answered."""
    settings = load_settings()
    caller = local_caller(labels)
    question = Question(text, _read_conversation(after) if after else None)
    # Before anything heavy is imported: a question that will be refused should not wait for the model.
    admit(question, settings.answering.max_question_characters)
    service = build_service(settings)
    configure_command_logging()  # what the answer had to do without
    out = console(sys.stdout)
    try:
        service.warm_up()  # opening and loading are not this answer's doing, and not on its receipt
        with _Draft(out) if out.is_terminal and not as_json else nullcontext(nobody) as tell:
            answer = service.ask(question, caller, tell)
    finally:
        service.close()
    shape = answer_shape(answer, explain=explain, local=True)
    if as_json:
        print(shape.model_dump_json(exclude_unset=True))
    else:
        show(shape, out)
    return OK if shape.outcome == "answered" else PARTLY


class _Draft:
    """The draft while it is written, on a terminal; it goes when the answer comes."""

    def __init__(self, out: Console) -> None:
        self._live = Live(console=out, transient=True, auto_refresh=False)
        self._status = self._text = ""

    def __enter__(self) -> Listener:
        self._live.start()
        return self._show

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def _show(self, event: Event) -> None:
        if isinstance(event, Step):
            self._status = f"{event.rung}: {event.reason}"
            self._text = self._text if event.decision is Decision.KEEP else ""
        else:
            self._text += event.text
        self._live.update(Group(Text(printable(self._text)), Text(printable(self._status), style="dim")), refresh=True)


def _read_conversation(after: Path) -> Conversation:
    """What a follow-up may lean on, from an answer as `--json` printed it."""
    name = "standard input" if str(after) == "-" else str(after)
    try:
        previous = AnswerShape.model_validate_json(sys.stdin.buffer.read() if str(after) == "-" else after.read_bytes())
    except OSError as error:
        raise AppError(f"The previous answer {name} cannot be read: {error.strerror}.") from error
    except ValidationError as error:
        raise AppError(f"{name} does not hold an answer. Keep one with: farthing ask QUESTION --json > PREVIOUS.json") from error
    title, path = (previous.citations[0].title, previous.citations[0].heading_path) if previous.citations else ("", [])
    return continue_from(previous.question, title, path, build_counter())


def show(answer: AnswerShape, out: Console) -> None:
    """Print an answer for a person."""
    out.print(printable(answer.answer))
    for citation in answer.citations:
        out.print()
        out.print(Text(f"[{citation.n}] {_heading(citation)}", style="bold"))
        out.print("\n".join(f"    {line}" for line in printable(citation.quote).splitlines()))
        out.print(Text(f"    {printable(_place(citation))}", style="dim"))
    if answer.related:
        out.print()
        out.print(Text("The closest pages:", style="bold"))
    for page in answer.related:
        out.print(f"    {printable(page.title)}  {printable(page.uri)}")
    if answer.explanation:
        out.print()
        out.print(Text("Step by step:", style="bold"))
    for step in answer.explanation or ():
        out.print(f"    {step.rung}: {step.decision.value}, {printable(step.reason)}")
    out.print()
    show_receipt(answer.receipt, out)
    out.print(Text(f"Was it right? farthing feedback {answer.id} right|wrong", style="dim"))


def show_receipt(receipt: ReceiptShape, out: Console) -> None:
    """Print the bill."""
    bill = table("receipt", "tokens in", "tokens out", "cost", "ms")
    for line in receipt.lines:
        bill.add_row(
            _line_name(line), f"{line.input_tokens:,}", f"{line.output_tokens:,}", dollars(line.cost_usd), f"{line.ms:.1f}"
        )
    bill.add_row(
        "total", f"{receipt.input_tokens:,}", f"{receipt.output_tokens:,}", dollars(receipt.cost_usd), f"{receipt.ms:.1f}"
    )
    bill.add_row("the naive prompt", f"{receipt.baseline_input_tokens:,}", "", dollars(receipt.baseline_cost_usd), "")
    bill.add_row("saved", "", "", dollars(receipt.saved_usd), "")
    out.print(bill)
    for note in receipt.notes:
        out.print(Text(printable(note), style="dim"))


def _line_name(line: ReceiptLineShape) -> str:
    named = [line.stage.value, *(part for part in (line.rung, line.model) if part and part != line.stage.value)]
    return " ".join(named) + (" (tokens counted here)" if line.estimated else "")


def _heading(citation: CitationShape) -> str:
    return printable(" \N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK} ".join([citation.title, *citation.heading_path]))


def _place(citation: CitationShape) -> str:
    if citation.lines is None:
        return citation.uri
    first, last = citation.lines
    return f"{citation.uri}:{first}" if first == last else f"{citation.uri}:{first}-{last}"
