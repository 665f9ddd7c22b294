from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import pytest

from app.answering.naive_prompt import INSTRUCTIONS, NaiveBaseline
from app.costs.pricing import Price
from indexing.documents import Chunk
from indexing.tokens import TokenCounter
from retrieval.passages import Passage
from tests.fakes.tokens import FakeTokenCounter

MakeChunk = Callable[..., Chunk]

FIXED = FakeTokenCounter().count(INSTRUCTIONS.format(context="", question=""))


class Pages:
    """Pages in memory that count how often they are read."""

    def __init__(self, *pages: Sequence[Chunk]) -> None:
        self.by_id = {page[0].document_id: tuple(page) for page in pages}
        self.read: list[str] = []

    def __call__(self, documents: Sequence[str]) -> Mapping[str, Sequence[Chunk]]:
        self.read.extend(documents)
        return {document: self.by_id[document] for document in documents}


def page(make_chunk: MakeChunk, document: str, *words: int) -> list[Chunk]:
    return [make_chunk(document, ordinal, ["w " * (count - 1) + "w"]) for ordinal, count in enumerate(words)]


def found(chunk: Chunk, cosine: float | None, rank: int = 1) -> Passage:
    return Passage(chunk, rank=rank, score=1.0, cosine=cosine, coverage=0.5)


def test_a_short_page_counts_whole(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    short = page(make_chunk, "a", 100, 50)
    prompt = NaiveBaseline(counter, None, 250).measure("two words", [found(short[0], 0.9)], "g", Pages(short))
    assert prompt.input_tokens == FIXED + 2 + 150


def test_a_long_page_counts_512_tokens_wherever_the_passage_stands(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    long = page(make_chunk, "a", *[100] * 20)
    for chunk in (long[0], long[10], long[19]):
        prompt = NaiveBaseline(counter, None, 250).measure("q", [found(chunk, 0.9)], "g", Pages(long))
        assert prompt.input_tokens == FIXED + 1 + 512


def test_a_passage_inside_a_window_adds_none_and_makes_room_for_the_next(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    long = page(make_chunk, "a", *[100] * 20)
    others = [page(make_chunk, name, 30) for name in "bcdef"]
    passages = [found(long[10], 0.9), found(long[11], 0.8), *(found(other[0], 0.7) for other in others)]
    prompt = NaiveBaseline(counter, None, 250).measure("q", passages, "g", Pages(long, *others))
    assert prompt.input_tokens == FIXED + 1 + 512 + 4 * 30


def test_overlapping_windows_are_counted_once(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    long = page(make_chunk, "a", *[100] * 20)
    prompt = NaiveBaseline(counter, None, 250).measure("q", [found(long[5], 0.9), found(long[9], 0.8)], "g", Pages(long))
    assert prompt.input_tokens == FIXED + 1 + 512 + 400


def test_the_best_by_cosine_come_first_and_those_without_last(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    pages = [page(make_chunk, name, 10 ** (position % 3 + 1) // 10) for position, name in enumerate("abcdef")]
    passages = [found(pages[0][0], None, rank=1), *(found(p[0], 0.1 * n, rank=n + 2) for n, p in enumerate(pages[1:]))]
    prompt = NaiveBaseline(counter, None, 250).measure("q", passages, "g", Pages(*pages))
    assert prompt.input_tokens == FIXED + 1 + sum(len(p[0].text.split()) for p in pages[1:])


def test_without_passages_the_prompt_is_instructions_and_question(counter: TokenCounter) -> None:
    assert NaiveBaseline(counter, None, 250).measure("one two", [], "g", Pages()).input_tokens == FIXED + 2


def test_a_page_is_read_once_in_a_generation(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    pages, baseline = Pages(page(make_chunk, "a", 10)), NaiveBaseline(counter, None, 250)
    for generation in ("g1", "g1", "g2"):
        baseline.measure("q", [found(pages.by_id["a"][0], 0.9)], generation, pages)
    assert pages.read == ["a", "a"]


@pytest.mark.parametrize(
    ("price", "cost"),
    [(None, None), (Price(Decimal(1), Decimal(2)), (Decimal(FIXED + 1 + 10) + 2 * 250) / 1_000_000)],
    ids=["unknown", "known"],
)
def test_the_cost_counts_the_assumed_answer_and_stays_unknown_without_a_price(
    counter: TokenCounter, make_chunk: MakeChunk, price: Price | None, cost: Decimal | None
) -> None:
    pages = Pages(page(make_chunk, "a", 10))
    prompt = NaiveBaseline(counter, price, 250).measure("q", [found(pages.by_id["a"][0], 0.9)], "g", pages)
    assert prompt.cost_usd == cost


def test_what_is_written_is_what_was_counted(counter: TokenCounter, make_chunk: MakeChunk) -> None:
    long = [make_chunk("a", ordinal, [" ".join(f"a{ordinal}x{word}" for word in range(100))]) for ordinal in range(20)]
    short = [make_chunk("b", 0, ["b0 b1 b2"])]
    passages, pages = [found(long[5], 0.9), found(short[0], 0.8), found(long[9], 0.7)], Pages(long, short)
    baseline = NaiveBaseline(counter, None, 250)

    prompt = baseline.write("how many?", passages, "g", pages)

    counted = baseline.measure("how many?", passages, "g", pages).input_tokens
    assert counter.count(prompt) == pytest.approx(counted, abs=5)  # windows end between two words, in proportion
    context = prompt.split("---------------------")[1].split()
    assert context[-3:] == ["b0", "b1", "b2"]
    assert len(context) == len(set(context)) == pytest.approx(512 + 400 + 3, abs=5)
    assert "how many?" in prompt


def test_words_at_the_ends_of_a_window_are_whole(make_chunk: MakeChunk) -> None:
    class Letters:
        name = "letters"

        def count(self, text: str) -> int:
            return len(text)

        def count_many(self, texts: list[str]) -> list[int]:
            return [len(text) for text in texts]

    long = [make_chunk("a", ordinal, [" ".join(f"word{ordinal}x{word}" for word in range(40))]) for ordinal in range(5)]
    words = {word for chunk in long for word in chunk.text.split()}
    prompt = NaiveBaseline(Letters(), None, 250).write("q", [found(long[2], 0.9)], "g", Pages(long))
    context = prompt.split("---------------------")[1].strip()
    assert set(context.split()) <= words
    assert 480 < len(context) <= 512 + 2


def test_without_passages_an_empty_context_is_written(counter: TokenCounter) -> None:
    prompt = NaiveBaseline(counter, None, 250).write("one two", [], "g", Pages())
    assert prompt == INSTRUCTIONS.format(context="", question="one two")
