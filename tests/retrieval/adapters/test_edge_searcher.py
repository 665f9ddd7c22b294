"""The embedded index, on the searching side."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexing.adapters.bm25 import WordsEncoder
from indexing.adapters.edge_index import EdgeIndexStore
from indexing.language import ENGLISH
from retrieval.adapters import chunk_cache
from retrieval.adapters.edge_searcher import EdgePassageSearcher
from retrieval.errors import SearchError
from tests.contracts.corpus import ALL, Engine, make_chunk, unit_vectors
from tests.contracts.passage_searcher import PassageSearcherContract
from tests.indexing.adapters.test_edge_index import fingerprint


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    scratch = tmp_path / "run"
    return Engine(
        EdgeIndexStore(ENGLISH),
        tmp_path,
        lambda _generation, directory, dimension: EdgePassageSearcher(directory, dimension, ENGLISH, scratch),
    )


class TestEdgePassageSearcher(PassageSearcherContract):
    pass


def test_words_are_stemmed_and_stop_words_left_out(engine: Engine) -> None:
    engine.commit("g1", [make_chunk("Employees are travelling."), make_chunk("the and of")], unit_vectors(2))
    with engine.searching("g1") as searcher:
        found = searcher.search("the employee TRAVELS", unit_vectors(1)[0], ALL, 5).words
    assert [row.chunk_id for row in found] == [make_chunk("Employees are travelling.").id]
    assert WordsEncoder(ENGLISH).query("the and of").indices == []


def test_searching_changes_nothing_in_the_generation(engine: Engine) -> None:
    engine.commit("g1", [make_chunk(f"w{number}") for number in range(50)], unit_vectors(50))
    before = fingerprint(engine.directory("g1"))
    with engine.searching("g1") as searcher:
        found = searcher.search("w1 w2", unit_vectors(1)[0], ALL, 20)
        searcher.document_chunks([make_chunk("w1").document_id], ALL)
        assert len(found.dense) == 20
        assert fingerprint(engine.directory("g1")) == before
    assert fingerprint(engine.directory("g1")) == before
    assert not list((engine.root / "run").glob("view-*"))


def test_two_processes_open_one_generation_at_once(engine: Engine, tmp_path: Path) -> None:
    chunks = [make_chunk(f"w{number}") for number in range(20)]
    vectors = unit_vectors(20)
    engine.commit("g1", chunks, vectors)
    script = (
        "import sys; from pathlib import Path\n"
        "from indexing.language import ENGLISH\n"
        "from retrieval.adapters.edge_searcher import EdgePassageSearcher\n"
        "from tests.contracts.corpus import ALL, DIMENSION, unit_vectors\n"
        "root = Path(sys.argv[1]); searcher = EdgePassageSearcher(root / 'g1', DIMENSION, ENGLISH, root / 'run')\n"
        "print('open', flush=True); sys.stdin.readline()\n"
        "print(searcher.search('w3', unit_vectors(20)[5], ALL, 1).dense[0].chunk_id, flush=True); searcher.close()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with engine.searching("g1") as mine:
            assert len(list((tmp_path / "run").glob("view-*"))) == 2
            assert mine.search("w3", vectors[5], ALL, 1).dense[0].chunk_id == chunks[5].id
            other.stdin.write("\n")
            other.stdin.flush()
            assert other.stdout.readline().strip() == chunks[5].id
            assert other.wait(20) == 0
            assert mine.search("w3", vectors[5], ALL, 1).words[0].chunk_id == chunks[3].id


def test_a_dropped_generation_goes_on_answering_where_it_is_open(engine: Engine) -> None:
    chunks = [make_chunk(f"w{number}") for number in range(20)]
    engine.commit("g1", chunks, unit_vectors(20))
    with engine.searching("g1") as searcher:
        engine.store.drop("g1", engine.directory("g1"))
        assert searcher.chunks([chunk.id for chunk in chunks], ALL) == {chunk.id: chunk for chunk in chunks}
        assert len(searcher.search("w3", unit_vectors(1)[0], ALL, 20).dense) == 20


def test_the_cache_of_chunks_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = chunk_cache.ChunkCache(capacity=10)
    monkeypatch.setattr("retrieval.adapters.edge_searcher.ChunkCache", lambda: cache)
    chunks = [make_chunk(f"w{number}") for number in range(30)]
    engine.commit("g1", chunks, unit_vectors(30))
    with engine.searching("g1") as searcher:
        assert len(searcher.chunks([chunk.id for chunk in chunks], ALL)) == 30
        assert len(cache.get(chunk.id for chunk in chunks)) == 10
        assert searcher.chunks([chunks[0].id, chunks[29].id], ALL) == {chunks[0].id: chunks[0], chunks[29].id: chunks[29]}


def test_a_payload_that_is_no_chunk_is_an_error_of_ours(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    chunk = make_chunk("alpha")
    monkeypatch.setattr(
        "indexing.adapters.edge_index.encode_chunk", lambda _: {"tenant": chunk.tenant, "labels": ["everyone"], "chunk": "[1]"}
    )
    engine.commit("g1", [chunk], unit_vectors(1))
    with engine.searching("g1") as searcher, pytest.raises(SearchError, match=f"{chunk.id}.*new index"):
        searcher.chunks([chunk.id], ALL)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_filtered_recall_is_whole_at_twenty_thousand_chunks(engine: Engine, share: float) -> None:
    count = 20_000
    vectors = unit_vectors(count, dimension=64)
    lets_pass = np.random.default_rng(4).random(count) < share
    chunks = [make_chunk(f"w{number}", labels=("everyone",) if passing else ("hr",)) for number, passing in enumerate(lets_pass)]
    engine.commit("g1", chunks, vectors)
    rows = np.flatnonzero(lets_pass)
    with engine.searching("g1", 64) as searcher:
        for query in unit_vectors(25, dimension=64, seed=8):
            best = rows[np.argsort(-(vectors[rows] @ query))[:10]]
            found = searcher.search("", query, ALL, 10).dense
            assert {row.chunk_id for row in found} == {chunks[row].id for row in best}


def test_the_client_of_the_server_is_not_imported() -> None:
    script = (
        "import sys, indexing.adapters.edge_index, retrieval.adapters.edge_searcher; sys.exit('qdrant_client' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[3]).returncode == 0
