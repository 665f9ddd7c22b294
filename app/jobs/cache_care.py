"""Looking after cached answers: what is kept for a question, what is to go, and what a person has reviewed."""

import json
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from app.access.callers import scope_with
from app.answers.answers import Answered
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.reviews import make_way, pin, why_withheld
from app.caching.rulings import AnswerCodec, read
from app.caching.selecting import Selection, drop
from app.caching.store import TendedStore
from app.costs.pricing import plain_usd
from app.costs.reports import LedgerReader
from app.costs.shapes import moment
from indexing.documents import AccessScope
from indexing.language import Language
from retrieval.leasing import OpenGeneration

if TYPE_CHECKING:  # most of this needs no service
    from app.answering.service import AnswerService

_SHORTEST_ID: Final = 8


class CacheCare:
    """Finds, drops and pins cached answers."""

    def __init__(
        self,
        open_answers: Callable[[], AbstractContextManager[TendedStore]],
        open_inspection: "Callable[[], AbstractContextManager[tuple[AnswerService, OpenGeneration]]]",
        open_ledger: Callable[[], AbstractContextManager[LedgerReader]],
        codec: AnswerCodec,
        language: Language,
    ) -> None:
        """Put it together.

        Args:
            open_answers: Opens the store. What it raises comes through, as does `AnswerStoreError`.
            open_inspection: Opens a service to ask what it would do, and the generation that serves.
            open_ledger: Opens the ledger's reports, which know what people said.
            codec: Reads and writes answers.
            language: That of the questions.
        """
        self._open_answers = open_answers
        self._open_inspection = open_inspection
        self._open_ledger = open_ledger
        self._codec = codec
        self._language = language

    def show(self, question_or_id: str) -> list[dict[str, Any]]:
        """Every entry of a question or an answer, newest first, as JSON, with why it would not be given now."""
        with self._open_answers() as store:
            found = _find(store, question_or_id)
        if not found:
            return []
        with self._open_inspection() as (service, generation):
            reasons = [why_withheld(one, service.keys(one.question, one.scope), generation, self._codec) for one in found]
        with self._open_ledger() as ledger:
            return [
                {**self._shape(one, why), "verdict": ledger.last_verdict(one.id)} for one, why in zip(found, reasons, strict=True)
            ]

    def drop(self, selection: Selection, document: str | None) -> int:
        """Remove the entries that are meant, their bytes included, and say how many there were.

        Args:
            selection: Which are meant.
            document: They cite it, too: its path below its source, its address, or its id.
        """
        with self._open_answers() as store:
            if document is None:
                return drop(store, selection)
            return sum(drop(store, replace(selection, document_id=name)) for name in self._document_ids(store, document))

    def clear(self, may: Callable[[int], bool]) -> int | None:
        """Remove everything, and say how many entries there were; `None` where `may`, told how many there are, says no."""
        with self._open_answers() as store:
            entries = store.usage().entries
            return store.clear() if not entries or may(entries) else None

    def pin(self, question_or_id: str, scope: AccessScope | None, reviewed: Answered | str | None) -> list[dict[str, Any]]:
        """Have a reviewed answer given until what it cites changes.

        Args:
            question_or_id: A question, or the id of a kept answer.
            scope: Whose answer it is; `None` for every kept one, and for everyone where a whole answer is pinned.
            reviewed: A whole answer, or words for the kept ones, with marks to their citations; `None` keeps their own.

        Returns:
            What is pinned, as JSON.

        Raises:
            ReviewError: There is nothing to pin, or it does not cite what stands there.
            QuestionError, UnknownLabelError, ChunkIndexError, SearchError: A whole answer's question cannot be asked.
        """
        if isinstance(reviewed, Answered):
            with self._open_answers() as store:
                question_or_id = next((one.question for one in _with_id(_entries(store), question_or_id)), question_or_id)
            with self._open_inspection() as (service, _):
                service.pin(question_or_id, scope or scope_with(()), reviewed)
        with self._open_answers() as store:
            found = [one for one in _find(store, question_or_id) if scope is None or frozenset(one.labels) == scope.labels]
            if not isinstance(reviewed, Answered):
                pin(store, found, self._codec, reviewed, time.time(), self._language)
                found = _find(store, found[0].id)
            pinned = [one for one in found if one.kind is EntryKind.PINNED]
            if isinstance(reviewed, Answered):
                make_way(store, pinned, self._language)
        return [self._shape(one, None) for one in pinned]

    def _shape(self, entry: CachedAnswer, withheld: str | None) -> dict[str, Any]:
        """An entry as JSON. `withheld` says why it would not be given now; `None` when it would."""
        answer = json.loads(entry.body) if read(self._codec, entry) else {}
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
            "created_at": moment(datetime.fromtimestamp(entry.created_at, UTC)),
            "expires_at": moment(datetime.fromtimestamp(entry.expires_at, UTC)),
            "served": withheld is None,
            "withheld": withheld,
        }

    def _document_ids(self, store: TendedStore, named: str) -> list[str]:
        """The documents that cached answers cite by a path below their source, or else what was named itself, as an id."""
        ids: dict[str, None] = {}
        for entry in _entries(store):
            answer = read(self._codec, entry)
            if isinstance(answer, Answered):
                cited = zip(entry.units, answer.citations, strict=True)
                ids.update((unit.document_id, None) for unit, citation in cited if named in {citation.document, citation.uri})
        return list(ids) or [named]


def _entries(store: TendedStore) -> list[CachedAnswer]:
    return [stored.entry for stored in store.entries()]


def _find(store: TendedStore, question_or_id: str) -> list[CachedAnswer]:
    """The entries of an answer, by its id or its first digits, or else of a question; newest first."""
    entries, meant = _entries(store), Selection(question=question_or_id)
    found = _with_id(entries, question_or_id) or filter(meant.takes, entries)
    return sorted(found, key=lambda one: -one.created_at)


def _with_id(entries: Iterable[CachedAnswer], answer_id: str) -> list[CachedAnswer]:
    wanted = answer_id.strip()
    return [one for one in entries if len(wanted) >= _SHORTEST_ID and one.id.startswith(wanted)]
