from eval.arms.packing import WholePassages
from indexing.documents import Chunk, Unit, UnitKind
from indexing.language import ENGLISH
from retrieval.analysis import analyse_chunk
from retrieval.passages import Passage


class Words:
    name = "words"

    def count(self, text: str) -> int:
        return len(text.split())

    def count_many(self, texts: list[str]) -> list[int]:
        return [self.count(text) for text in texts]


def _chunk(document: str, ordinal: int, heading: str, *sentences: str) -> Chunk:
    text, units = "", []
    for sentence in sentences:
        text += " " if text else ""
        units.append(Unit(len(text), len(text) + len(sentence), UnitKind.SENTENCE, None))
        text += sentence
    return Chunk(
        f"{document}-{ordinal}",
        "default",
        document,
        f"{document}.md",
        "",
        document,
        (heading,),
        ordinal,
        0,
        text,
        tuple(units),
        (),
        "",
        "",
    )


def _packed(*chunks: Chunk) -> WholePassages:
    passages = [Passage(chunk, rank, -float(rank), None, 0.0) for rank, chunk in enumerate(chunks, start=1)]
    return WholePassages(passages, {chunk.id: analyse_chunk(chunk, Words(), ENGLISH) for chunk in chunks}, Words())


A1 = _chunk("Alpha", 1, "Rules", "Second one here.", "Third one here.")
A0 = _chunk("Alpha", 0, "Rules", "First one here.")
B = _chunk("Beta", 0, "Facts", "A fact stands here.", "And another fact.")


def test_everything_in_reading_order_with_headings_once() -> None:
    text, tokens = _packed(A1, B, A0).all()
    expected = (
        "Alpha > Rules\nFirst one here.\nSecond one here. Third one here.\nBeta > Facts\nA fact stands here. And another fact."
    )
    assert text == expected
    assert tokens == Words().count(text)


def test_passages_are_added_by_rank_while_they_fit() -> None:
    whole = _packed(A0, B)
    assert whole.within(1_000) == whole.all()
    assert whole.within(6)[0] == "Alpha > Rules\nFirst one here."


def test_the_next_passage_is_cut_at_a_unit() -> None:
    text, tokens = _packed(A0, B).within(13)
    assert text.endswith("Beta > Facts\nA fact stands here.")
    assert tokens == 13


def test_what_does_not_fit_is_not_sent() -> None:
    assert _packed(A0).within(5) == ("", 0)
    assert _packed().within(100) == ("", 0)


def test_never_more_than_the_budget() -> None:
    passages = _packed(A1, B, A0)
    sent = [passages.within(budget)[1] for budget in range(40)]
    assert all(tokens <= budget for budget, tokens in enumerate(sent))
    assert sent == sorted(sent)


def test_a_list_that_began_in_the_chunk_before_carries_its_introduction() -> None:
    item = Chunk(
        "c",
        "default",
        "d",
        "d.md",
        "",
        "Doc",
        ("List",),
        1,
        0,
        "* last",
        (Unit(0, 6, UnitKind.ITEM, None, -1),),
        (),
        "",
        "",
        "You need:",
    )
    assert _packed(item).all()[0] == "Doc > List\nYou need:\nlast"
