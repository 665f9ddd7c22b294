import errno
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from indexing.documents import Chunk
from indexing.errors import ChunkIndexError, EmbeddingError, IndexBusyError, IndexMismatchError, SourceError
from indexing.planning import Progress
from indexing.sync import dry_run, sync
from tests.fakes.chunk_index import FakeChunkIndex, FakeChunkIndexStore
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.embedding_cache import FakeEmbeddingCache, ForgetfulEmbeddingCache
from tests.fakes.parser import FakeParser
from tests.fakes.sources import FakeSource
from tests.fakes.tokens import FakeTokenCounter
from tests.indexing.workplace import Workplace, page, texts_of


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def parser() -> FakeParser:
    return FakeParser()


@pytest.fixture
def work(tmp_path: Path, embedder: FakeEmbedder, parser: FakeParser) -> Workplace:
    return Workplace(tmp_path / "home", embedder=embedder, parser=parser)


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(
        pages={
            "leave.md": page("Leave", "Annual leave is 25 days.", "Sick leave needs a note."),
            "travel.md": page("Travel", "The per diem is 60 euros.", "Trains go before planes."),
        }
    )


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_first_run_reports_in_json_what_the_command_line_prints(work: Workplace, source: FakeSource) -> None:
    source.skipped["old.doc"] = "convert it to DOCX"
    report = work.sync(source).to_json()
    tokens = sum(work.counter.count(chunk.embedding_text) for chunk, _ in work.points().values())
    seconds = report.pop("seconds")
    assert report == {
        "documents": {
            "new": 2,
            "changed": 0,
            "moved": 0,
            "unchanged": 0,
            "removed": 0,
            "skipped": [{"path": "old.doc", "reason": "convert it to DOCX"}],
        },
        "chunks": {"total": 4, "embedded": 4, "reused": 0},
        "tokens_embedded": tokens,
        "generation": work.serving(),
    }
    assert 0 < seconds < 60
    manifest = work.generations.current()
    assert (manifest.documents, manifest.chunks, manifest.units, manifest.tokens) == (2, 4, 4, tokens)
    assert (manifest.sources, manifest.engine, manifest.embedder) == (("handbook",), "fake", work.embedder.spec)


def test_every_chunk_has_the_vector_of_its_text(work: Workplace, source: FakeSource) -> None:
    work.sync(source)
    for chunk, vector in work.points().values():
        np.testing.assert_array_equal(vector, FakeEmbedder().embed_documents([chunk.embedding_text])[0])


class _Untouchable:
    """Stands where nothing may be asked for work."""

    version = "1"
    name = "words-and-marks"

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"{name} was used although nothing has changed")


def test_with_nothing_changed_nothing_is_touched(work: Workplace, source: FakeSource) -> None:
    source.pages["bad.md"] = "UNREADABLE"
    source.skipped["old.doc"] = "convert it"
    first = work.sync(source)
    before = files(work.home)

    class KnownEmbedder(_Untouchable):
        spec = work.embedder.spec

    idle = Workplace(
        work.home,
        store=work.store,
        parser=_Untouchable(),  # type: ignore[arg-type] # it has nothing but a version
        counter=_Untouchable(),  # type: ignore[arg-type] # nothing but a name
        embedder=KnownEmbedder(),  # type: ignore[arg-type] # nothing but a spec
        cache=_Untouchable(),  # type: ignore[arg-type] # nothing at all
    )
    again = idle.sync(source)
    assert again.generation == first.generation
    assert (again.documents.unchanged, again.documents.new, again.embedded_chunks, again.total_chunks) == (2, 0, 0, 4)
    assert again.skipped == first.skipped
    assert files(work.home) == before


