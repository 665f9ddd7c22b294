"""`farthing cache`: what is kept, what it saves, and putting it right."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from app import bootstrap
from app.access.callers import scope_with
from app.answers.answers import Abstention, Answered
from app.answers.codec import JsonAnswers
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.reviews import make_way, pin, why_withheld
from app.caching.rulings import read
from app.caching.selecting import Selection, drop
from app.caching.store import StoredAnswer, TendedStore
from app.cli import OK, PARTLY
from app.cli.rendering import complain, console, printable
from app.cli.since import parse_since
from app.costs.pricing import dollars, plain_usd
from app.errors import CommandError
from app.settings import load_settings
from indexing.documents import parse_labels
from indexing.language import language

_CODEC: Final = JsonAnswers()
_SHORTEST_ID: Final = 8


def run_show(question_or_id: str, *, as_json: bool) -> int:
    """Show every entry of a question or an answer, and whether it would be given now."""
    settings = load_settings()
    with bootstrap.open_answers(settings) as store:
        found = _find(store, question_or_id)
    if not found:
        raise CommandError(f"Nothing is kept for {question_or_id!r}. `farthing cache stats` lists the most asked questions.")
    with bootstrap.open_inspection(settings) as (service, generation):
        withheld = [why_withheld(one, service.keys(one.question, one.scope), generation, _CODEC) for one in found]
    with bootstrap.open_ledger_reader(settings) as ledger:
        verdicts = [ledger.last_verdict(one.id) for one in found]
    shown = [{**_shape(one, why), "verdict": said} for one, why, said in zip(found, withheld, verdicts, strict=True)]
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
    with bootstrap.open_answers(load_settings()) as store:
        if document is None:
            dropped = drop(store, selection)
        else:
            dropped = sum(drop(store, replace(selection, document_id=name)) for name in _document_ids(store, document))
    return _dropped(dropped, as_json=as_json)


def run_clear(*, yes: bool, as_json: bool) -> int:
    """Remove everything; asks first, unless told not to."""
    with bootstrap.open_answers(load_settings()) as store:
        entries = store.usage().entries
        if entries and not yes:
            if not sys.stdin.isatty():
                raise CommandError(f"This drops all {entries:,} cached answers. Say so with --yes.")
            if input(f"Drop all {entries:,} cached answers? [y/N] ").strip().lower() not in {"y", "yes"}:
                complain("Nothing was dropped.")
                return PARTLY
        return _dropped(store.clear(), as_json=as_json)


def run_pin(question_or_id: str, answer: Path | None, labels: tuple[str, ...], *, as_json: bool) -> int:
    """Have a reviewed answer given until what it cites changes."""
    settings = load_settings()
    text = None if answer is None else _read(answer)
    reviewed = _answer(text, answer) if text is not None and text.lstrip().startswith("{") else None
    scope = scope_with(parse_labels(labels))
    if reviewed is not None:
        with bootstrap.open_answers(settings) as store:
            by_id = _with_id(list(store.entries()), question_or_id)
        question_or_id = by_id[0].question if by_id else question_or_id
        with bootstrap.open_inspection(settings) as (service, _):
            service.pin(question_or_id, scope, reviewed)
    with bootstrap.open_answers(settings) as store:
        found = [one for one in _find(store, question_or_id) if not labels or frozenset(one.labels) == scope.labels]
        if reviewed is None:
            pin(store, found, _CODEC, None if text is None else text.strip(), time.time(), language(settings.language))
            found = _find(store, found[0].id)
        pinned = [one for one in found if one.kind is EntryKind.PINNED]
        if reviewed is not None:
            make_way(store, pinned, language(settings.language))
    if as_json:
        print(json.dumps([_shape(entry, None) for entry in pinned], ensure_ascii=False))
    else:
        for entry in pinned:
            print(f"Pinned: {printable(entry.question)} (for {', '.join(entry.labels)}), until what it cites changes.")
    return OK


def _find(store: TendedStore, question_or_id: str) -> list[CachedAnswer]:
    """The entries of an answer, by its id or its first digits, or else of a question; newest first."""
    stored = list(store.entries())
    meant = Selection(question=question_or_id)
    found = _with_id(stored, question_or_id) or [one.entry for one in stored if meant.takes(one.entry)]
    return sorted(found, key=lambda one: -one.created_at)


def _with_id(stored: Sequence[StoredAnswer], answer_id: str) -> list[CachedAnswer]:
    """The entries of an answer, by its id or its first digits."""
    wanted = answer_id.strip()
    return [one.entry for one in stored if len(wanted) >= _SHORTEST_ID and one.entry.id.startswith(wanted)]


def _document_ids(store: TendedStore, named: str) -> list[str]:
    """The documents that cached answers cite by a path below their source, or else what was named itself, as an id."""
    ids: dict[str, None] = {}
    for stored in store.entries():
        entry = stored.entry
        answer = read(_CODEC, entry)
        if isinstance(answer, Answered):
            cited = zip(entry.units, answer.citations, strict=True)
            ids.update((unit.document_id, None) for unit, citation in cited if named in {citation.document, citation.uri})
    return list(ids) or [named]


def _dropped(count: int, *, as_json: bool) -> int:
    print(json.dumps({"dropped": count}) if as_json else f"Dropped: {count:,}")
    return OK


def _read(file: Path) -> str:
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read as text: {error}.") from error


def _answer(text: str, file: Path | None) -> Answered:
    try:
        answer = _CODEC.decode(text.encode())
    except ValidationError as error:
        raise CommandError(
            f"{file} begins like JSON and holds no answer. Begin from what `farthing ask QUESTION --json` prints, or write plain "
            "text with marks such as [1]."
        ) from error
    if isinstance(answer, Abstention):
        raise CommandError(f"{file} holds an abstention. There is nothing to pin.")
    return answer


def _shape(entry: CachedAnswer, withheld: str | None) -> dict[str, Any]:
    """An entry as `--json` prints it."""
    answer = json.loads(entry.body) if read(_CODEC, entry) else {}
    return {
        "id": entry.id,
        "question": entry.question,
        "kind": entry.kind.value,
        "labels": list(entry.labels),
        "answer": answer.get("answer"),
        "citations": answer.get("citations", []),
        "groundedness": entry.groundedness,
        "cost_usd": plain_usd(entry.cost_usd),
        "generation": entry.generation,
        "created_at": _moment(entry.created_at),
        "expires_at": _moment(entry.expires_at),
        "served": withheld is None,
        "withheld": withheld,
    }


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


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="seconds")
