"""What was worked out a moment ago, and is not worked out again."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from app.access.callers import Caller
from app.answering.service import AnswerService
from app.answers.questions import Question
from app.bootstrap import build_service
from app.costs.ledger import Spender, Surface
from app.costs.receipts import Stage
from app.ladder.climb import Ladder, LadderSettings
from app.settings import Settings
from indexing.documents import EVERYONE, AccessScope
from indexing.sync import SyncReport
from retrieval.retriever import Retriever
from tests.app.ladder import test_climb as test_ladder
from tests.app.ladder.test_climb import UNSURE, Climb, Scripted
from tests.fakes.embedder import FakeEmbedder

Index = Callable[..., SyncReport]
SCOPE = AccessScope("default", frozenset({EVERYONE}))
QUESTION = Question("How many days of paid leave?")


def test_a_statement_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[Ladder] = []

    def once(*arguments: Any) -> Ladder:
        if not shared:
            shared.append(Ladder(*arguments))
        return shared[0]

    monkeypatch.setattr(test_ladder, "Ladder", once)
    settings = LadderSettings(1_500, 2.0, judge=True)
    models = [Scripted(UNSURE, '{"supported": [true]}', UNSURE)]
    first, second = Climb(models, settings=settings), Climb(models, settings=settings)
    assert [line.stage for line in first.paid] == [Stage.GENERATE, Stage.JUDGE]
    assert [line.stage for line in second.paid] == [Stage.GENERATE]
    assert second.text == first.text
    assert second.end.groundedness == 1.0


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that were searched for."""
    asked: list[str] = []
    find = Retriever.find

    def note(self: Retriever, query: Any, *arguments: Any) -> Any:
        asked.append(query.text)
        return find(self, query, *arguments)

    monkeypatch.setattr(Retriever, "find", note)
    return asked


@pytest.fixture
def service(settings: Settings, embedder: FakeEmbedder) -> Iterator[AnswerService]:
    with closing(build_service(settings, embedder)) as service:
        yield service


def forget_answers(settings: Settings) -> None:
    with closing(sqlite3.connect(settings.home / "answers" / "cache.db")) as database:
        for table in ("Cache", "answers"):
            database.execute(f"DELETE FROM {table}")
        database.commit()


@pytest.mark.usefixtures("best_unit_answers")
def test_an_uncached_repeat_pays_no_search_until_the_index_changes(
    index: Index, service: AnswerService, settings: Settings, searched: list[str]
) -> None:
    index()
    first = service.ask(QUESTION, Caller(SCOPE, Spender(Surface.HTTP)))
    forget_answers(settings)
    again = service.ask(QUESTION, Caller(SCOPE, Spender(Surface.BATCH)))
    assert searched == [QUESTION.text]
    assert again.id != first.id, "it was answered afresh"
    index({"leave.md": "# Leave\n\nEverybody has 30 days of paid leave.\n"})
    service._index._check_at = 0.0  # half a second has passed
    forget_answers(settings)
    changed = service.ask(QUESTION, Caller(SCOPE, Spender(Surface.HTTP)))
    assert len(searched) == 2
    assert "30 days" in getattr(changed, "text", "")


@pytest.mark.usefixtures("best_unit_answers")
def test_what_was_found_is_for_the_same_rights_alone(
    index: Index, service: AnswerService, settings: Settings, searched: list[str]
) -> None:
    index()
    index({"pay.md": "# Pay\n\nPay comes on the 25th.\n"}, labels=("hr",))
    for scope in (SCOPE, AccessScope("default", frozenset({EVERYONE, "hr"}))):
        service.ask(QUESTION, Caller(scope, Spender(Surface.HTTP)))
        forget_answers(settings)
    assert searched == [QUESTION.text] * 2