def test_an_edited_page_embeds_its_edited_chunks_only(work: Workplace, source: FakeSource, embedder: FakeEmbedder) -> None:
    work.sync(source)
    embedder.embedded.clear()
    source.pages["leave.md"] = page("Leave", "Annual leave is 30 days.", "Sick leave needs a note.")
    report = work.sync(source)
    assert (report.documents.changed, report.documents.unchanged) == (1, 1)
    assert (report.embedded_chunks, report.total_chunks) == (1, 4)
    assert texts_of(embedder, ["30 days", "Sick", "diem"]) == [True, False, False]
    assert "Annual leave is 25 days." not in work.texts()


def test_a_moved_page_embeds_nothing(work: Workplace, source: FakeSource, embedder: FakeEmbedder) -> None:
    work.sync(source)
    embedder.embedded.clear()
    source.pages["rules/holidays.md"] = source.pages.pop("leave.md")
    report = work.sync(source)
    assert (report.documents.moved, report.documents.new, report.documents.removed, report.documents.unchanged) == (1, 0, 0, 1)
    assert embedder.embedded == []
    assert {chunk.document_path for chunk, _ in work.points().values()} == {"rules/holidays.md", "travel.md"}


def test_a_copied_page_is_new_and_one_with_another_suffix_is_not_moved(work: Workplace, source: FakeSource) -> None:
    work.sync(source)
    source.pages["copy.md"] = source.pages["leave.md"]
    assert work.sync(source).documents.new == 1
    source.pages["copy.txt"] = source.pages.pop("copy.md")
    report = work.sync(source)
    assert (report.documents.moved, report.documents.new, report.documents.removed) == (0, 1, 1)


@pytest.mark.parametrize("cache", [FakeEmbeddingCache(), ForgetfulEmbeddingCache()])
def test_the_same_text_twice_is_embedded_once_with_a_cache_and_without(
    work: Workplace, embedder: FakeEmbedder, cache: FakeEmbeddingCache
) -> None:
    text = page("Leave", "Annual leave is 25 days.")
    pages = {f"{n}.md": page("Filler", f"Page {n} says something.") for n in range(300)}
    work.cache = cache
    report = work.sync(FakeSource(pages={"a.md": text, **pages, "z.md": text}))
    assert (report.total_chunks, report.embedded_chunks) == (302, 301)
    assert len(embedder.embedded) == len(set(embedder.embedded)) == 301


def test_a_removed_page_takes_its_chunks_and_terms_along(work: Workplace, source: FakeSource) -> None:
    work.sync(source)
    del source.pages["travel.md"]
    report = work.sync(source)
    assert (report.documents.removed, report.total_chunks) == (1, 2)
    assert not any("diem" in text for text in work.texts())
    assert not [term for term, _ in work.catalog()["terms"] if term == "diem"]


def test_an_unreadable_page_is_parsed_again_when_it_changes_and_not_before(
    work: Workplace, source: FakeSource, parser: FakeParser
) -> None:
    source.pages["bad.md"] = "UNREADABLE"
    for _ in range(3):
        report = work.sync(source)
        assert [(item.path, item.reason) for item in report.skipped] == [("bad.md", "it cannot be read; save it again")]
    assert parser.parsed.count("bad.md") == 1
    source.pages["bad.md"] = "UNREADABLE still"
    work.sync(source)
    assert parser.parsed.count("bad.md") == 2
    source.pages["bad.md"] = page("Good", "It can be read.")
    report = work.sync(source)
    assert (report.documents.new, report.skipped) == (1, ())


def test_a_page_that_becomes_unreadable_leaves_the_index(work: Workplace, source: FakeSource) -> None:
    work.sync(source)
    source.pages["travel.md"] = "UNREADABLE"
    report = work.sync(source)
    assert (report.documents.removed, len(report.skipped), report.total_chunks) == (1, 1, 2)
    del source.pages["travel.md"]
    assert work.sync(source).skipped == ()


