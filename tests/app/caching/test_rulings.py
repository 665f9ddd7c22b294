"""What a person decided lives until what it cites changes: over settings, profiles, models, prompts, releases and restarts."""

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.access.callers import Caller
from app.answering.profiles import Profile, ProfileStore
from app.answering.service import AnswerService
from app.answers.answers import Answer, Answered
from app.answers.codec import JsonAnswers
from app.answers.questions import Question
from app.bootstrap import answering, build_feedback, build_indexing, build_service, open_answers
from app.caching.cache import HitKind, hit_kind
from app.caching.entries import CachedAnswer, EntryKind, decode_entry
from app.caching.reviews import make_way, pin
from app.caching.rulings import as_ruling
from app.costs.ledger import Spender, Surface
from app.costs.reports import Verdict
from app.costs.rungs import Rung
from app.settings import EndpointSettings, Settings
from indexing.documents import EVERYONE, AccessScope
from indexing.language import ENGLISH
from indexing.planning import NoProgress
from indexing.sync import SyncReport
from retrieval.context import ContextSettings
from tests.app.answering.desk import SURE, Desk, near, page, said
from tests.contracts.redis import redis_server
from tests.fakes.embedder import FakeEmbedder

pytestmark = pytest.mark.usefixtures("best_unit_answers")

Index = Callable[..., SyncReport]
Change = Callable[[Settings, FakeEmbedder, pytest.MonkeyPatch], Settings]

CALLER = Caller(AccessScope("default", frozenset({EVERYONE})), Spender(Surface.COMMAND_LINE))
LEAVE = "How many days of paid leave?"
SAME_WORDS = "Please, how many days of paid leave?"
REVIEWED = "Twenty-seven days, says the board [1]."
ENDPOINT = EndpointSettings(
    name="mini", rung="small", url="http://127.0.0.1:1", model="m", context_tokens=9_000, max_output_tokens=100, timeout_s=1.0
)


def _section(name: str, **values: object) -> Change:
    return lambda settings, _, __: settings.model_copy(update={name: getattr(settings, name).model_copy(update=values)})


def _endpoint(settings: Settings, _: FakeEmbedder, __: pytest.MonkeyPatch) -> Settings:
    return settings.model_copy(update={"endpoints": (ENDPOINT,)})


def _profile(settings: Settings, embedder: FakeEmbedder, _: pytest.MonkeyPatch) -> Settings:
    tuned = Profile("tuned", "2026-01-02T03:04:05+00:00", ContextSettings(234), embedder.spec, "office", "hash", {})
    ProfileStore(settings.home).apply(tuned)
    return settings


def _release(settings: Settings, _: FakeEmbedder, patch: pytest.MonkeyPatch) -> Settings:
    patch.setattr("app.bootstrap.caching._release", lambda: "99.0.0")
    return settings


def _prompt(settings: Settings, _: FakeEmbedder, patch: pytest.MonkeyPatch) -> Settings:
    patch.setattr("app.caching.memory.prompts_version", lambda: "another")
    return settings


CHANGES: dict[str, Change] = {
    "a restart": lambda settings, _, __: settings,
    "retrieval.budget_tokens": _section("retrieval", budget_tokens=123),
    "ladder.judge": _section("ladder", judge=False),
    "ladder.wide_budget_tokens": _section("ladder", wide_budget_tokens=1_234),
    "ladder.extractive_from": _section("ladder", extractive_from=0.9),
    "an endpoint": _endpoint,
    "a release": _release,
    "a prompt": _prompt,
    "a profile": _profile,  # it stays
}


