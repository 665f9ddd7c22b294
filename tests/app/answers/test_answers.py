from collections.abc import Callable
from dataclasses import replace

import pytest

from app.answers.answers import Draft, DraftSentence, cite, closest_pages, groundedness
from indexing.documents import Chunk, UnitKind
from retrieval.passages import ContextUnit, Passage

MakeChunk = Callable[..., Chunk]


@pytest.fixture
def chunk(make_chunk: MakeChunk) -> Chunk:
    return make_chunk("leave", 0, ["You have 20 days.", "Ask early.", "Carry over five."])


def unit(chunk: Chunk, position: int) -> ContextUnit:
    return ContextUnit(chunk, position, 0.5)


def sentence(*units: ContextUnit) -> DraftSentence:
    return DraftSentence(" ".join(u.text for u in units), units)


def of_kind(chunk: Chunk, kind: UnitKind) -> Chunk:
    return replace(chunk, units=tuple(replace(u, kind=kind) for u in chunk.units))


def test_each_sentence_is_marked_and_each_mark_is_cited(chunk: Chunk) -> None:
    text, citations = cite(Draft((sentence(unit(chunk, 0)), sentence(unit(chunk, 2)))))
    assert text == "You have 20 days. [1] Carry over five. [2]"
    first = citations[0]
    assert (first.n, first.document, first.title, first.heading_path) == (1, "leave.md", "Leave", ("Rules",))
    assert (first.quote, first.uri, first.lines) == ("You have 20 days.", "docs/leave.md", (1, 1))
    assert [c.n for c in citations] == [1, 2]


def test_one_unit_has_one_number_however_often_it_is_cited(chunk: Chunk) -> None:
    draft = Draft((sentence(unit(chunk, 0), unit(chunk, 1)), DraftSentence("Ask early.", (unit(chunk, 1),))))
    text, citations = cite(draft)
    assert text == "You have 20 days. Ask early. [1][2] Ask early. [2]"
    assert len(citations) == 2


def test_items_stand_on_their_own_lines(chunk: Chunk) -> None:
    items = of_kind(chunk, UnitKind.ITEM)
    text, _ = cite(Draft((sentence(unit(chunk, 0)), sentence(unit(items, 1)), sentence(unit(items, 2)))))
    assert text == "You have 20 days. [1]\nAsk early. [2]\nCarry over five. [3]"


@pytest.mark.parametrize("kind", [UnitKind.TABLE, UnitKind.CODE])
def test_tables_and_code_are_set_apart(chunk: Chunk, kind: UnitKind) -> None:
    block = of_kind(chunk, kind)
    text, _ = cite(Draft((sentence(unit(chunk, 0)), sentence(unit(block, 1)), sentence(unit(chunk, 2)))))
    assert text == "You have 20 days. [1]\n\nAsk early.\n\n[2]\n\nCarry over five. [3]"
    alone, _ = cite(Draft((sentence(unit(block, 1)),)))
    assert alone == "Ask early.\n\n[1]"


def test_groundedness_counts_the_sentences_that_stand_in_their_units(chunk: Chunk) -> None:
    verbatim = sentence(unit(chunk, 0))
    folded = DraftSentence("You  have\n20 days.", (unit(chunk, 0),))
    joined = sentence(unit(chunk, 0), unit(chunk, 1))
    invented = DraftSentence("You have 25 days.", (unit(chunk, 0),))
    cut = DraftSentence("You have", (unit(chunk, 0),))
    misquoted = DraftSentence("Ask early.", (unit(chunk, 0),))
    assert groundedness(Draft((verbatim, folded, joined))) == 1.0
    assert groundedness(Draft((verbatim, invented))) == 0.5
    assert groundedness(Draft((cut, misquoted, invented))) == 0.0


def test_the_closest_pages_are_distinct_and_in_order(make_chunk: MakeChunk) -> None:
    chunks = [make_chunk(name, ordinal, ["x"]) for ordinal, name in enumerate("aabacd")]
    passages = [Passage(c, rank, 1.0, None, 0.0) for rank, c in enumerate(chunks, start=1)]
    assert [page.document for page in closest_pages(passages)] == ["a.md", "b.md", "c.md"]
    assert closest_pages([]) == ()
