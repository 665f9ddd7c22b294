import random
import sqlite3
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from indexing.aliases import Alias, capitals_key
from indexing.catalog import CATALOG_FILE, Catalog, CatalogWriter, ChunkRow, DocumentRow, SkippedRow
from indexing.documents import Chunk, document_id
from indexing.errors import ChunkIndexError, IndexForeignError
from indexing.language import ENGLISH
from retrieval.lexicon import Lexicon, inverse_document_frequency
from tests.contracts.corpus import make_chunk

TENANT = "acme"


def document(
    path: str, *texts: str, source: str = "docs", labels: tuple[str, ...] = ("everyone",)
) -> tuple[DocumentRow, list[tuple[ChunkRow, Chunk]]]:
    chunks = [make_chunk(text, document=f"{source}/{path}", ordinal=n) for n, text in enumerate(texts)]
    identity = document_id(TENANT, "docs", f"{source}/{path}")
    rows = [ChunkRow(chunk.id, identity, chunk.ordinal, chunk.embedding_hash, "0" * 64, 7) for chunk in chunks]
    row = DocumentRow(
        identity, source, path, f"uri/{path}", None, "hash", None, labels, "recipe", 3, units=len(texts), tokens=7 * len(texts)
    )
    return row, list(zip(rows, chunks, strict=True))


def write(directory: Path, base: Path | None, *documents: tuple[DocumentRow, list[tuple[ChunkRow, Chunk]]]) -> Path:
    directory.mkdir(exist_ok=True)
    writer = CatalogWriter(directory, base, ENGLISH)
    for row, chunks in documents:
        writer.put_document(row, chunks)
    writer.commit()
    return directory


def frequencies(directory: Path) -> dict[str, int]:
    with closing(sqlite3.connect(directory / CATALOG_FILE)) as connection:
        return dict(connection.execute("SELECT term, document_frequency FROM terms"))


def test_gives_back_what_was_written(tmp_path: Path) -> None:
    row, chunks = document("a.md", "Annual leave is 25 days.", "Travel.", labels=("hr", "legal"))
    with closing(Catalog(write(tmp_path / "g", None, (row, chunks)))) as catalog:
        assert catalog.documents("docs") == {"a.md": row}
        assert catalog.documents("other") == {}
        assert catalog.chunks([row.id, "unknown"]) == {row.id: [known for known, _ in chunks]}
        assert catalog.chunk_count == 2
        assert catalog.labels() == {"hr", "legal"}


def test_own_labels_tell_none_from_some(tmp_path: Path) -> None:
    plain, _ = document("a.md", "x")
    row = DocumentRow("id2", "docs", "b.md", "u", "Title", "h", ("hr",), ("hr",), "r", None, 0, 0)
    with closing(Catalog(write(tmp_path / "g", None, (plain, []), (row, [])))) as catalog:
        assert catalog.documents("docs") == {"a.md": plain, "b.md": row}


def test_is_a_lexicon_counted_over_chunks(tmp_path: Path) -> None:
    pages = [
        document("a.md", "Travel and travel again", "Leave"),
        document("b.md", "Travelling by train"),
    ]
    catalog = Catalog(write(tmp_path / "g", None, *pages))
    lexicon: Lexicon = catalog
    found = lexicon.document_frequencies(ENGLISH.terms("travel train unheard"))
    assert found == {"travel": 2, "train": 1}  # a term counts once a chunk, however often it stands there
    assert inverse_document_frequency(found["train"], lexicon.chunk_count) > inverse_document_frequency(2, lexicon.chunk_count)
    assert lexicon.document_frequencies([]) == {}
    catalog.close()


def test_counts_terms_in_capitals_beside_the_terms(tmp_path: Path) -> None:
    pages = [document("a.md", "The FAR says", "How far? FAR!"), document("b.md", "Far away", "FARs and PTO")]
    with closing(Catalog(write(tmp_path / "g", None, *pages))) as catalog:
        found = catalog.document_frequencies(["far", "pto", capitals_key("far"), capitals_key("pto"), capitals_key("away")])
    assert found == {"far": 4, capitals_key("far"): 2, "pto": 1, capitals_key("pto"): 1}


