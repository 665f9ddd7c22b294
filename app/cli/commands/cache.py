"""`farthing cache`: what is kept, what it saves, and putting it right."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from app import bootstrap
from app.answers.answers import Abstention, Answered
from app.answers.codec import JsonAnswers
from app.caching.selecting import Selection
from app.cli import OK, PARTLY
from app.cli.callers import local_caller
from app.cli.rendering import complain, console, printable
from app.cli.since import parse_since
from app.costs.pricing import dollars
from app.errors import CommandError
from app.settings import load_settings


def run_show(question_or_id: str, *, as_json: bool) -> int:
    """Show every entry of a question or an answer, and whether it would be given now."""
    shown = bootstrap.build_cache_care(load_settings()).show(question_or_id)
    if not shown:
        raise CommandError(f"Nothing is kept for {question_or_id!r}. `farthing cache stats` lists the most asked questions.")
    if as_json:
        print(json.dumps(shown, ensure_ascii=False))
    else:
        for entry in shown:
            _show_entry(entry, console(sys.stdout))
    return OK


def run_drop(
    question: str | None, document: str | None, label: str | None, older_than: str | None, answer_id: str | None, *, as_json: bool
) -> int:
    """Remove the entries for which every condition holds, their bytes included."""
    before = None if older_than is None else parse_since(older_than, datetime.now(UTC), "--older-than").timestamp()
    selection = Selection(id=answer_id, question=question, label=label, created_before=before)
    if selection == Selection() and document is None:
        raise CommandError(
            "Say what to drop: --question, --document, --label, --older-than or --id. `farthing cache clear` drops everything."
        )
    return _dropped(bootstrap.build_cache_care(load_settings()).drop(selection, document), as_json=as_json)


def run_clear(*, yes: bool, as_json: bool) -> int:
    """Remove everything; asks first, unless told not to."""
    dropped = bootstrap.build_cache_care(load_settings()).clear(lambda entries: yes or _may_drop(entries))
    if dropped is None:
        complain("Nothing was dropped.")
        return PARTLY
    return _dropped(dropped, as_json=as_json)


def run_pin(question_or_id: str, answer: Path | None, labels: tuple[str, ...], *, as_json: bool) -> int:
    """Have a reviewed answer given until what it cites changes."""
    settings = load_settings()
    reviewed = None if answer is None else _read(answer)
    scope = local_caller(labels).scope if labels else None
    pinned = bootstrap.build_cache_care(settings).pin(question_or_id, scope, reviewed)
    if as_json:
        print(json.dumps(pinned, ensure_ascii=False))
    else:
        for entry in pinned:
            print(f"Pinned: {printable(entry['question'])} (for {', '.join(entry['labels'])}), until what it cites changes.")
    return OK


def _may_drop(entries: int) -> bool:
    if not sys.stdin.isatty():
        raise CommandError(f"This drops all {entries:,} cached answers. Say so with --yes.")
    return input(f"Drop all {entries:,} cached answers? [y/N] ").strip().lower() in {"y", "yes"}


def _dropped(count: int, *, as_json: bool) -> int:
    print(json.dumps({"dropped": count}) if as_json else f"Dropped: {count:,}")
    return OK


def _read(file: Path) -> Answered | str:
    """A whole answer as JSON, or else words."""
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read as text: {error}.") from error
    return _answer(text, file) if text.lstrip().startswith("{") else text.strip()


def _answer(text: str, file: Path) -> Answered:
    try:
        answer = JsonAnswers().decode(text.encode())
    except ValidationError as error:
        raise CommandError(
            f"{file} begins like JSON and holds no answer. Begin from what `farthing ask QUESTION --json` prints, or write plain "
            "text with marks such as [1]."
        ) from error
    if isinstance(answer, Abstention):
        raise CommandError(f"{file} holds an abstention. There is nothing to pin.")
    return answer


def _show_entry(entry: dict[str, Any], out: Console) -> None:
    out.print(Text(printable(entry["question"]), style="bold"))
    out.print(f"    {entry['kind']} {entry['id']}, for {', '.join(entry['labels'])}, made {entry['created_at']}")
    if entry["answer"]:
        out.print("\n".join(f"    {line}" for line in printable(entry["answer"]).splitlines()))
    for citation in entry["citations"]:
        out.print(Text(f"    [{citation['n']}] {printable(citation['document'])}: {printable(citation['quote'])}", style="dim"))
    out.print(f"    cost {dollars(entry['cost_usd'])}; dies when a cited page changes, at the latest {entry['expires_at']}")
    if entry["verdict"]:
        out.print(f"    called {entry['verdict']} by whoever gave the last verdict on it")
    out.print(f"    now: {'given' if entry['served'] else 'not given: ' + entry['withheld']}")
