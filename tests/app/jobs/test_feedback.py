"""What people say of answers."""

from contextlib import nullcontext
from datetime import UTC, datetime

from app.caching.entries import EntryKind
from app.caching.reviews import Marked
from app.costs.reports import Verdict
from app.jobs.feedback import Feedback
from indexing.language import ENGLISH
from tests.fakes.answer_store import FakeAnswerStore, cached_answer
from tests.fakes.entries import build_entry
from tests.fakes.ledger import FakeLedger


def test_a_wrong_answer_leaves_the_cache_where_there_is_one() -> None:
    ledger, store = FakeLedger(), FakeAnswerStore()
    ledger.settle(build_entry(id="a1", at=datetime.now(UTC)))
    store.put(cached_answer("Why?", id="a1"))
    without = Feedback(lambda: nullcontext(ledger), None, 1_000, ENGLISH)
    assert without.take("a1", Verdict.WRONG, None, None) == Marked(0, pinned=False)
    feedback = Feedback(lambda: nullcontext(ledger), lambda: nullcontext(store), 1_000, ENGLISH)
    assert feedback.take("a1", Verdict.RIGHT, "ada", "Yes.") == Marked(0, pinned=False)
    assert feedback.take("a1", Verdict.WRONG, "ada", " ") == Marked(1, pinned=False)
    assert [stored.entry.kind for stored in store.entries()] == [EntryKind.WRONG]