def test_new_labels_reach_the_index_and_embed_nothing(work: Workplace, source: FakeSource, embedder: FakeEmbedder) -> None:
    source.pages["own.md"] = "---\nlabels: legal\n---\n" + page("Own", "It says so itself.")
    work.sync(source)
    embedder.embedded.clear()
    source.labels = ("hr",)
    report = work.sync(source)
    assert (report.documents.changed, report.documents.unchanged, report.embedded_chunks) == (2, 1, 0)
    assert {(chunk.document_path, chunk.labels) for chunk, _ in work.points().values()} == {
        ("leave.md", ("hr",)),
        ("travel.md", ("hr",)),
        ("own.md", ("legal",)),
    }
    assert embedder.embedded == []


def test_shifted_lines_reach_the_index_and_embed_nothing(work: Workplace, source: FakeSource, embedder: FakeEmbedder) -> None:
    work.sync(source)
    embedder.embedded.clear()
    source.pages["leave.md"] = "---\nkeywords: vacation\n---\n" + source.pages["leave.md"]
    assert work.sync(source).documents.changed == 1
    chunk = next(chunk for chunk, _ in work.points().values() if "Annual" in chunk.text)
    assert chunk.units[0].lines == (8, 8)
    assert embedder.embedded == []
    assert ("vacat", 2) in work.catalog()["terms"]


def test_sources_that_are_not_named_stay(work: Workplace, source: FakeSource) -> None:
    wiki = FakeSource("wiki", {"leave.md": page("Wiki", "Another page with the same path.")})
    work.sync(source)
    report = work.sync(wiki)
    assert (report.documents.new, report.documents.removed, report.total_chunks, report.embedded_chunks) == (1, 0, 5, 1)
    assert work.generations.current().sources == ("handbook", "wiki")
    wiki.pages.clear()
    assert work.sync(wiki).total_chunks == 4
    assert work.sync(source, wiki).documents.unchanged == 2


def test_a_source_that_fails_changes_nothing(work: Workplace, source: FakeSource) -> None:
    work.sync(source)
    before = files(work.home)
    source.pages = {"new.md": page("New", "New.")}
    source.broken = True
    with pytest.raises(SourceError, match="Repair it"):
        work.sync(source)
    assert files(work.home) == before
    assert len(work.points()) == 4


def test_a_path_that_is_delivered_twice_is_named(work: Workplace, source: FakeSource) -> None:
    class Twice(FakeSource):
        def documents(self):  # type: ignore[no-untyped-def] # noqa: ANN202 - as the base
            yield from super().documents()
            yield from super().documents()

    twice = Twice(pages=source.pages)
    report = work.sync(twice)
    assert (report.documents.new, len(report.skipped)) == (2, 2)
    assert "twice" in report.skipped[0].reason
    assert work.sync(twice).generation == report.generation


def test_an_empty_source_makes_an_empty_index(work: Workplace) -> None:
    report = work.sync(FakeSource())
    assert report.generation == work.serving()
    assert work.points() == {}
    assert work.sync(FakeSource()).generation == report.generation


def test_another_parser_plans_everything_again_and_embeds_nothing(work: Workplace, source: FakeSource) -> None:
    source.pages["bad.md"] = "UNREADABLE"
    work.sync(source)
    newer = FakeParser("2")
    work.parser = newer
    report = work.sync(source)
    assert (report.documents.changed, report.documents.unchanged, report.embedded_chunks) == (2, 0, 0)
    assert sorted(newer.parsed) == ["bad.md", "leave.md", "travel.md"]
    assert work.generations.current().parser_version == "2"
    assert work.sync(source).documents.unchanged == 2


@pytest.mark.parametrize("other", [FakeEmbedder(revision="2"), FakeEmbedder(dimension=24)])
def test_another_model_embeds_everything_again(work: Workplace, source: FakeSource, other: FakeEmbedder) -> None:
    work.sync(source)
    work.embedder = other
    work.cache = FakeEmbeddingCache()
    report = work.sync(source)
    assert (report.documents.changed, report.embedded_chunks, report.total_chunks) == (2, 4, 4)
    assert {len(vector) for _, vector in work.points().values()} == {other.spec.dimension}
    assert work.generations.current().embedder == other.spec