@pytest.fixture(params=["disk", "redis"])
def shared(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """The settings, with the cache in the home or on a server."""
    if request.param == "disk":
        yield settings
        return
    with redis_server() as url:
        patient = settings.cache.model_copy(update={"url": type(settings.cache.url)(url), "timeout_s": 5.0})
        yield settings.model_copy(update={"cache": patient})


@contextmanager
def serving(settings: Settings) -> Iterator[AnswerService]:
    """A service, as a new process has it."""
    with closing(build_service(settings)) as service:
        yield service


@pytest.fixture(autouse=True)
def _one_model(embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "build_embedder", lambda _: embedder)


def ask(settings: Settings, question: str = LEAVE) -> Answer:
    with serving(settings) as service:
        return service.ask(Question(question), CALLER)


def quick(settings: Settings, question: str = LEAVE) -> dict[str, Any] | None:
    with serving(settings) as service:
        service.warm_up()
        found = service.quick(Question(question), CALLER)
        return json.loads(found) if found is not None else None


def pin_reviewed(settings: Settings) -> None:
    with open_answers(settings) as store:
        pin(store, [stored.entry for stored in store.entries()], JsonAnswers(), REVIEWED, time.time(), ENGLISH)


def kinds(settings: Settings) -> list[EntryKind]:
    with open_answers(settings) as store:
        return [stored.entry.kind for stored in store.entries()]


def test_a_pin_is_given_whatever_answers_are_made_by_until_its_page_changes(
    index: Index, shared: Settings, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    first = ask(shared)
    pin_reviewed(shared)
    for name, change in CHANGES.items():
        with monkeypatch.context() as patch:
            changed = change(shared, embedder, patch)
            for question, kind in ((LEAVE, HitKind.EXACT), (SAME_WORDS, HitKind.SAME_WORDS)):
                answer, at_once = ask(changed, question), quick(changed, question)
                assert isinstance(answer, Answered), name
                assert (answer.text, hit_kind(answer)) == (REVIEWED, kind), name
                assert at_once is not None, name
                assert (at_once["answer"], at_once["id"]) == (REVIEWED, first.id), name
    CHANGES["a release"](shared, embedder, monkeypatch)
    index({"more.md": "# How many days of paid leave\n\nHow many days of paid leave: 27 days of paid leave.\n"})
    renewal = build_indexing(shared).renew(NoProgress())
    assert renewal is not None
    assert (renewal.kept, renewal.died) == (1, {})
    assert hit_kind(ask(shared)) is HitKind.EXACT
    assert quick(shared) is not None
    index({"leave.md": "# Leave\n\nEverybody has 30 days of paid leave.\n"})
    assert quick(shared) is None
    renewal = build_indexing(shared).renew(NoProgress())
    assert renewal is not None
    assert renewal.died == {"a cited page has changed": 1}
    assert kinds(shared) == []


def test_a_mark_stands_whatever_answers_are_made_by(
    index: Index, shared: Settings, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    assert build_feedback(shared).take(ask(shared).id, Verdict.WRONG, None, None).wordings == 1
    for name, change in CHANGES.items():
        with monkeypatch.context() as patch:
            changed = change(shared, embedder, patch)
            for _ in range(2):
                assert hit_kind(ask(changed)) is None, name
            assert quick(changed) is None, name
            assert kinds(changed) == [EntryKind.WRONG], name


def test_a_pin_wins_over_what_was_answered_under_other_versions(
    index: Index, settings: Settings, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index()
    for change in CHANGES.values():
        with monkeypatch.context() as patch:
            ask(change(settings, embedder, patch))
    with open_answers(settings) as store:
        every = {stored.entry.key: stored.entry for stored in store.entries()}
        assert len(every) == len(CHANGES) - 1, "with an endpoint that is away nothing is kept"
        pin(store, [next(iter(every.values()))], JsonAnswers(), REVIEWED, time.time(), ENGLISH)
        assert [stored.entry.kind for stored in store.entries()] == [EntryKind.PINNED]
        for overruled in every.values():  # as if other processes had kept them at the same moment
            store.put(overruled)
    for name, change in CHANGES.items():
        with monkeypatch.context() as patch:
            changed = change(settings, embedder, patch)
            answer, at_once = ask(changed), quick(changed)
            assert isinstance(answer, Answered), name
            assert at_once is not None, name
            assert (answer.text, at_once["answer"]) == (REVIEWED, REVIEWED), name


def test_a_pin_that_is_made_while_the_service_runs_is_given_within_a_moment(index: Index, settings: Settings) -> None:
    index()
    with serving(settings) as service:
        service.warm_up()
        service.ask(Question(LEAVE), CALLER)
        assert REVIEWED.encode() not in (service.quick(Question(LEAVE), CALLER) or b"")
        pin_reviewed(settings)
        until_s = time.monotonic() + 5.0
        while REVIEWED.encode() not in (service.quick(Question(LEAVE), CALLER) or b""):
            assert time.monotonic() < until_s


def test_a_reviewed_answer_of_ones_own_takes_the_place_of_what_was_answered(index: Index, settings: Settings) -> None:
    index()
    answer = ask(settings)
    assert isinstance(answer, Answered)
    with serving(settings) as service:
        service.pin(LEAVE, CALLER.scope, replace(answer, text=REVIEWED))
    with open_answers(settings) as store:
        make_way(store, [stored.entry for stored in store.entries() if stored.entry.kind is EntryKind.PINNED], ENGLISH)
    assert kinds(settings) == [EntryKind.PINNED]
    given = ask(settings)
    assert isinstance(given, Answered)
    assert given.text == REVIEWED


def test_a_pin_of_a_form_that_cannot_be_read_is_not_given_and_not_lost(
    index: Index, settings: Settings, embedder: FakeEmbedder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    index()
    ask(settings)
    pin_reviewed(settings)
    with open_answers(settings) as store:
        (stored,) = store.entries()
        store.put(replace(stored.entry, body=b'{"form": 2}'))
    changed = CHANGES["a release"](settings, embedder, monkeypatch)
    answer = ask(changed)
    assert hit_kind(answer) is None
    assert quick(changed) is None
    assert kinds(changed) == [EntryKind.PINNED]
    assert f"The cached answer {stored.entry.id} was written by another release" in caplog.text
    assert LEAVE not in caplog.text


def test_what_this_form_was_written_as_can_be_read_for_good() -> None:
    """The bytes are those of release 0.1.0. Change the code until they are read; never the bytes."""
    stored = bytes.fromhex(Path(__file__).with_name("pinned-0.1.0.hex").read_text(encoding="ascii"))
    entry = decode_entry(bytes(range(32)), stored)
    assert isinstance(entry, CachedAnswer)
    assert (entry.kind, entry.question, entry.labels) == (EntryKind.PINNED, LEAVE, ("everyone",))
    answer = JsonAnswers().decode(entry.body)
    assert isinstance(answer, Answered)
    assert (answer.text, answer.citations[0].quote) == (REVIEWED, "Everybody has 27 days of paid leave.")
    assert decode_entry(as_ruling(entry, entry.kind, entry.expires_at, ENGLISH).key, stored) is None, "another key's"


def test_a_pin_of_another_version_is_proposed_and_kept_in_other_words_as_made_by_todays() -> None:
    question, reworded = "How many days of paid leave has everybody?", "Everybody has how many days of paid leave?"
    desk = Desk(page("leave", "# Leave\n\nEverybody has 27 days of paid leave.\n"), calibration=SURE)
    desk.ask(question)
    pin(desk.store, [stored.entry for stored in desk.store.entries()], JsonAnswers(), None, time.time(), ENGLISH)
    other = Desk(like=desk, policy="another", calibration=SURE)
    other.embedder.vectors[reworded] = near(other.embedder.embed_query(question), "again")
    answer = other.ask(reworded)
    assert isinstance(answer, Answered)
    assert (answer.rung, hit_kind(answer), said(answer)) == (
        Rung.CACHE,
        HitKind.VERIFIED,
        "Everybody has 27 days of paid leave.",
    )
    assert hit_kind(other.ask(reworded)) is HitKind.EXACT
    kept = {stored.entry.question: stored.entry for stored in desk.store.entries()}
    assert (kept[reworded].kind, kept[reworded].policy_version) == (EntryKind.ANSWER, "another")
