"""Cached answers after a sync: what cites a changed page goes, with its bytes, and everything else is given on."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from app.access.callers import Caller
from app.adapters.disk_answer_store import DiskAnswerStore
from app.answering.service import AnswerService
from app.answers.answers import Answered
from app.answers.codec import JsonAnswers
from app.answers.questions import Question
from app.bootstrap import answering, build_indexing, build_service
from app.bootstrap.caching import build_answer_store
from app.caching.entries import CachedAnswer
from app.caching.renewal import LostAnswer, Refreshed, Renewal, refresh
from app.caching.reviews import pin
from app.caching.store import Hits
from app.costs.errors import LedgerError
from app.costs.ledger import Spender, Surface
from app.settings import Settings
from indexing.documents import EVERYONE, AccessScope
from indexing.language import ENGLISH
from indexing.planning import NoProgress
from indexing.sync import SyncReport
from tests.fakes.embedder import FakeEmbedder

pytestmark = pytest.mark.usefixtures("best_unit_answers")

Index = Callable[..., SyncReport]

SCOPE = AccessScope("default", frozenset({EVERYONE}))
ASKER = Caller(SCOPE, Spender(Surface.COMMAND_LINE))
LEAVE, HOTEL = "How many days of paid leave?", "What may a hotel cost a night?"
CHANGED = {
    "leave.md": "# Leave\n\nEverybody has 30 days of paid leave.\n",
    "travel.md": "# Hotels\n\nA hotel may cost 99 euros.\n",
}
CANARY = "The quokka-4711 allowance is 88 euros a month."


def ask(service: AnswerService, question: str) -> Answered:
    service._index._check_at = 0.0  # half a second has passed, so that it looks for a new generation
    answer = service.ask(Question(question), ASKER)
    assert isinstance(answer, Answered)
    return answer


@pytest.fixture
def service(settings: Settings, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> Iterator[AnswerService]:
    monkeypatch.setattr(answering, "build_embedder", lambda _: embedder)
    with closing(build_service(settings)) as service:
        yield service


@pytest.fixture
def store(settings: Settings) -> Iterator[DiskAnswerStore]:
    store = build_answer_store(settings)
    assert isinstance(store, DiskAnswerStore)
    with closing(store):
        yield store


@pytest.fixture
def renew(settings: Settings) -> Callable[[], Renewal | None]:
    return lambda: build_indexing(settings).renew(NoProgress())


def kept(store: DiskAnswerStore) -> dict[str, CachedAnswer]:
    return {stored.entry.question: stored.entry for stored in store.entries()}


def test_what_cites_a_changed_page_dies_and_the_rest_is_carried_over(
    index: Index, service: AnswerService, store: DiskAnswerStore, renew: Callable[[], Renewal | None]
) -> None:
    index()
    for question in (LEAVE, HOTEL):
        ask(service, question)
    report = index({"leave.md": "# Leave\n\n## Days\n\nEverybody has 30 days of paid leave.\n"})
    assert renew() == Renewal(1, {"a cited page has changed": 1}, ())
    assert {question: entry.generation for question, entry in kept(store).items()} == {HOTEL: report.generation}
    assert renew() is None, "once is enough for a generation"
    assert "30 days" in ask(service, LEAVE).text


def test_pages_that_went_and_readers_that_lost_them(
    index: Index, service: AnswerService, renew: Callable[[], Renewal | None]
) -> None:
    index()
    ask(service, LEAVE)
    index({"leave.md": None})
    renewal = renew()
    assert renewal is not None
    assert renewal.died == {"a cited page is gone, or may not be read any more": 1}


def test_the_most_asked_come_first_among_what_is_to_be_made_afresh(
    index: Index, service: AnswerService, store: DiskAnswerStore, renew: Callable[[], Renewal | None], settings: Settings
) -> None:
    index()
    ask(service, LEAVE)
    ask(service, HOTEL)
    entries = kept(store)
    store.add_hits({entries[LEAVE].key: Hits(2, Decimal(0)), entries[HOTEL].key: Hits(9, Decimal(0))})
    index(CHANGED)
    renewal = renew()
    assert renewal is not None
    assert [(one.question, one.asked) for one in renewal.lost] == [(HOTEL, 9), (LEAVE, 2)]
    assert renewal.to_json() == {"kept": 0, "died": {"a cited page has changed": 2}, "to_refresh": 2}
    assert build_indexing(settings).refresh(renewal.lost[:1], NoProgress()) == Refreshed(1, Decimal(0), None)
    assert b"99 euros" in kept(store)[HOTEL].body
    assert LEAVE not in kept(store)


class Interrupting:
    """Somebody presses Ctrl-C after the first entry."""

    def update(self, phase: str, done: int, total: int | None) -> None:
        assert (phase, total) == ("check", 2)
        if done == 1:
            raise KeyboardInterrupt


def test_an_interruption_leaves_nothing_that_would_be_given_and_is_made_good(
    index: Index, service: AnswerService, settings: Settings, renew: Callable[[], Renewal | None]
) -> None:
    index()
    for question in (LEAVE, HOTEL):
        ask(service, question)
    index(CHANGED)
    with pytest.raises(KeyboardInterrupt):
        build_indexing(settings).renew(Interrupting())
    assert "30 days" in ask(service, LEAVE).text
    renewal = renew()
    assert renewal is not None
    assert (renewal.kept, renewal.died) == (1, {"a cited page has changed": 1})


def test_that_there_was_no_answer_is_forgotten_with_the_index_that_had_none(
    index: Index,
    service: AnswerService,
    store: DiskAnswerStore,
    renew: Callable[[], Renewal | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)
    index()
    service.ask(Question(LEAVE), ASKER)
    index({"new.md": "# New\n\nSomething else.\n"})
    renewal = renew()
    assert renewal is not None
    assert renewal.died == {"other passages are found for the question now": 1}
    assert kept(store) == {}


def test_what_a_person_pinned_dies_with_its_page_and_not_of_a_better_passage(
    index: Index, service: AnswerService, store: DiskAnswerStore, renew: Callable[[], Renewal | None]
) -> None:
    index()
    ask(service, LEAVE)
    pin(store, [kept(store)[LEAVE]], JsonAnswers(), None, time.time(), ENGLISH)
    index({"more.md": "# How many days of paid leave\n\nHow many days of paid leave: 27 days of paid leave.\n"})
    renewal = renew()
    assert renewal is not None
    assert (renewal.kept, renewal.died) == (1, {})
    index({"leave.md": "# Leave\n\nEverybody has 30 days of paid leave.\n"})
    renewal = renew()
    assert renewal is not None
    assert renewal.died == {"a cited page has changed": 1}


def test_no_cache_and_an_empty_one_are_no_work(index: Index, renew: Callable[[], Renewal | None], settings: Settings) -> None:
    assert renew() is None
    index()
    assert renew() is None
    assert not (settings.home / "answers").exists()


def holding(folder: Path, words: bytes) -> list[str]:
    """The files below a folder that hold words, as they are or as UTF-16."""
    return [str(file.relative_to(folder)) for file in sorted(folder.rglob("*")) if file.is_file() and words in file.read_bytes()]


def test_an_erased_document_leaves_no_byte_in_any_cache(
    index: Index, service: AnswerService, settings: Settings, renew: Callable[[], Renewal | None]
) -> None:
    index({"secret.md": f"# Quokka\n\n{CANARY}\n", "leave.md": "# Leave\n\nEverybody has 27 days of leave.\n"})
    assert CANARY in ask(service, "What is the quokka-4711 allowance?").text
    expired = "How much is the quokka-4711 allowance a month?"
    ask(service, expired)
    answers, home = settings.home / "answers", settings.home
    with closing(sqlite3.connect(answers / "cache.db")) as database:
        database.execute("UPDATE answers SET expires_at = 1 WHERE sequence = (SELECT MAX(sequence) FROM answers)")
        database.execute("UPDATE Cache SET expire_time = 1 WHERE rowid = (SELECT MAX(rowid) FROM Cache)")
        database.commit()
    assert any("answers/" in name for name in holding(home, b"quokka-4711"))
    assert holding(home / "embeddings", b"quokka") == [], "vectors and hashes only"
    report = index({"secret.md": None})
    renew()
    assert holding(answers, b"quokka") == []
    assert holding(home / "embeddings", b"quokka") == []
    assert holding(home / "generations" / str(report.generation), b"quokka-4711") == []
    for number in range(2):  # so many generations are kept to go back to
        index({"leave.md": f"# Leave\n\nEverybody has {30 + number} days of leave.\n"})
        renew()
        ask(service, LEAVE)
    assert holding(home, b"quokka-4711") == []


def test_what_an_earlier_index_said_is_not_kept_once_there_is_a_newer_one(
    index: Index, service: AnswerService, store: DiskAnswerStore, settings: Settings, renew: Callable[[], Renewal | None]
) -> None:
    index()
    ask(service, LEAVE)
    service._index._check_every_s = 3_600.0  # so that the service goes on with the index that it has
    ask(service, LEAVE)
    index({"travel.md": None})
    renew()
    late = service.ask(Question(HOTEL), ASKER)
    assert isinstance(late, Answered)
    assert "140 euros" in late.text, "it began before the page was gone"
    assert HOTEL not in kept(store)
    assert holding(settings.home / "answers", b"140 euros") == []


LOST = [LostAnswer(question, SCOPE, 3) for question in (LEAVE, HOTEL)]


def test_refreshing_ends_with_its_money(index: Index, service: AnswerService) -> None:
    index()
    asked = []

    def paid(question: Question, caller: Caller) -> Answered:
        asked.append(caller.payer.surface)
        answer = ask(service, question.text)
        line = replace(answer.receipt.lines[0], cost_usd=Decimal("0.06"))
        assert caller.scope == SCOPE
        return replace(answer, receipt=replace(answer.receipt, lines=(line,)))

    done = refresh(paid, LOST, Decimal("0.05"), NoProgress())
    assert (done.answers, done.cost_usd, asked) == (1, Decimal("0.06"), [Surface.BACKGROUND])
    assert done.stopped == "$0.05 are spent (cache.refresh_usd)"


def test_a_question_whose_readers_are_gone_does_not_end_the_refreshing(index: Index, service: AnswerService) -> None:
    index()
    gone = LostAnswer(LEAVE, AccessScope(SCOPE.tenant, frozenset({EVERYONE, "hr"})), 9)
    assert refresh(service.ask, [gone, *LOST], Decimal(1), NoProgress()) == Refreshed(2, Decimal(0), None)


def test_refreshing_ends_at_an_unknown_cost_and_at_a_refusal(index: Index, service: AnswerService) -> None:
    index()

    def unpriced(question: Question, _: Caller) -> Answered:
        answer = ask(service, question.text)
        line = replace(answer.receipt.lines[0], cost_usd=None)
        return replace(answer, receipt=replace(answer.receipt, lines=(line,)))

    def refused(*_: object) -> Answered:
        raise LedgerError("The ledger is away.")

    assert refresh(unpriced, LOST, Decimal(1), NoProgress()).cost_usd is None
    assert refresh(refused, LOST, Decimal(1), NoProgress()) == Refreshed(0, Decimal(0), "The ledger is away.")
