import threading
from dataclasses import replace

import numpy as np
import pytest

from retrieval.errors import SearchError
from retrieval.passages import Query
from tests.indexing.pages import document
from tests.retrieval.finding import SCOPE, find, make_retriever

PAGES = [document(f"# Topic {n}\n\nMatter {n} of travel.\n\n## More {n}\n\nLeave {n}.", path=f"{n}.md") for n in range(30)]


def test_evidence_is_ranked_and_analysed() -> None:
    evidence = find("travel matter 7", *PAGES)
    assert evidence.query == Query("travel matter 7")
    assert [passage.rank for passage in evidence.passages] == list(range(1, len(evidence.passages) + 1))
    assert {passage.chunk.id for passage in evidence.passages} == set(evidence.analysed)
    assert evidence.passages[0].chunk.text == "Matter 7 of travel."
    assert evidence == find("travel matter 7", *PAGES)


@pytest.mark.parametrize("question", ["", "???", "x" * 5000, "the of and"])
def test_odd_questions_are_searched_all_the_same(question: str) -> None:
    assert len(find(question, *PAGES).passages) > 0  # by meaning, everything has its place


def test_the_scope_decides_what_is_seen() -> None:
    secret = document("# Secret\n\nMatter 7 of travel, secretly.", path="s.md", labels=("hr",))
    for scope, seen in ((SCOPE, False), (replace(SCOPE, labels=frozenset({"hr"})), True)):
        paths = {passage.chunk.document_path for passage in find("secret travel", *PAGES, secret, scope=scope).passages}
        assert ("s.md" in paths) is seen
    assert find("travel", *PAGES, scope=replace(SCOPE, tenant="other")).passages == ()


def test_candidates_are_what_is_ranked() -> None:
    retriever, embedder = make_retriever(PAGES)
    vector = embedder.embed_query("travel matter 7")
    found = retriever.find(Query("travel matter 7"), vector, SCOPE)
    evidence = retriever.retrieve(Query("travel matter 7"), vector, SCOPE)
    assert {candidate.chunk.id for candidate in found.candidates} == {passage.chunk.id for passage in evidence.passages}
    assert len(found.candidates) == len(found.analysed)


def test_a_searchers_fault_comes_through() -> None:
    retriever, _ = make_retriever(PAGES[:1])
    with pytest.raises(SearchError):
        retriever.retrieve(Query("travel"), np.zeros(3, dtype=np.float32), SCOPE)


def test_threads_find_what_one_finds() -> None:
    retriever, embedder = make_retriever(PAGES)
    questions = [f"travel matter {n}" for n in range(12)]
    alone = [retriever.retrieve(Query(text), embedder.embed_query(text), SCOPE) for text in questions]
    found: dict[int, list[object]] = {}

    def work(number: int) -> None:
        found[number] = [retriever.retrieve(Query(text), embedder.embed_query(text), SCOPE) for text in questions]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[number] for number in range(4)] == [alone] * 4
