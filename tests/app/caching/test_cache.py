"""What the answer cache gives again, what it does not, and to whom: through the whole flow, over documents in memory."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from app.answers.answers import Abstention, Answer, Answered
from app.answers.conversation import Conversation
from app.bootstrap import build_embedder
from app.caching.cache import AnswerCache, HitKind, Made, hit_kind
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.rules.calibration import shipped_calibration
from app.caching.rulings import as_ruling
from app.caching.store import StoredAnswer
from app.costs.budgets import Limit, Payer, Period
from app.costs.ledger import Spender, Surface
from app.costs.receipts import ReceiptLine, Stage
from app.costs.rungs import Rung
from app.generation.errors import EndpointUnavailableError, GenerationError, StreamCutError
from app.settings import load_settings
from indexing.embedding import Embedder
from indexing.language import ENGLISH
from retrieval.errors import SearchError
from retrieval.leasing import OpenGeneration
from retrieval.passages import Query
from tests.app.answering.desk import LIKELY, SURE, Desk, Model, near, page, said, scope
from tests.fakes.embedder import FakeEmbedder

LEAVE = "# Leave\n\n## Days\n\nEverybody has 27 days of paid leave. Unused days of leave expire in March.\n"
TRAVEL = "# Travel\n\n## Hotels\n\nA hotel may cost 140 euros a night. Book the hotel yourself.\n"
QUESTION = "How many days of paid leave has everybody?"
REWORDED = "Everybody has how many days of paid leave?"
FOLLOW_UP = "And when do unused ones expire?"
NEWS = "# How many days of paid leave everybody has\n\nEverybody has 31 days of paid leave.\n"
SALARY = "# Pay\n\nThe director earns 90,000 euros.\n"

pytestmark = pytest.mark.usefixtures("best_unit_answers")


def rung(answer: Answer) -> str:
    return answer.rung if isinstance(answer, Answered) else "abstain"


def entries(desk: Desk) -> list[CachedAnswer]:
    stored: list[StoredAnswer] = list(desk.store.entries())
    return [one.entry for one in stored]


def rule(desk: Desk, kept: CachedAnswer, kind: EntryKind) -> CachedAnswer:
    """Put what a person decided in an entry's place."""
    ruling = as_ruling(kept, kind, kept.expires_at, ENGLISH)
    desk.store.put(ruling)
    desk.store.remove([kept.key])
    return ruling


@pytest.mark.parametrize(
    ("again", "kind", "reason"),
    [
        (QUESTION, HitKind.EXACT, "the same question was answered before"),
        ("  how many DAYS of paid leave\nhas everybody", HitKind.EXACT, "the same question was answered before"),
        ("Hello, could you please tell me how many days of paid leave everybody has?", None, None),
        (
            "Please, how many days of paid leave has everybody? Thanks!",
            HitKind.SAME_WORDS,
            "the same was asked before, in another form",
        ),
    ],
)
def test_the_same_question_and_the_same_words_are_answered_without_a_search(
    again: str, kind: HitKind | None, reason: str | None
) -> None:
    desk = Desk(LEAVE, TRAVEL)
    first = desk.ask(QUESTION)
    assert hit_kind(first) is None
    assert said(first) == "Everybody has 27 days of paid leave."
    if reason is None:
        assert desk.computed(again)
        return
    assert not desk.computed(again)
    answer = desk.ask(again)
    assert (rung(answer), said(answer), answer.question) == (Rung.CACHE, said(first), again.strip())
    assert (hit_kind(answer), answer.steps[0].reason) == (kind, reason)