def test_aliases_are_found_by_either_name_the_most_widely_defined_first(tmp_path: Path) -> None:
    pages = [
        document("a.md", "Product manager (PM)", "Project Manager (PM)"),
        document("b.md", "A Project Manager (PM)"),
        document("c.md", "Return to office (RTO)"),
    ]
    with closing(Catalog(write(tmp_path / "g", None, *pages))) as catalog:
        project, product = Alias("PM", "Project Manager"), Alias("PM", "Product manager")
        assert catalog.aliases(["pm", "unheard"], {"everyone"}) == [project, product]
        assert catalog.aliases(["product manag", "return offic"], {"everyone"}) == [product, Alias("RTO", "Return to office")]
        assert catalog.aliases(["pm", "project manag"], {"everyone"}) == [project, product]
        assert catalog.aliases([], {"everyone"}) == []


def test_an_alias_has_the_labels_of_the_pages_that_define_it(tmp_path: Path) -> None:
    pages = [
        document("a.md", "Reduction in force (RIF)", "Return to office (RTO)", labels=("hr", "legal")),
        document("b.md", "return to Office (RTO)"),
    ]
    with closing(Catalog(write(tmp_path / "g", None, *pages))) as catalog:
        names = ["rif", "rto", "reduct forc"]
        assert catalog.aliases(names, {"everyone"}) == [Alias("RTO", "return to Office")]
        assert catalog.aliases(names, {"hr"}) == [Alias("RIF", "Reduction in force"), Alias("RTO", "Return to office")]
        assert catalog.aliases(names, {"everyone", "legal"})[0] == Alias("RTO", "Return to office")  # on two pages now
        assert catalog.aliases(names, {"sales"}) == catalog.aliases(names, set()) == []


def test_an_alias_goes_with_the_page_that_defined_it(tmp_path: Path) -> None:
    old = write(tmp_path / "g1", None, document("a.md", "Return to office (RTO)"), document("b.md", "Oversight of lawyers (OOL)"))
    changed = write(tmp_path / "g2", old, document("a.md", "Rate of turn (ROT)"))
    with closing(Catalog(changed)) as catalog:
        assert catalog.aliases(["rto", "rot", "ool"], {"everyone"}) == [
            Alias("OOL", "Oversight of lawyers"),
            Alias("ROT", "Rate of turn"),
        ]
    (tmp_path / "g3").mkdir()
    writer = CatalogWriter(tmp_path / "g3", changed, ENGLISH)
    writer.remove_document(document("a.md")[0].id)
    writer.commit()
    with closing(Catalog(tmp_path / "g3")) as catalog:
        assert catalog.aliases(["rto", "rot"], {"everyone"}) == []


def test_a_catalog_of_the_first_format_is_read_and_brought_up_to_date(tmp_path: Path) -> None:
    old = write(tmp_path / "g1", None, document("a.md", "Return to office (RTO)"))
    with closing(sqlite3.connect(old / CATALOG_FILE)) as connection:
        connection.execute("DROP TABLE aliases")
        connection.execute("PRAGMA user_version = 1")
    with closing(Catalog(old)) as catalog:
        assert catalog.chunk_count == 1
        assert catalog.aliases(["rto"], {"everyone"}) == []
    with closing(Catalog(write(tmp_path / "g2", old, document("b.md", "Rate of turn (ROT)")))) as catalog:
        assert catalog.aliases(["rto", "rot"], {"everyone"}) == [Alias("ROT", "Rate of turn")]


def test_many_terms_and_documents_are_asked_for_at_once(tmp_path: Path) -> None:
    pages = [document(f"{n}.md", f"term{n}") for n in range(1200)]
    with closing(Catalog(write(tmp_path / "g", None, *pages))) as catalog:
        assert len(catalog.document_frequencies([f"term{n}" for n in range(1200)])) == 1200
        assert len(catalog.chunks([row.id for row, _ in pages])) == 1200


def test_term_frequencies_by_difference_equal_a_count_from_nothing(tmp_path: Path) -> None:
    rng = random.Random(7)
    pages: dict[str, tuple[DocumentRow, list[tuple[ChunkRow, Chunk]]]] = {}
    base = None
    for step in range(12):
        directory = tmp_path / f"g{step}"
        directory.mkdir()
        writer = CatalogWriter(directory, base, ENGLISH)
        for _ in range(6):
            path = f"{rng.randrange(8)}.md"
            if path in pages and rng.random() < 0.3:
                writer.remove_document(pages.pop(path)[0].id)
            else:
                pages[path] = document(path, *[f"w{rng.randrange(9)} w{rng.randrange(9)} {n}x" for n in range(rng.randrange(4))])
                writer.put_document(*pages[path])
        writer.commit()
        base = directory
        counted = Counter(
            term for _, chunks in pages.values() for _, chunk in chunks for term in set(ENGLISH.terms(chunk.words_text))
        )
        assert frequencies(directory) == dict(counted)


