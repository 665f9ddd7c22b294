import numpy as np
import pytest

from indexing.language import ENGLISH
from retrieval.aliases import OtherName
from retrieval.followups import BACKGROUND_WEIGHT, analyse, embed_query, words_to_search
from retrieval.passages import Query
from retrieval.retriever import Evidence
from tests.indexing.pages import document
from tests.retrieval.finding import SCOPE, CountedLexicon, make_retriever

PAGES = [
    document("# Sick leave\n\n## Earning\n\nYou earn four hours each pay period.", path="sick.md"),
    document("# Parking\n\n## Earning\n\nYou earn a parking space after ten years.", path="parking.md"),
    document("# Sick leave\n\n## Limits\n\nThere is no ceiling on the balance.", path="limits.md"),
    *(document(f"# Topic {n}\n\nMatter {n} of earning.", path=f"{n}.md") for n in range(20)),
]
ALONE = Query("at what rate do you earn it?")
FOLLOW_UP = Query("at what rate do you earn it?", "Is there a ceiling on sick leave? Sick leave Limits")


def found(query: Query) -> Evidence:
    retriever, embedder = make_retriever(PAGES)
    return retriever.retrieve(query, embed_query(query, embedder.embed_query), SCOPE)


def rank(evidence: Evidence, path: str) -> int:
    return next(passage.rank for passage in evidence.passages if passage.chunk.document_path == path)


def test_both_rankings_count() -> None:
    alone, before, fused = found(ALONE), found(Query(FOLLOW_UP.background)), found(FOLLOW_UP)
    best_alone = alone.passages[0].chunk.document_path
    assert rank(fused, "limits.md") == rank(before, "limits.md") == 1 < rank(alone, "limits.md")
    assert rank(fused, best_alone) < rank(before, best_alone)
    assert rank(fused, "sick.md") < rank(fused, "parking.md")


def test_the_vector_is_the_mean_of_both_readings() -> None:
    _, embedder = make_retriever(PAGES[:1])
    whole = embedder.embed_query(f"{FOLLOW_UP.background} {FOLLOW_UP.text}")
    alone = embedder.embed_query(FOLLOW_UP.text)
    vector = embed_query(FOLLOW_UP, embedder.embed_query)
    assert vector.dtype == np.float32
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-6)
    others = embedder.embed_documents([page.markdown for page in PAGES])
    assert np.argsort(others @ vector).tolist() == np.argsort(others @ alone + others @ whole).tolist()


def test_readings_that_cancel_out_leave_the_question() -> None:
    vectors = {FOLLOW_UP.text: np.array([1, 0], dtype=np.float32)}
    assert embed_query(FOLLOW_UP, lambda text: vectors.get(text, np.array([-1, 0], dtype=np.float32))).tolist() == [1, 0]


@pytest.mark.parametrize(("query", "texts"), [(ALONE, 1), (FOLLOW_UP, 2)])
def test_a_background_costs_one_embedding_more(query: Query, texts: int) -> None:
    embedded: list[str] = []

    def embed(text: str) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        embedded.append(text)
        return np.array([1, 0], dtype=np.float32)

    embed_query(query, embed)
    assert len(embedded) == texts


def test_words_of_both_are_searched() -> None:
    assert words_to_search(ALONE) == ALONE.text
    assert words_to_search(FOLLOW_UP) == f"{FOLLOW_UP.text} {FOLLOW_UP.background}"
    assert words_to_search(ALONE, [OtherName(frozenset("a"), frozenset("b"), "It")]) == f"{ALONE.text} It"


def test_terms_of_the_background_weigh_less_and_number_and_form_are_the_questions_own() -> None:
    lexicon = CountedLexicon([])
    one = analyse(Query("How many hours of sick leave?", "Which 3 forms list the annual leave?"), lexicon, SCOPE.labels, ENGLISH)
    assert one.terms == frozenset(one.weights) == {"hour", "sick", "leav", "3", "form", "list", "annual"}
    assert one.weights["annual"] == pytest.approx(BACKGROUND_WEIGHT * one.weights["sick"])
    assert one.weights["leav"] == one.weights["sick"]  # said again, it weighs whole
    assert one.total == pytest.approx(sum(one.weights.values()))
    alone = analyse(Query("How many hours of sick leave?"), lexicon, SCOPE.labels, ENGLISH)
    assert (one.form, one.bigrams) == (alone.form, alone.bigrams)
