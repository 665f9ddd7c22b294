"""Whether a cached answer still holds: what it cites has kept its words and readers, and nothing new answers better."""

from dataclasses import replace

from app.caching.entries import CachedAnswer, CitedUnit
from app.caching.rules.validity import REMEMBERED_PASSAGES, digest_documents, remember_passages, why_changed, why_overtaken
from indexing.documents import Chunk
from retrieval.passages import Passage
from tests.app.conftest import build_chunk
from tests.fakes.answer_store import cached_answer

LEAVE = build_chunk("leave", 0, ["Everybody has 27 days."])
MORE = build_chunk("leave", 1, ["Unused days expire."])
TRAVEL = build_chunk("travel", 0, ["Hotels cost 140 euros."])
NEW = build_chunk("news", 0, ["Everybody has 31 days."])


def found(*chunks: Chunk) -> list[Passage]:
    return [Passage(chunk, score=1.0 / rank, rank=rank, cosine=0.5, coverage=0.5) for rank, chunk in enumerate(chunks, start=1)]


def entry(*cited: Chunk, known: list[Passage]) -> CachedAnswer:
    units = tuple(CitedUnit(chunk.unit_id(0), "0" * 64, chunk.document_id, chunk.labels) for chunk in cited)
    pages: dict[str, list[Chunk]] = {}
    for chunk in cited:
        pages.setdefault(chunk.document_id, []).append(chunk)
    return cached_answer("q", units=units, documents=digest_documents(pages), passages=remember_passages(known))


def test_pages_that_say_the_same_to_the_same_readers_have_not_changed() -> None:
    one = entry(LEAVE, MORE, known=found(LEAVE))
    assert why_changed(one, {"leave": [LEAVE, MORE]}) is None
    assert why_changed(one, {"leave": [replace(LEAVE, uri="moved", title="Renamed"), MORE]}) is None


def test_a_page_that_is_gone_or_hidden_or_says_something_else_has() -> None:
    one = entry(LEAVE, TRAVEL, known=found(LEAVE))
    assert why_changed(one, {"leave": [LEAVE]}) == "a cited page is gone, or may not be read any more"
    assert why_changed(one, {}) == "a cited page is gone, or may not be read any more"
    other = replace(LEAVE, id="another")
    readers = replace(LEAVE, labels=("everyone", "hr"))
    for chunks in ([other], [readers], [LEAVE, MORE], []):
        assert why_changed(one, {"leave": chunks, "travel": [TRAVEL]}) == "a cited page has changed"


def test_digests_are_in_the_order_of_ids_whatever_order_pages_are_read_in() -> None:
    there = digest_documents({"leave": [LEAVE], "travel": [TRAVEL]})
    assert there == digest_documents({"travel": [TRAVEL], "leave": [LEAVE]})
    assert [document.id for document in there] == ["leave", "travel"]


def test_what_is_found_as_before_or_below_overtakes_nothing() -> None:
    one = entry(LEAVE, known=found(TRAVEL, LEAVE))
    assert why_overtaken(one, found(LEAVE, TRAVEL)) is None
    assert why_overtaken(one, found(TRAVEL, LEAVE, NEW)) is None
    assert why_overtaken(one, found(LEAVE, NEW)) is None


def test_something_new_above_what_is_cited_overtakes_it() -> None:
    one = entry(LEAVE, TRAVEL, known=found(LEAVE, TRAVEL))
    assert why_overtaken(one, found(NEW, LEAVE, TRAVEL)) is not None
    assert why_overtaken(one, found(LEAVE, NEW, TRAVEL)) is not None  # the lowest of what it cites counts


def test_what_is_not_found_any_more_is_not_given() -> None:
    one = entry(LEAVE, known=found(LEAVE))
    assert why_overtaken(one, found(TRAVEL)) == "what it cites is not found for the question any more"
    assert why_overtaken(one, []) is not None


def test_so_many_passages_are_remembered_and_no_more() -> None:
    many = found(*(build_chunk(f"page-{number}", 0, ["Text."]) for number in range(REMEMBERED_PASSAGES + 6)))
    assert len(remember_passages(many)) == REMEMBERED_PASSAGES
    assert len(set(remember_passages(many[:20]))) == 20