def test_the_base_stays_as_it_was(tmp_path: Path) -> None:
    old = write(tmp_path / "g1", None, document("a.md", "alpha"))
    before = (old / CATALOG_FILE).read_bytes()
    row, chunks = document("a.md", "bravo")
    new = write(tmp_path / "g2", old, (row, chunks))
    assert (old / CATALOG_FILE).read_bytes() == before
    with closing(Catalog(new)) as catalog:
        assert catalog.chunk_count == 1
        assert catalog.document_frequencies(["alpha", "bravo"]) == {"bravo": 1}


def test_a_committed_catalog_is_one_private_file(tmp_path: Path) -> None:
    directory = write(tmp_path / "g", None, document("a.md", "alpha"))
    assert [file.name for file in directory.iterdir()] == [CATALOG_FILE]
    assert (directory / CATALOG_FILE).stat().st_mode & 0o777 == 0o600
    (directory / CATALOG_FILE).chmod(0o400)
    directory.chmod(0o500)
    with closing(Catalog(directory)) as catalog:
        assert catalog.chunk_count == 1
    directory.chmod(0o700)


def test_skipped_files_are_kept_by_source(tmp_path: Path) -> None:
    bad = SkippedRow("docs", "bad.pdf", "encrypted", "hash", "recipe")
    gone = SkippedRow("wiki", "gone.md", "unreadable", None, "recipe")
    (tmp_path / "g").mkdir()
    writer = CatalogWriter(tmp_path / "g", None, ENGLISH)
    writer.replace_skipped("docs", [SkippedRow("docs", "old.pdf", "torn", None, "recipe")])
    writer.replace_skipped("wiki", [gone])
    writer.replace_skipped("docs", [bad])
    writer.commit()
    with closing(Catalog(tmp_path / "g")) as catalog:
        assert catalog.skipped("docs") == {"bad.pdf": bad}
        assert catalog.skipped("wiki") == {"gone.md": gone}
        assert [(s.source, s.documents, s.skipped) for s in catalog.sources()] == [("docs", 0, 1), ("wiki", 0, 1)]


def test_summarises_each_source(tmp_path: Path) -> None:
    pages = [
        document("a.md", "alpha", "bravo", labels=("hr",)),
        document("b.md", "charlie", labels=("everyone", "hr")),
        document("a.md", "delta", source="wiki"),
    ]
    with closing(Catalog(write(tmp_path / "g", None, *pages))) as catalog:
        docs, wiki = catalog.sources()
    assert (docs.source, docs.documents, docs.chunks, docs.units, docs.tokens) == ("docs", 2, 3, 3, 21)
    assert docs.labels == {"everyone", "hr"}
    assert (wiki.source, wiki.documents, wiki.chunks, wiki.labels) == ("wiki", 1, 1, frozenset({"everyone"}))


def test_several_threads_may_read(tmp_path: Path) -> None:
    pages = [document(f"{n}.md", f"term{n} common") for n in range(50)]
    catalog = Catalog(write(tmp_path / "g", None, *pages))
    wrong: list[object] = []

    def ask(seed: int) -> None:
        rng = random.Random(seed)
        for _ in range(200):
            term = f"term{rng.randrange(50)}"
            found = catalog.document_frequencies([term, "common"])
            if found != {term: 1, "common": 50}:
                wrong.append(found)

    threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    catalog.close()
    assert wrong == []


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 100, b"SQLite format 3\0" + b"\xfe" * 4096])
def test_what_is_not_ours_is_foreign(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / CATALOG_FILE).write_bytes(content)
    with pytest.raises(IndexForeignError, match="farthing index PATH"):
        Catalog(tmp_path)
    (tmp_path / "new").mkdir()
    with pytest.raises(IndexForeignError, match="farthing index PATH"):
        CatalogWriter(tmp_path / "new", tmp_path, ENGLISH)


def test_a_newer_catalog_asks_for_an_upgrade(tmp_path: Path) -> None:
    directory = write(tmp_path / "g", None)
    with closing(sqlite3.connect(directory / CATALOG_FILE)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(IndexForeignError, match="newer Farthing"):
        Catalog(directory)


def test_a_full_disk_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "g").mkdir()
    writer = CatalogWriter(tmp_path / "g", None, ENGLISH)
    writer._connection.execute("PRAGMA max_page_count = 12")
    page = document("a.md", *[f"word {n}" for n in range(2000)])
    with pytest.raises(ChunkIndexError, match="free space"):  # SQLite says the same of a full disk
        writer.put_document(*page)
    writer.close()