def test_a_hit_costs_nothing_and_saves_what_the_naive_prompt_would_have_cost() -> None:
    desk = Desk(LEAVE)
    first = desk.ask(QUESTION)
    again = desk.ask(QUESTION)

    assert [(line.stage, line.cost_usd, line.model) for line in again.receipt.lines] == [(Stage.CACHE, Decimal(0), None)]
    assert again.receipt.cost_usd == 0
    assert again.receipt.saved_usd == first.receipt.baseline.cost_usd is not None
    made, hit = desk.ledger.written.values()
    assert (made.rung_path, hit.rung_path) == (("extractive",), (Rung.CACHE,))
    assert (hit.groundedness, hit.receipt.cost_usd, hit.receipt.saved_usd) == (1.0, 0, first.receipt.baseline.cost_usd)
    desk.memory.close()
    (stored,) = desk.store.entries()
    assert stored.hits.count == 1


@pytest.mark.parametrize("numbers", ["How many days of paid leave has nobody?", "How many hours of paid leave has everybody?"])
def test_other_words_are_another_question(numbers: str) -> None:
    desk = Desk(LEAVE, TRAVEL, calibration=SURE)
    desk.ask(QUESTION)
    assert desk.computed(numbers)
    assert rung(desk.ask(QUESTION)) == Rung.CACHE


def test_an_answer_is_given_to_those_alone_who_may_read_what_it_cites() -> None:
    desk = Desk(page("leave", LEAVE), page("pay", SALARY, "hr"), calibration=SURE)
    question = "What does the director earn in euros?"
    assert said(desk.ask(question, "everyone", "hr")) == "The director earns 90,000 euros."
    assert "90,000" not in said(desk.ask(question, "everyone"))
    assert "90,000" in said(desk.ask(question, "hr", "everyone"))  # in whatever order the labels come
    assert "90,000" in said(desk.ask(question, "hr"))
    assert {entry.labels for entry in entries(desk)} == {("everyone", "hr"), ("everyone",), ("hr",)}


def test_an_answer_is_shared_where_other_rights_make_no_difference_to_it() -> None:
    desk = Desk(page("leave", LEAVE), page("pay", SALARY, "hr"))
    desk.memory.warm_up()
    desk.ask(QUESTION)
    assert desk.quick(QUESTION, "everyone", "hr") is None  # whether they make one is not found out on the event loop
    assert not desk.computed(QUESTION, "everyone", "hr")
    assert desk.quick(QUESTION, "everyone", "hr") is not None
    assert {entry.labels for entry in entries(desk)} == {("everyone",), ("everyone", "hr")}
    desk.service.close()


@pytest.mark.parametrize("first", [("everyone",), ("everyone", "hr")])
def test_an_answer_is_not_shared_where_one_reader_finds_a_page_that_answers_as_well(first: tuple[str, ...]) -> None:
    desk = Desk(page("leave", LEAVE), page("news", NEWS, "hr"), calibration=SURE)
    (second,) = {("everyone",), ("everyone", "hr")} - {first}
    given = desk.ask(QUESTION, *first)
    assert desk.computed(QUESTION, *second)
    assert said(desk.ask(QUESTION, *second)) != said(given)


def test_what_a_person_called_wrong_is_not_taken_from_other_readers() -> None:
    desk = Desk(page("leave", LEAVE), page("pay", SALARY, "hr"))
    desk.ask(QUESTION)
    desk.ask(QUESTION, "everyone", "hr")
    wrong = next(entry for entry in entries(desk) if entry.labels == ("everyone", "hr"))
    rule(desk, wrong, EntryKind.WRONG)
    assert desk.computed(QUESTION, "everyone", "hr")


def test_an_abstention_holds_for_the_same_words_while_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)
    desk = Desk(LEAVE, TRAVEL)
    question = "Which zebras feed unicorns at midnight?"
    assert rung(desk.ask(question)) == "abstain"
    assert not desk.computed(f"Hello, {question.lower()} Thanks!")
    desk.publish(LEAVE, TRAVEL)
    assert not desk.computed(question)
    desk.publish(LEAVE, TRAVEL, "# Zebras\n\nZebras feed unicorns at midnight.\n")
    assert desk.computed(question)