def test_another_model_needs_every_source(work: Workplace, source: FakeSource) -> None:
    wiki = FakeSource("wiki", {"a.md": page("Wiki", "A page.")})
    work.sync(source, wiki)
    work.embedder, work.cache = FakeEmbedder(revision="2"), FakeEmbeddingCache()
    with pytest.raises(IndexMismatchError, match=r"leaves out wiki\. Set the model back"):
        work.sync(source)
    assert work.sync(source, wiki).embedded_chunks == 5


def test_another_engine_begins_from_empty(work: Workplace, source: FakeSource) -> None:
    work.sync(source)
    work.engine, work.store = "another", FakeChunkIndexStore()
    report = work.sync(source)
    assert (report.total_chunks, report.embedded_chunks) == (4, 0)
    assert len(work.points()) == 4


class _Alarm:
    """Raises at the nth report of progress."""

    def __init__(self, at: int, error: BaseException) -> None:
        self.left = at
        self.error = error
        self.seen: list[tuple[str, int, int | None]] = []

    def update(self, phase: str, done: int, total: int | None) -> None:
        self.seen.append((phase, done, total))
        self.left -= 1
        if self.left == 0:
            raise self.error


def many_pages(count: int) -> dict[str, str]:
    return {f"{n:03}.md": page(f"Page {n}", f"This is page number {n}.") for n in range(count)}


def test_progress_is_told_by_phase(work: Workplace) -> None:
    watcher = _Alarm(-1, AssertionError())
    sync([FakeSource(pages=many_pages(300))], work.tools, watcher)
    assert [seen for seen in watcher.seen if seen[0] == "read"] == [("read", n, None) for n in range(1, 301)]
    assert [seen for seen in watcher.seen if seen[0] == "embed"] == [("embed", done, 300) for done in (0, 256, 300)]
    assert watcher.seen[-3:] == [("write", n, 2) for n in range(3)]


