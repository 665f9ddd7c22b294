"""What every searching side of an index must do. An adapter's test subclasses this and gives the fixture `engine`."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.documents import AccessScope, Chunk, document_id
from retrieval.errors import SearchError
from retrieval.search import Found, PassageSearcher
from tests.contracts.corpus import (
    ALL,
    DIMENSION,
    TENANT,
    Engine,
    make_chunk,
    random_body,
    random_scope,
    random_text,
    relabelled,
    unit_vectors,
)

ROUNDS = 10
TRIALS = 1000


def ids(rows: Sequence[Found]) -> list[str]:
    return [row.chunk_id for row in rows]


def may_read(scope: AccessScope, chunk: Chunk) -> bool:
    """The oracle of the access tests, as simple as can be."""
    if scope.tenant != chunk.tenant:
        return False
    return any(label == own for label in scope.labels for own in chunk.labels)


class PassageSearcherContract:
    def test_dense_is_brute_force_best_first(self, engine: Engine) -> None:
        vectors = unit_vectors(200)
        chunks = [make_chunk(f"w{number}") for number in range(200)]
        engine.commit("g1", chunks, vectors)
        with engine.searching("g1") as searcher:
            for query in unit_vectors(20, seed=1):
                cosines = vectors @ query
                best = np.argsort(-cosines)[:10]
                found = searcher.search("", query, ALL, 10).dense
                assert ids(found) == [chunks[row].id for row in best]
                assert [row.score for row in found] == pytest.approx(cosines[best].tolist(), abs=1e-5)

    def test_words_score_as_bm25_says(self, engine: Engine) -> None:
        chunks = [make_chunk("w1 w2 w2"), make_chunk("w2 w3"), make_chunk("w4 w5")]
        engine.commit("g1", chunks, unit_vectors(3))
        with engine.searching("g1") as searcher:
            found = searcher.search("w1 w2", unit_vectors(1)[0], ALL, 10).words

        def weight(frequency: int, length: int) -> float:
            return frequency * 2.2 / (frequency + 1.2 * (0.25 + 0.75 * length / 120))

        rare = float(np.log(1 + (3 - 1 + 0.5) / 1.5))
        common = float(np.log(1 + (3 - 2 + 0.5) / 2.5))
        expected = [rare * weight(1, 3) + common * weight(2, 3), common * weight(1, 2)]
        assert ids(found) == [chunks[0].id, chunks[1].id]
        assert [row.score for row in found] == pytest.approx(expected, rel=1e-4)

    def test_words_without_any_match_find_nothing(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("w1 w2")], unit_vectors(1))
        with engine.searching("g1") as searcher:
            for text in ("", "   ", "nowhere", "?!", "\x00"):
                found = searcher.search(text, unit_vectors(1)[0], ALL, 10)
                assert found.words == ()
                assert len(found.dense) == 1

    def test_a_chunk_without_words_is_found_by_meaning(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("...")], unit_vectors(1))
        with engine.searching("g1") as searcher:
            assert len(searcher.search("w1", unit_vectors(1)[0], ALL, 10).dense) == 1

    def test_limit_is_kept(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk(f"travel w{number}") for number in range(30)], unit_vectors(30))
        with engine.searching("g1") as searcher:
            for limit in (0, 1, 7, 30, 100):
                found = searcher.search("travel", unit_vectors(1)[0], ALL, limit)
                assert len(found.dense) == len(found.words) == min(limit, 30)

    def test_ties_come_in_the_order_of_chunk_ids_however_long(self, engine: Engine) -> None:
        tied = [make_chunk("travel rules", occurrence=number) for number in range(300)]
        best, worst = make_chunk("travel travel travel"), make_chunk("travel w1 w2 w3 w4 w5 w6")
        vector = unit_vectors(1)[0]
        vectors = np.array([vector] * 300 + [vector, -vector], dtype=np.float32)
        engine.commit("g1", [*tied, best, worst], vectors)
        in_order = sorted(chunk.id for chunk in tied)
        with engine.searching("g1") as searcher:
            for limit in (1, 5, 290, 301):
                found = searcher.search("travel", vector, ALL, limit)
                assert ids(found.dense) == sorted([*in_order, best.id])[:limit]
                assert ids(found.words) == [best.id, *in_order][:limit]

    def test_a_scope_without_labels_sees_nothing(self, engine: Engine) -> None:
        chunk = make_chunk("travel")
        nobody = AccessScope(TENANT, frozenset())
        engine.commit("g1", [chunk], unit_vectors(1))
        with engine.searching("g1") as searcher:
            searcher.chunks([chunk.id], ALL)
            found = searcher.search("travel", unit_vectors(1)[0], nobody, 5)
            assert (found.dense, found.words) == ((), ())
            assert searcher.chunks([chunk.id], nobody) == {}
            assert searcher.document_chunks([chunk.document_id], nobody) == {}

    def test_a_foreign_tenant_sees_nothing(self, engine: Engine) -> None:
        chunk = make_chunk("travel")
        engine.commit("g1", [chunk], unit_vectors(1))
        with engine.searching("g1") as searcher:
            searcher.chunks([chunk.id], ALL)
            for tenant in ("other", TENANT.upper(), "", f"{TENANT} "):
                scope = AccessScope(tenant, ALL.labels)
                found = searcher.search("travel", unit_vectors(1)[0], scope, 5)
                assert (found.dense, found.words) == ((), ())
                assert searcher.chunks([chunk.id], scope) == {}
                assert searcher.document_chunks([chunk.document_id], scope) == {}

    def test_labels_added_and_removed_hold_in_the_next_generation(self, engine: Engine) -> None:
        opened, closed = make_chunk("travel w1", labels=("hr",)), make_chunk("travel w2")
        vectors = unit_vectors(2)
        engine.commit("g1", [opened, closed], vectors)
        index = engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)
        index.upsert([relabelled(opened, "everyone", "hr"), relabelled(closed, "legal")], vectors)
        index.commit()
        for generation, visible in (("g1", closed.id), ("g2", opened.id)):
            with engine.searching(generation) as searcher:
                found = searcher.search("travel", vectors[0], ALL, 5)
                assert ids(found.dense) == ids(found.words) == [visible]
                assert list(searcher.chunks([opened.id, closed.id], ALL)) == [visible]

    def test_what_cannot_be_read_does_not_move_scores(self, engine: Engine) -> None:
        draw = random.Random(7)
        mine = [make_chunk(random_text(draw), occurrence=number) for number in range(40)]
        hidden = [make_chunk(random_text(draw), labels=("hr",), occurrence=100 + number) for number in range(60)]
        foreign = [make_chunk(random_text(draw), tenant="other", occurrence=number) for number in range(60)]
        vectors = unit_vectors(160)
        engine.commit("mine", mine, vectors[:40])
        engine.commit("mixed", [*mine, *hidden, *foreign], vectors)
        with engine.searching("mine") as alone, engine.searching("mixed") as among_others:
            for number in range(20):
                text = f"w{number} w{number * 3 % 60}"
                expected = alone.search(text, vectors[number], ALL, 50).words
                found = among_others.search(text, vectors[number], ALL, 50).words
                assert ids(found) == ids(expected)
                assert [row.score for row in found] == pytest.approx([row.score for row in expected], rel=1e-5)

    def test_chunks_come_in_the_order_asked_without_the_unknown(self, engine: Engine) -> None:
        chunks = [make_chunk(f"w{number}") for number in range(4)]
        engine.commit("g1", chunks, unit_vectors(4))
        wanted = [chunks[2].id, "no uuid", chunks[0].id, "7", make_chunk("absent").id, chunks[2].id, chunks[3].id.upper(), ""]
        with engine.searching("g1") as searcher:
            for _ in range(2):
                assert list(searcher.chunks(wanted, ALL).items()) == [(chunks[2].id, chunks[2]), (chunks[0].id, chunks[0])]
            assert searcher.chunks([], ALL) == {}

    def test_document_chunks_come_in_reading_order_inside_the_scope(self, engine: Engine) -> None:
        shown = [make_chunk(f"w{number}", ordinal=number) for number in (3, 0, 2)]
        hidden = make_chunk("w1", ordinal=1, labels=("hr",))
        other = make_chunk("w9", document="other.md")
        engine.commit("g1", [*shown, hidden, other], unit_vectors(5))
        page = shown[0].document_id
        with engine.searching("g1") as searcher:
            assert searcher.document_chunks([page], ALL) == {page: (shown[1], shown[2], shown[0])}
            both = searcher.document_chunks([page, other.document_id, document_id(TENANT, "docs", "absent"), "?"], ALL)
            assert set(both) == {page, other.document_id}
            assert searcher.document_chunks([], ALL) == {}

    def test_refuses_a_query_vector_of_another_dimension(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        with engine.searching("g1") as searcher, pytest.raises(SearchError, match="8 dimensions"):
            searcher.search("alpha", unit_vectors(1, dimension=12)[0], ALL, 5)

    def test_a_closed_searcher_says_so(self, engine: Engine) -> None:
        chunk = make_chunk("alpha")
        engine.commit("g1", [chunk], unit_vectors(1))
        with engine.searching("g1") as searcher:
            searcher.chunks([chunk.id], ALL)
        searcher.close()
        with pytest.raises(SearchError, match="closed"):
            searcher.search("alpha", unit_vectors(1)[0], ALL, 5)
        with pytest.raises(SearchError, match="closed"):
            searcher.chunks([chunk.id], ALL)
        with pytest.raises(SearchError, match="closed"):
            searcher.document_chunks([chunk.document_id], ALL)

    def test_eight_threads_get_the_answers_of_one(self, engine: Engine) -> None:
        draw = random.Random(3)
        body = random_body(draw, 200)
        engine.commit("g1", body, unit_vectors(200))
        queries = [(random_text(draw, 3), vector, random_scope(draw)) for vector in unit_vectors(64, seed=2)]

        def answer(searcher: PassageSearcher, query: tuple[str, NDArray[np.float32], AccessScope]) -> object:
            found = searcher.search(*query, 10)
            chunks = searcher.chunks(ids(found.dense) + ids(found.words), query[2])
            documents = sorted({chunk.document_id for chunk in chunks.values()})
            return found, dict(chunks), dict(searcher.document_chunks(documents, query[2]))

        with engine.searching("g1") as searcher, engine.searching("g1") as shared, ThreadPoolExecutor(8) as pool:
            expected = [answer(searcher, query) for query in queries]
            assert list(pool.map(lambda query: answer(shared, query), queries * 2)) == expected * 2

    @pytest.mark.slow
    def test_ten_thousand_random_scopes_leak_nothing(self, engine: Engine) -> None:
        draw = random.Random(20)
        shown = 0
        for number in range(ROUNDS):
            body = random_body(draw, 120)
            engine.commit(f"g{number}", body, unit_vectors(120, seed=number))
            with engine.searching(f"g{number}") as searcher:
                shown += sum(self._try_one(draw, searcher, body) for _ in range(TRIALS))
        assert shown > ROUNDS * TRIALS  # the oracle lets something through, so that equality means something

    def _try_one(self, draw: random.Random, searcher: PassageSearcher, body: list[Chunk]) -> int:
        """One caller asks one thing; the answer must be all that the oracle lets through, and nothing else."""
        scope = random_scope(draw)
        allowed = {chunk.id for chunk in body if may_read(scope, chunk)}
        way = draw.randrange(3)
        if way == 0:
            text = random_text(draw, 2)
            found = searcher.search(text, unit_vectors(1, seed=draw.randrange(100))[0], scope, len(body))
            with_words = {chunk.id for chunk in body if set(text.split()) & set(chunk.text.split())}
            assert set(ids(found.dense)) == allowed
            assert set(ids(found.words)) == allowed & with_words
            return len(found.dense)
        if way == 1:
            wanted = {chunk.id for chunk in draw.sample(body, 15)}
            chunks = searcher.chunks(sorted(wanted), scope)
            assert set(chunks) == allowed & wanted
            return len(chunks)
        documents = {chunk.document_id for chunk in draw.sample(body, 4)}
        pages = searcher.document_chunks(sorted(documents), scope)
        assert {chunk.id for page in pages.values() for chunk in page} == {
            chunk.id for chunk in body if chunk.document_id in documents and chunk.id in allowed
        }
        return len(pages)
