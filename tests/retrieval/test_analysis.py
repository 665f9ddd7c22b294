import threading

import pytest
from hypothesis import given, settings

from indexing.chunking import chunk_document
from indexing.documents import Chunk, UnitKind
from indexing.language import ENGLISH
from indexing.language.question_form import QuestionForm
from retrieval.analysis import ChunkAnalyses, analyse_chunk, analyse_query, shown_text
from tests.fakes.tokens import FakeTokenCounter
from tests.indexing.pages import Page, document, pages
from tests.retrieval.finding import COUNTER, CountedLexicon

EMPTY = CountedLexicon([])


def chunks_of(markdown: str, title: str | None = None) -> list[Chunk]:
    return chunk_document(document(markdown, title=title), COUNTER, ENGLISH)


def test_a_query_is_weighed_by_rarity_and_unknown_terms_weigh_most() -> None:
    lexicon = CountedLexicon(chunks_of("# A\n\nCommon rare.\n\n# B\n\nCommon.\n\n# C\n\nCommon."))
    query = analyse_query("How many common, rare and unknown things cost $1,500?", lexicon, ENGLISH)
    assert query.weights["unknown"] > query.weights["rare"] > query.weights["common"] > 0
    assert query.total == pytest.approx(sum(query.weights.values()))
    assert query.form is QuestionForm.NUMBER
    assert query.coverage(frozenset(query.weights)) == pytest.approx(1.0)
    assert query.coverage(frozenset()) == 0.0
    assert query.coverage(frozenset({"common", "elsewhere"})) == pytest.approx(query.weights["common"] / query.total)


@pytest.mark.parametrize("text", ["", "???", "what is the of"])
def test_a_query_without_terms_covers_nothing_and_divides_by_nothing(text: str) -> None:
    query = analyse_query(text, EMPTY, ENGLISH)
    assert not query.weights
    assert query.total > 0
    assert query.coverage(frozenset({"x"})) == 0.0
    assert query.bigram_share(frozenset({("a", "b")})) == 0.0


def test_bigrams_count_neighbours() -> None:
    query = analyse_query("parental leave policy", EMPTY, ENGLISH)
    (chunk,) = chunks_of("The parental leave is long. A policy.")
    assert query.bigram_share(analyse_chunk(chunk, COUNTER, ENGLISH).bigrams) == 0.5


def test_a_unit_leans_on_everything_above_it() -> None:
    (chunk,) = chunks_of("You may bring:\n\n- animals\n  - dogs\n  - cats\n- plants", title="Office Rules")
    units = analyse_chunk(chunk, COUNTER, ENGLISH).units
    assert [unit.lead for unit in units] == [
        frozenset(),
        frozenset({"bring"}),
        frozenset(ENGLISH.terms("bring animals")),
        frozenset(ENGLISH.terms("bring animals")),
        frozenset({"bring"}),
    ]


def test_a_unit_whose_introduction_is_in_an_earlier_chunk_leans_on_the_preface() -> None:
    items = "\n".join(f"- item {'filling ' * 60}{n}" for n in range(4))
    later = chunks_of(f"You may bring:\n\n{items}")[-1]
    analysed = analyse_chunk(later, COUNTER, ENGLISH)
    assert analysed.preface == "You may bring:"
    assert analysed.preface_tokens == COUNTER.count(analysed.preface)
    assert all("bring" in unit.lead for unit in analysed.units)
    assert "bring" in analysed.body


def test_units_are_shown_as_readers_see_them() -> None:
    (chunk,) = chunks_of("A *wrapped*\nline.\n\n- [link](x)\n\n| a | **b** |\n|---|---|\n| 1 | 2 |\n\n```\n *raw*  <b>\n```")
    assert [shown_text(chunk, position) for position in range(4)] == [
        "A wrapped line.",
        "link",
        "| a | b |\n| 1 | 2 |",
        "```\n *raw*  <b>\n```",
    ]
    assert [unit.kind for unit in chunk.units] == [UnitKind.SENTENCE, UnitKind.ITEM, UnitKind.TABLE, UnitKind.CODE]


@given(page=pages(max_blocks=8))
@settings(max_examples=60, deadline=None)
def test_an_analysis_holds_the_terms_and_tokens_of_its_chunk(page: Page) -> None:
    for chunk in chunks_of("\n\n".join(page.parts), title="Some title"):
        analysed = analyse_chunk(chunk, COUNTER, ENGLISH)
        assert len(analysed.units) == len(chunk.units)
        assert len(analysed.heading_tokens) == 1 + len(chunk.heading_path)
        for position, unit in enumerate(analysed.units):
            assert unit.text == shown_text(chunk, position)
            assert unit.tokens == COUNTER.count(unit.text)
            assert unit.term_set == frozenset(unit.terms) <= analysed.body
            assert unit.has_digit == any(map(str.isdigit, unit.text))
        assert analysed.title <= analysed.heads
        assert analysed.last_heading <= analysed.heads


class _CallCounter(FakeTokenCounter):
    calls = 0

    def count_many(self, texts: list[str]) -> list[int]:
        self.calls += 1
        return super().count_many(texts)


def test_analyses_are_made_once_and_the_oldest_are_forgotten() -> None:
    chunks = chunks_of("# A\n\nOne.\n\n# B\n\nTwo.\n\n# C\n\nThree.")
    counter = _CallCounter()
    analyses = ChunkAnalyses(counter, ENGLISH, size=2)
    first = analyses.of(chunks[:2])
    made = counter.calls
    again = analyses.of(chunks[:2])
    assert all(one is other for one, other in zip(first, again, strict=True))
    assert counter.calls == made
    analyses.of([chunks[0], chunks[2]])  # the second is forgotten
    made = counter.calls
    assert analyses.of([chunks[0]])[0] is first[0]
    assert counter.calls == made
    assert analyses.of([chunks[1]])[0] == first[1]
    assert counter.calls > made
    assert analyses.of([]) == []
    assert len(analyses.of(chunks)) == 3  # more than are kept


def test_threads_share_analyses() -> None:
    chunks = chunks_of("\n\n".join(f"# H{n}\n\nText {n}." for n in range(40)))
    analyses = ChunkAnalyses(COUNTER, ENGLISH, size=10)
    results: list[bool] = []

    def work() -> None:
        for start in range(0, 40, 5):
            part = chunks[start : start + 10]
            results.append([one.units[0].text for one in analyses.of(part)] == [chunk.text for chunk in part])

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 48
    assert all(results)