@pytest.mark.parametrize("at", [3, 301, 302, 303, 304, 305])
def test_ctrl_c_leaves_the_old_generation_and_pays_for_nothing_twice(
    work: Workplace, source: FakeSource, embedder: FakeEmbedder, at: int
) -> None:
    old = work.sync(source).generation
    before = files(work.home)
    large = FakeSource("large", many_pages(300))
    progress: Progress = _Alarm(at, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        sync([large], work.tools, progress)
    assert work.serving() == old
    assert files(work.home) == before
    report = work.sync(large)
    assert report.total_chunks == 304
    assert len(embedder.embedded) == len(set(embedder.embedded)) == 304


def test_an_interrupt_after_the_pointer_moved_keeps_the_new_generation(work: Workplace, source: FakeSource) -> None:
    old = work.sync(source).generation
    large = FakeSource("large", many_pages(3))
    with pytest.raises(KeyboardInterrupt):
        sync([large], work.tools, _Alarm(8, KeyboardInterrupt()))
    assert work.serving() != old
    assert len(work.points()) == 7
    assert work.sync(large).embedded_chunks == 0


class _FailingEmbedder(FakeEmbedder):
    calls = 0

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        if self.calls == 2:
            raise EmbeddingError("The model broke. Install it again.")
        return super().embed_documents(texts)


def test_a_model_that_fails_half_way_leaves_nothing_but_finished_vectors(work: Workplace) -> None:
    work.embedder = failing = _FailingEmbedder()
    large = FakeSource("large", many_pages(300))
    with pytest.raises(EmbeddingError, match="Install it again"):
        work.sync(large)
    assert work.generations.current_id() is None
    assert list((work.home / "generations").iterdir()) == []
    report = work.sync(large)
    assert (report.embedded_chunks, len(failing.embedded)) == (44, 300)


def _full_disk(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("step", ["upsert", "delete", "commit"])
def test_a_full_disk_is_said_and_the_old_generation_serves(
    work: Workplace, source: FakeSource, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    old = work.sync(source).generation
    before = files(work.home)
    del source.pages["leave.md"]
    source.pages["new.md"] = page("New", "New.")
    monkeypatch.setattr(FakeChunkIndex, step, _full_disk)
    with pytest.raises(ChunkIndexError, match=r"No space left.*Free some space.*goes on serving"):
        work.sync(source)
    assert work.serving() == old
    assert files(work.home) == before
    monkeypatch.undo()
    assert work.sync(source).total_chunks == 3


def test_an_index_that_lost_chunks_is_never_published(
    work: Workplace, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lossy(index: FakeChunkIndex, chunks: Sequence[Chunk], vectors: NDArray[np.float32]) -> None:
        index._open().update({chunk.id: (chunk, vector) for chunk, vector in zip(chunks[1:], vectors[1:], strict=True)})

    monkeypatch.setattr(FakeChunkIndex, "upsert", lossy)
    with pytest.raises(ChunkIndexError, match="holds 3 chunks and its catalog 4"):
        work.sync(source)
    assert work.generations.current_id() is None


def test_one_sync_at_a_time(work: Workplace, source: FakeSource) -> None:
    with work.generations.write_lock(), pytest.raises(IndexBusyError, match="Wait until"):
        work.sync(source)


def test_the_last_three_generations_stay(work: Workplace, source: FakeSource) -> None:
    made = []
    for n in range(6):
        source.pages["leave.md"] = page("Leave", f"Annual leave is {n} days.")
        made.append(work.sync(source).generation)
    assert work.generations.finished() == made[-3:]
    assert isinstance(work.store, FakeChunkIndexStore)
    assert sorted(work.store.committed) == made[-3:]


def _edit_nothing(source: FakeSource) -> None:
    pass


def _edit_some(source: FakeSource) -> None:
    source.pages["leave.md"] = page("Leave", "Annual leave is 30 days.", "Sick leave needs a note.")
    source.pages["trips.md"] = source.pages.pop("travel.md")
    source.pages["new.md"] = page("New", "Something new.", "Annual leave is 25 days.")
    source.pages["bad.md"] = "UNREADABLE"


@pytest.mark.parametrize("edit", [_edit_nothing, _edit_some])
@pytest.mark.parametrize("first", [False, True])
def test_a_dry_run_says_what_the_sync_then_does_and_writes_nothing(
    work: Workplace,
    source: FakeSource,
    embedder: FakeEmbedder,
    edit: Callable[[FakeSource], None],
    first: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    serving = work.sync(source).generation if first else None
    edit(source)
    before, embedded = (files(work.home) if first else []), len(embedder.embedded)
    foretold, _ = dry_run([source], work.tools)
    assert (files(work.home) if work.home.exists() else []) == before
    assert len(embedder.embedded) == embedded
    done = work.sync(source)
    assert foretold.generation == serving
    same = {"seconds": 0, "generation": 0}
    assert {**foretold.to_json(), **same} == {**done.to_json(), **same}


def test_a_dry_run_estimates_from_the_rate_that_was_measured(work: Workplace, source: FakeSource) -> None:
    assert dry_run([source], work.tools)[1] is None
    work.sync(FakeSource("large", many_pages(300)))
    rate = work.generations.current().embedded_chunks_per_s
    assert rate is not None
    assert dry_run([source], work.tools)[1] == pytest.approx(4 / rate)
    work.sync(source)
    assert work.generations.current().embedded_chunks_per_s == rate
    assert dry_run([source], work.tools)[1] == 0.0


def test_tokens_are_those_of_the_texts_that_are_embedded(work: Workplace, source: FakeSource, embedder: FakeEmbedder) -> None:
    report = work.sync(source)
    assert report.tokens_embedded == sum(FakeTokenCounter().count_many(embedder.embedded))