def test_an_entry_of_an_older_generation_is_checked_once_and_carried_over() -> None:
    desk = Desk(page("leave", LEAVE), page("travel", TRAVEL))
    desk.ask(QUESTION)
    desk.publish(page("leave", LEAVE), page("travel", TRAVEL + "\nTaxis are not paid for.\n"))
    desk.memory.warm_up()
    assert desk.quick(QUESTION) is None  # it may not be checked on the event loop
    assert not desk.computed(QUESTION)
    assert [entry.generation for entry in entries(desk)] == ["g2"]
    assert desk.quick(QUESTION) is not None
    desk.service.close()


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([page("leave", LEAVE.replace("27", "30"))], id="the cited sentence changed"),
        pytest.param([page("leave", LEAVE.replace("March", "April"))], id="another sentence of the page changed"),
        pytest.param([page("leave", LEAVE, "hr", "everyone")], id="others may read the page as well"),
        pytest.param([page("leave", LEAVE, "hr"), page("travel", TRAVEL)], id="the page may not be read any more"),
        pytest.param([page("travel", TRAVEL)], id="the page is gone"),
        pytest.param(
            [page("leave", LEAVE), page("news", NEWS)],
            id="a new page answers it better",
        ),
    ],
)  # fmt: skip
def test_an_entry_dies_when_what_it_rests_on_changes(after: list[object]) -> None:
    desk = Desk(page("leave", LEAVE), page("travel", TRAVEL))
    desk.ask(QUESTION)
    desk.publish(*after)  # type: ignore[arg-type] # documents
    desk.memory.warm_up()
    assert desk.quick(QUESTION) is None
    assert desk.computed(QUESTION)
    desk.service.close()


def test_an_abstention_is_remembered_briefly_and_for_one_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)
    desk = Desk(LEAVE, abstention_ttl_s=0.5)
    assert isinstance(desk.ask(QUESTION), Abstention)
    (kept,) = entries(desk)
    assert kept.kind is EntryKind.ABSTENTION
    assert kept.expires_at - kept.created_at == pytest.approx(0.5)
    assert not desk.computed(QUESTION)
    assert list(desk.ledger.written.values())[-1].rung_path == (Rung.CACHE,)
    desk.publish(LEAVE, TRAVEL)
    assert desk.computed(QUESTION)
    assert not desk.computed(QUESTION)
    time.sleep(0.55)
    assert desk.computed(QUESTION)


def test_an_abstention_is_proposed_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(LEAVE, calibration=SURE)
    monkeypatch.setattr("app.ladder.climb.extract", lambda *_: None)
    desk.ask(QUESTION)
    monkeypatch.undo()
    assert desk.computed(REWORDED)
    assert isinstance(desk.ask(REWORDED), Answered | Abstention)
    assert {entry.kind for entry in entries(desk) if entry.question == QUESTION} == {EntryKind.ABSTENTION}


def test_what_a_budget_restrained_is_not_kept() -> None:
    desk = Desk(LEAVE, model=Model(), limits=[Limit(Payer.COMPANY, "*", Period.DAY, usd=Decimal(0))], extractive_from=2.0)
    answer = desk.ask(QUESTION)
    assert (rung(answer), bool(answer.receipt.notes)) == ("extractive", True)
    assert entries(desk) == []


def test_what_was_made_while_a_model_failed_is_not_kept() -> None:
    model = Model()
    desk = Desk(LEAVE, model=model, extractive_from=2.0)

    def fail() -> None:
        raise EndpointUnavailableError("away")

    model.during = fail
    answer = desk.ask(QUESTION)
    assert (rung(answer), entries(desk)) == ("extractive", [])
    model.during = lambda: None
    assert rung(desk.ask(QUESTION)) == "small"
    assert len(entries(desk)) == 1


def test_what_was_made_in_place_of_replies_that_nobody_can_read_is_not_kept() -> None:
    model = Model()
    desk = Desk(LEAVE, model=model, extractive_from=2.0)
    model.garbles = True
    answer = desk.ask(QUESTION)
    assert (rung(answer), entries(desk)) == ("extractive", [])
    model.garbles = False
    assert rung(desk.ask(QUESTION)) == "small"
    assert len(entries(desk)) == 1


