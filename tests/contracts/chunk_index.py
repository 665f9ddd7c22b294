"""What every writing side of an index must do. An adapter's test subclasses this and gives the fixture `engine`."""

import numpy as np
import pytest

from indexing.documents import AccessScope
from indexing.errors import ChunkIndexError, IndexMismatchError, IndexMissingError
from tests.contracts.corpus import ALL, DIMENSION, Engine, make_chunk, relabelled, unit_vectors


class ChunkIndexContract:
    def test_holds_what_was_upserted(self, engine: Engine) -> None:
        chunks = [make_chunk(f"w{number} travel", ordinal=number) for number in range(5)]
        engine.commit("g1", chunks, unit_vectors(5))
        assert engine.store.count("g1", engine.directory("g1")) == 5
        with engine.searching("g1") as searcher:
            assert searcher.chunks([chunk.id for chunk in chunks], ALL) == {chunk.id: chunk for chunk in chunks}

    def test_takes_many_chunks_at_once(self, engine: Engine) -> None:
        chunks = [make_chunk(f"w{number}", ordinal=number) for number in range(1300)]
        engine.commit("g1", chunks, unit_vectors(1300))
        assert engine.store.count("g1", engine.directory("g1")) == 1300
        with engine.searching("g1") as searcher:
            assert searcher.document_chunks([chunks[0].document_id], ALL) == {chunks[0].document_id: tuple(chunks)}

    def test_an_empty_index_is_an_index(self, engine: Engine) -> None:
        engine.commit("g1", [], np.zeros((0, DIMENSION), dtype=np.float32))
        assert engine.store.count("g1", engine.directory("g1")) == 0
        with engine.searching("g1") as searcher:
            found = searcher.search("travel", unit_vectors(1)[0], ALL, 5)
        assert (found.dense, found.words) == ((), ())

    def test_upsert_replaces_vector_words_labels_and_text(self, engine: Engine) -> None:
        vectors = unit_vectors(2)
        old = make_chunk("alpha", labels=("everyone", "hr"))
        new = relabelled(old, "legal")
        object.__setattr__(new, "words_text", "bravo")
        index = engine.store.create("g1", engine.directory("g1"), DIMENSION)
        index.upsert([old], vectors[:1])
        index.upsert([new], vectors[1:])
        index.commit()
        legal = AccessScope(ALL.tenant, frozenset({"legal"}))
        with engine.searching("g1") as searcher:
            assert searcher.chunks([old.id], ALL) == {}
            assert searcher.chunks([old.id], AccessScope(ALL.tenant, frozenset({"hr"}))) == {}
            assert searcher.chunks([old.id], legal) == {old.id: new}
            found = searcher.search("alpha", vectors[1], legal, 5)
            assert found.dense[0].score == pytest.approx(1.0, abs=1e-5)
            assert found.words == ()
            assert [row.chunk_id for row in searcher.search("bravo", vectors[1], legal, 5).words] == [old.id]
        assert engine.store.count("g1", engine.directory("g1")) == 1

    def test_the_last_of_two_equal_ids_in_one_batch_stays(self, engine: Engine) -> None:
        chunk = make_chunk("alpha")
        engine.commit("g1", [chunk, relabelled(chunk, "hr")], unit_vectors(2))
        with engine.searching("g1") as searcher:
            assert searcher.chunks([chunk.id], ALL) == {}
            assert len(searcher.chunks([chunk.id], AccessScope(ALL.tenant, frozenset({"hr"})))) == 1

    def test_delete_removes_from_both_lists(self, engine: Engine) -> None:
        chunks = [make_chunk(f"travel w{number}") for number in range(3)]
        vectors = unit_vectors(3)
        index = engine.store.create("g1", engine.directory("g1"), DIMENSION)
        index.upsert(chunks, vectors)
        index.delete([chunks[1].id, make_chunk("never indexed").id])
        index.delete([])
        index.commit()
        with engine.searching("g1") as searcher:
            found = searcher.search("travel", vectors[1], ALL, 5)
            kept = {chunks[0].id, chunks[2].id}
            assert {row.chunk_id for row in found.dense} == kept
            assert {row.chunk_id for row in found.words} == kept
            assert searcher.chunks([chunks[1].id], ALL) == {}
        assert engine.store.count("g1", engine.directory("g1")) == 2

    def test_derive_holds_the_base_and_leaves_it_alone(self, engine: Engine) -> None:
        vectors = unit_vectors(4)
        chunks = [make_chunk(f"travel w{number}") for number in range(3)]
        added = make_chunk("travel added")
        engine.commit("g1", chunks, vectors[:3])
        with engine.searching("g1") as serving:
            before = serving.search("travel", vectors[0], ALL, 9)
            index = engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)
            index.upsert([added, relabelled(chunks[0], "hr")], vectors[[3, 0]])
            index.delete([chunks[1].id])
            index.commit()
            assert serving.search("travel", vectors[0], ALL, 9) == before
            assert set(serving.chunks([chunk.id for chunk in chunks], ALL)) == {chunk.id for chunk in chunks}
        with engine.searching("g1") as again, engine.searching("g2") as derived:
            assert again.search("travel", vectors[0], ALL, 9) == before
            assert {row.chunk_id for row in derived.search("travel", vectors[0], ALL, 9).dense} == {added.id, chunks[2].id}
        assert engine.store.count("g1", engine.directory("g1")) == 3
        assert engine.store.count("g2", engine.directory("g2")) == 3

    def test_derived_index_equals_a_fresh_one(self, engine: Engine) -> None:
        vectors = unit_vectors(40)
        chunks = [make_chunk(f"w{number % 7} w{number}", ordinal=number) for number in range(40)]
        engine.commit("g1", chunks[:30], vectors[:30])
        index = engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)
        index.delete([chunk.id for chunk in chunks[:10]])
        index.upsert(chunks[30:], vectors[30:])
        index.commit()
        engine.commit("g3", chunks[10:], vectors[10:])
        with engine.searching("g2") as derived, engine.searching("g3") as fresh:
            for number in range(7):
                ours = derived.search(f"w{number} w12", vectors[number], ALL, 20)
                theirs = fresh.search(f"w{number} w12", vectors[number], ALL, 20)
                for one, other in ((ours.dense, theirs.dense), (ours.words, theirs.words)):
                    assert [row.chunk_id for row in one] == [row.chunk_id for row in other]
                    assert [row.score for row in one] == pytest.approx([row.score for row in other], abs=1e-5)

    def test_refuses_vectors_of_another_dimension(self, engine: Engine) -> None:
        index = engine.store.create("g1", engine.directory("g1"), DIMENSION)
        with pytest.raises(IndexMismatchError, match=r"8 dimensions.* 12.*embedding\.model"):
            index.upsert([make_chunk("alpha")], unit_vectors(1, dimension=12))
        with pytest.raises(ValueError, match="2 chunks"):
            index.upsert([make_chunk("alpha"), make_chunk("bravo")], unit_vectors(1))
        index.abandon()

    def test_refuses_a_base_of_another_dimension(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        with pytest.raises(IndexMismatchError, match=r"8 dimensions.* 12.*embedding\.model"):
            engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), 12)
        with pytest.raises(IndexMismatchError, match=r"8 dimensions.* 12.*embedding\.model"), engine.searching("g1", 12):
            pass

    def test_says_when_there_is_no_index(self, engine: Engine) -> None:
        with pytest.raises(IndexMissingError, match="farthing index"):
            engine.store.count("g1", engine.directory("g1"))
        with pytest.raises(IndexMissingError, match="farthing index"):
            engine.store.derive("g2", engine.directory("g2"), "g1", engine.directory("g1"), DIMENSION)
        with pytest.raises(IndexMissingError, match="farthing index"), engine.searching("g1"):
            pass

    def test_an_unfinished_index_is_not_opened_and_can_be_begun_again(self, engine: Engine) -> None:
        unfinished = engine.store.create("g1", engine.directory("g1"), DIMENSION)
        unfinished.upsert([make_chunk("alpha")], unit_vectors(1))
        with pytest.raises(ChunkIndexError), engine.searching("g1"):
            pass
        with pytest.raises(ChunkIndexError):
            engine.store.count("g1", engine.directory("g1"))
        engine.commit("g1", [make_chunk("bravo")], unit_vectors(1))
        with engine.searching("g1") as searcher:
            assert list(searcher.chunks([make_chunk("alpha").id, make_chunk("bravo").id], ALL)) == [make_chunk("bravo").id]

    def test_a_committed_index_is_closed_for_good(self, engine: Engine) -> None:
        index = engine.store.create("g1", engine.directory("g1"), DIMENSION)
        index.upsert([make_chunk("alpha")], unit_vectors(1))
        index.commit()
        with pytest.raises(ChunkIndexError, match="closed"):
            index.upsert([make_chunk("bravo")], unit_vectors(1))
        with pytest.raises(ChunkIndexError, match="closed"):
            index.delete([make_chunk("alpha").id])
        with pytest.raises(ChunkIndexError, match="closed"):
            index.commit()
        with pytest.raises(ChunkIndexError, match="committed"):
            index.abandon()
        with pytest.raises(ChunkIndexError, match="committed"):
            engine.store.create("g1", engine.directory("g1"), DIMENSION)
        assert engine.store.count("g1", engine.directory("g1")) == 1

    def test_abandon_leaves_nothing(self, engine: Engine) -> None:
        index = engine.store.create("g1", engine.directory("g1"), DIMENSION)
        index.upsert([make_chunk("alpha")], unit_vectors(1))
        index.abandon()
        index.abandon()
        with pytest.raises(IndexMissingError):
            engine.store.count("g1", engine.directory("g1"))
        with pytest.raises(ChunkIndexError, match="closed"):
            index.upsert([make_chunk("alpha")], unit_vectors(1))

    def test_drop_removes_and_may_be_repeated(self, engine: Engine) -> None:
        engine.commit("g1", [make_chunk("alpha")], unit_vectors(1))
        engine.commit("g2", [make_chunk("bravo")], unit_vectors(1))
        engine.store.drop("g1", engine.directory("g1"))
        engine.store.drop("g1", engine.directory("g1"))
        with pytest.raises(IndexMissingError):
            engine.store.count("g1", engine.directory("g1"))
        assert engine.store.count("g2", engine.directory("g2")) == 1