def test_what_is_not_wholly_grounded_is_not_kept() -> None:
    desk = Desk(LEAVE)
    answer = desk.ask(QUESTION)
    assert isinstance(answer, Answered)
    (kept,) = entries(desk)
    desk.store.remove([kept.key])
    keys = desk.keys(QUESTION)
    with desk.service._index.lease() as generation:
        made = _made(desk, answer, generation)
        desk.cache.keep(keys, replace(made, answer=replace(answer, groundedness=0.99)))
        assert entries(desk) == []
        desk.cache.keep(keys, made)
        assert len(entries(desk)) == 1


def _made(desk: Desk, answer: Answered, generation: OpenGeneration) -> Made:
    vector = desk.embedder.embed_query(QUESTION)
    evidence = generation.retriever.retrieve(Query(QUESTION), vector, scope())
    return Made(replace(answer, citations=()), None, evidence, vector, generation)


def test_an_answer_is_given_though_it_cannot_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(LEAVE)

    def fail(*_: object) -> None:
        raise SearchError("the engine is away")

    monkeypatch.setattr(AnswerCache, "_documents", fail)
    assert said(desk.ask(QUESTION)) == "Everybody has 27 days of paid leave."
    assert entries(desk) == []


def test_what_was_marked_as_wrong_is_neither_given_nor_proposed_nor_replaced() -> None:
    desk = Desk(LEAVE, calibration=SURE)
    desk.memory.warm_up()
    desk.ask(QUESTION)
    assert desk.quick(QUESTION) is not None
    (kept,) = entries(desk)
    kept = rule(desk, kept, EntryKind.WRONG)
    desk.cache._look_at = 0.0  # 50 ms have passed
    assert desk.quick(QUESTION) is None
    assert desk.computed(QUESTION)
    assert desk.computed(f"Please, {QUESTION[0].lower()}{QUESTION[1:]}")
    assert next(entry for entry in entries(desk) if entry.key == kept.key).kind is EntryKind.WRONG
    desk.store.remove([entry.key for entry in entries(desk) if entry.kind is not EntryKind.WRONG])
    assert desk.computed(REWORDED)
    desk.store.remove([entry.key for entry in entries(desk) if entry.kind is not EntryKind.WRONG])
    assert desk.computed(QUESTION)
    desk.service.close()


def test_a_pinned_answer_is_given_and_not_replaced_and_dies_with_its_page() -> None:
    desk = Desk(page("leave", LEAVE))
    desk.ask(QUESTION)
    (kept,) = entries(desk)
    kept = rule(desk, kept, EntryKind.PINNED)
    assert desk.ask(QUESTION).id == kept.id
    with desk.service._index.lease() as generation:
        answer = desk.ask("When do unused days expire?")
        assert isinstance(answer, Answered)
        desk.cache.keep(desk.keys(QUESTION), _made(desk, answer, generation))
    assert desk.ask(QUESTION).id == kept.id
    desk.publish(page("leave", LEAVE.replace("27", "30")))
    assert said(desk.ask(QUESTION)) == "Everybody has 30 days of paid leave."


def test_who_removes_an_entry_while_it_is_carried_over_has_removed_it(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(page("leave", LEAVE))
    desk.ask(QUESTION)
    (kept,) = entries(desk)
    desk.publish(page("leave", LEAVE), page("travel", TRAVEL))
    put: list[str] = []

    def removed_meanwhile(entry: CachedAnswer, _: object) -> None:
        desk.store.remove([entry.key])
        monkeypatch.setattr(desk.store, "put", lambda entry: put.append(entry.question))

    monkeypatch.setattr("app.caching.cache.why_outdated", removed_meanwhile)
    with desk.service._index.lease() as generation:
        assert desk.cache.find(desk.keys(QUESTION), generation.id, generation) is None
    assert (entries(desk), put, kept.generation) == ([], [], "g1")


def test_without_a_model_only_what_the_evidence_proves_is_given_to_other_words() -> None:
    sure, likely = Desk(LEAVE, TRAVEL, calibration=SURE), Desk(LEAVE, TRAVEL, calibration=LIKELY)
    for desk in (sure, likely):
        desk.ask(QUESTION)
    hit = sure.ask(REWORDED)
    assert (rung(hit), hit_kind(hit)) == (Rung.CACHE, HitKind.VERIFIED)
    assert hit.steps[0].reason == "the evidence says that it asks the same as a question before"
    assert {line.stage for line in hit.receipt.lines} >= {Stage.EMBED_QUERY, Stage.SEARCH, Stage.CACHE}
    assert hit.receipt.cost_usd == 0
    assert rung(likely.ask(REWORDED)) == "extractive"


@pytest.mark.parametrize(
    ("verdict", "served"),
    [("yes", True), ("Yes.", True), ("no", False), ("", False), ("yes, but only for staff", False), ('{"same": true}', False),
     (EndpointUnavailableError("away"), False), (StreamCutError("cut"), False)],
)  # fmt: skip
def test_a_model_verifies_what_the_evidence_leaves_open(
    verdict: str | GenerationError,
    served: bool,  # noqa: FBT001 - a case
) -> None:
    model = Model(verdict)
    desk = Desk(LEAVE, TRAVEL, model=model)
    desk.ask(QUESTION)
    answer = desk.ask(REWORDED)

    assert len(model.verified) == 1
    assert QUESTION in model.verified[0].user
    assert REWORDED in model.verified[0].user
    assert (rung(answer) == Rung.CACHE) is served
    assert said(answer) == "Everybody has 27 days of paid leave."
    paid: list[ReceiptLine] = [line for line in answer.receipt.lines if line.model]
    if isinstance(verdict, str):
        assert [line.stage for line in paid] == [Stage.VERIFY]
        assert answer.receipt.cost_usd == Decimal("0.00011")
        assert list(desk.ledger.written.values())[-1].receipt.cost_usd == Decimal("0.00011")


def test_whose_budget_is_used_up_has_nothing_verified() -> None:
    model = Model()
    desk = Desk(LEAVE, TRAVEL, model=model, limits=[Limit(Payer.COMPANY, "*", Period.DAY, usd=Decimal(0))])
    desk.ask(QUESTION)
    assert rung(desk.ask(REWORDED)) == "extractive"
    assert model.verified == []


def test_a_verified_hit_is_kept_under_its_own_words_and_proposed_for_no_third_ones() -> None:
    model = Model()
    desk = Desk(LEAVE, TRAVEL, model=model)
    first = desk.ask(QUESTION)
    desk.ask(REWORDED)
    assert not desk.computed(REWORDED)
    alias = next(entry for entry in entries(desk) if entry.question == REWORDED)
    assert (alias.id, alias.proposable, alias.kind) == (first.id, False, EntryKind.ANSWER)
    desk.store.remove([entry.key for entry in entries(desk) if entry.question == QUESTION])
    verified = len(model.verified)
    desk.ask("What number of days of paid leave has everybody?")
    assert len(model.verified) == verified


def test_a_hit_of_an_older_generation_is_kept_again_for_the_one_that_serves() -> None:
    desk = Desk(page("leave", LEAVE), calibration=SURE)
    desk.ask(QUESTION)
    desk.publish(page("leave", LEAVE), page("travel", TRAVEL))
    assert rung(desk.ask(REWORDED)) == Rung.CACHE
    assert {entry.generation for entry in entries(desk)} == {"g2"}


def test_a_follow_up_is_kept_with_what_it_leans_on_and_proposed_to_nobody() -> None:
    desk = Desk(LEAVE, TRAVEL, calibration=SURE)
    leave = Conversation("How many days of paid leave has everybody?", "Page 0", ("Leave", "Days"))
    hotels = Conversation("What may a hotel cost?", "Page 1", ("Travel", "Hotels"))
    desk.ask(FOLLOW_UP, conversation=leave)
    assert not desk.computed(FOLLOW_UP, conversation=leave)
    assert desk.computed(FOLLOW_UP, conversation=hotels)
    assert desk.computed(FOLLOW_UP)
    with_background = [entry for entry in entries(desk) if entry.background]
    assert len(with_background) == 2
    assert not any(entry.proposable for entry in with_background)
    desk.memory.warm_up()
    assert desk.quick(FOLLOW_UP, conversation=leave) is None
    assert desk.quick(FOLLOW_UP) is not None
    desk.service.close()


@pytest.mark.parametrize("change", ["prompt", "profile", "policy"])
def test_what_was_made_otherwise_is_not_given(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(LEAVE, page("pay", SALARY, "hr"), calibration=SURE)
    desk.ask(QUESTION)
    other = desk
    if change == "prompt":
        monkeypatch.setattr("app.caching.memory.prompts_version", lambda: "another")
    elif change == "profile":
        desk.settings = replace(desk.settings, budget_tokens=100)
    else:
        other = Desk(like=desk, policy="another", calibration=SURE)
    other.memory.warm_up()
    assert other.quick(QUESTION) is None
    assert rung(other.ask(QUESTION)) == "extractive"
    assert rung(other.ask(QUESTION)) == Rung.CACHE
    other.service.close()


def test_near_questions_with_other_rights_hide_none_with_the_same() -> None:
    desk = Desk(page("leave", LEAVE), page("pay", SALARY, "hr"), calibration=SURE)
    desk.ask(QUESTION)
    for number in range(8):
        desk.ask(f"{REWORDED[:-1]}, they ask for the {number} time?", "everyone", "hr")
    assert rung(desk.ask(REWORDED)) == Rung.CACHE


def collide(desk: Desk, beside: Embedder, most: int) -> list[tuple[str, str, str]]:
    """Ask questions that a vector puts beside a cached one, and that ask something else; which of them the cache answered."""
    served, asked = [], 0
    for cached, others in _COLLISIONS.items():
        desk.ask(cached)
        for other in others[:most]:
            asked += 1
            desk.embedder.vectors[other] = near(beside.embed_query(cached), other)
            answer = desk.ask(other)
            if rung(answer) == Rung.CACHE:
                served.append((cached, other, answer.steps[0].reason))
    assert asked >= (200 if most > 10 else 40)
    return served


@pytest.mark.parametrize("verdict", [None, "no"], ids=["without a model", "with one"])
def test_200_crafted_collisions_are_not_served(verdict: str | None) -> None:
    model = Model(verdict) if verdict else None
    desk = Desk(LEAVE, TRAVEL, *_RULES, model=model, calibration=shipped_calibration())
    assert collide(desk, FakeEmbedder(64), most=100) == []
    assert model is None or len(model.verified) < 60  # most are dropped before


def test_the_rules_alone_stop_all_of_them() -> None:
    """Though every proposal that no rule drops is taken for right."""
    desk = Desk(LEAVE, TRAVEL, *_RULES, calibration=SURE)
    assert collide(desk, FakeEmbedder(64), most=100) == []


@pytest.mark.model
def test_crafted_collisions_of_the_real_model_are_not_served() -> None:
    embedder = build_embedder(load_settings())
    desk = Desk(LEAVE, TRAVEL, *_RULES, model=Model("no"), calibration=shipped_calibration(), embedder=embedder)
    assert collide(desk, embedder, most=4) == []


def _twist(template: str, *values: str) -> dict[str, list[str]]:
    """The question with the first of the values, and those with each of the others, which are written with bars between them."""
    first, *others = "".join(values).split("|")
    return {template.replace("X", first): [template.replace("X", other) for other in others]}


_RULES = (
    "# Rules\n\nContractors may work from home on 2 days a week. Employees may work from home on 3 days a week.",
    "# Deadlines\n\nReports are due on 5 March. The budget for 2025 was approved before June. Interns report to their mentor.",
    "# Parking\n\nVisitors park in garage B. Managers in Berlin park in garage A for 20 euros a month.",
)
_COLLISIONS: dict[str, list[str]] = {
    **_twist("How many days a week may X work from home?", "contractors|employees|interns|managers|directors|visitors|"
             "volunteers|trustees|nurses|drivers|students|trainees|consultants|supervisors|engineers|no contractors"),
    **_twist("May employees work from home on X days a week?", "3|2|4|5|1|no|0|6|7|33|30|3.5|13|fewer than 3|more than 3"),
    **_twist("When are reports due in X?", "March|April|May|June|July|August|September|October|November|December|January|"
             "February|Berlin|Paris|2024|2025|2026"),
    **_twist("Was the budget for X approved?", "2025|2024|2023|2026|2022|2021|2020|2030|1925|next year|Berlin|travel|"
             "parking|contractors|hotels|interns"),
    **_twist("Where do X park in Berlin?", "managers|visitors|contractors|interns|employees|directors|drivers|guests|"
             "suppliers|customers|trainees|students|nurses|neighbours"),
    **_twist("Where do managers park in X?", "Berlin|Paris|London|Madrid|Rome|Vienna|Hamburg|Munich|Oslo|Boston|Chicago|"
             "Denver|Dublin|Lisbon|Prague|Warsaw"),
    **_twist("How many days of leave has a X employee?", "part-time|full-time|former|new|temporary|permanent|remote|senior|"
             "junior|retired|seasonal|sick|pregnant|foreign|federal"),
    **_twist("Is a hotel for X euros a night allowed?", "140|150|130|14|1400|141|139|100|200|240|40|14.0k|114|104|410"),
    **_twist("X do interns report to?", "Who|When|Why|Where|How often|How many|Since when|How"),
    **_twist("Are reports due X 5 March?", "on|before|after|not on|until|since|by|never on"),
    **_twist("What may a hotel cost X?", "a night|a week|a month|a year|an hour|in total|in dollars|in Paris|for directors|"
             "with breakfast|at most for 2 persons|on weekends|in 2024"),
    **_twist("Can unused leave be X?", "carried over|taken in May|given to colleagues|saved|lost|counted twice|"
             "sold|donated|cancelled|paid out|refused|doubled|borrowed|taxed|shared|"
             "forfeited|extended|split|postponed|not carried over"),
    **_twist("Who X the travel budget?", "approves|doubles|publishes|plans|ignores|delays|rejects|audits|exceeds|"
             "cuts|spends|raises|writes|reads|signs|freezes|"
             "loses|forecasts|checks"),
    **_twist("Must X book the hotel themselves?", "employees|contractors|visitors|interns|managers|directors|guests|drivers|"
             "trainees|students|speakers|applicants|suppliers|clients|retirees"),
    **_twist("How do I X a hotel?", "book|lease|leave|choose|clean|sell|insure|review|avoid|cancel|change|rate|pay|"
             "expense|extend|find|report|reject|confirm|refund|upgrade"),
}  # fmt: skip


def test_of_several_processes_each_sees_what_the_others_keep_and_remove() -> None:
    here = Desk(LEAVE)
    there = Desk(like=here)
    for desk in (here, there):
        desk.service.warm_up()
    here.ask(QUESTION)
    assert there.quick(QUESTION) is not None
    here.store.remove([entry.key for entry in entries(here)])
    time.sleep(0.06)
    assert there.quick(QUESTION) is None
    here.service.close()
    there.service.close()


def test_spenders_do_not_matter() -> None:
    desk = Desk(LEAVE)
    desk.ask(QUESTION, person="ada")
    assert rung(desk.ask(QUESTION, person="bob")) == Rung.CACHE
    assert [entry.spender for entry in desk.ledger.written.values()] == [Spender(Surface.HTTP, one) for one in ("ada", "bob")]
