"""Acronyms at question time, with the real catalog: pages that say one name are found by the other."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from indexing.catalog import Catalog, CatalogWriter, ChunkRow, DocumentRow
from indexing.chunking import chunk_document
from indexing.documents import EVERYONE, AccessScope, Document
from indexing.language import ENGLISH
from retrieval.aliases import OtherName, other_names
from retrieval.analysis import analyse_query
from retrieval.followups import embed_query
from retrieval.passages import Query
from retrieval.retriever import Evidence
from tests.indexing.pages import document
from tests.retrieval.finding import COUNTER, SCOPE, CountedLexicon, make_retriever

EVERYBODY = frozenset({EVERYONE})
OTHERS = [
    document(f"# Topic {n}\n\nHow much matter {n} do employees get? They get off early. Time {n} is theirs.", path=f"{n}.md")
    for n in range(40)
]
GLOSSARY = document("# Words\n\n- **RTO** - Return To Office\n- **PTO** - Personal Time Off", path="glossary.md")
LONG = document("# Vacation\n\nPersonal time off accrues at 1.5 days a month.", path="long.md")
SHORT = document("# Vacation\n\nPTO accrues at 1.5 days a month.", path="short.md")


@contextmanager
def catalog_of(*pages: Document) -> Iterator[Catalog]:
    with TemporaryDirectory() as folder:
        writer = CatalogWriter(Path(folder), None, ENGLISH)
        for page in pages:
            chunks = chunk_document(page, COUNTER, ENGLISH)
            rows = [ChunkRow(chunk.id, page.id, chunk.ordinal, chunk.embedding_hash, "", 1) for chunk in chunks]
            row = DocumentRow(page.id, page.source, page.path, page.uri, None, "", None, page.labels, "", None, 1, 1)
            writer.put_document(row, list(zip(rows, chunks, strict=True)))
        writer.commit()
        with closing(Catalog(Path(folder))) as catalog:
            yield catalog


def names_of(question: str, *texts: str, labels: frozenset[str] = EVERYBODY) -> list[str]:
    with catalog_of(*(document(text, path=f"{n}.md") for n, text in enumerate(texts))) as catalog:
        return [name.text for name in other_names(question, catalog, labels, ENGLISH)]


def found(query: Query, *pages: Document, aliases: bool = True, scope: AccessScope = SCOPE) -> Evidence:
    with catalog_of(*pages) as catalog:
        retriever, embedder = make_retriever(pages, lexicon=catalog if aliases else None)
        return retriever.retrieve(query, embed_query(query, embedder.embed_query), scope)


def rank(evidence: Evidence, path: str) -> int:
    return next(passage.rank for passage in evidence.passages if passage.chunk.document_path == path)


@pytest.mark.parametrize(
    ("question", "page"),
    [
        ("how much PTO do employees get off?", LONG),
        ("how much pto do employees get off?", LONG),
        ("how much personal time off do employees get?", SHORT),
    ],
)
def test_a_page_that_says_one_name_is_found_by_the_other(question: str, page: Document) -> None:
    pages = (*OTHERS, GLOSSARY, page)
    with_aliases, without = found(Query(question), *pages), found(Query(question), *pages, aliases=False)
    before, after = rank(without, page.path), rank(with_aliases, page.path)
    assert before > 40
    assert after <= 5  # the glossary comes first
    assert with_aliases.passages[after - 1].coverage > without.passages[before - 1].coverage


def test_the_names_of_the_background_count_too() -> None:
    query = Query("how much do employees get off?", "What is PTO?")
    before = rank(found(query, *OTHERS, GLOSSARY, LONG, aliases=False), LONG.path)
    assert rank(found(query, *OTHERS, GLOSSARY, LONG), LONG.path) <= 5 < before


@pytest.mark.parametrize("question", ["how much PTO do employees get?", "how much personal time off do employees get?"])
def test_what_a_page_defines_moves_nothing_for_those_who_may_not_read_it(question: str) -> None:
    secret = document(GLOSSARY.markdown, path="glossary.md", labels=("hr",))
    pages = (*OTHERS, secret, LONG, SHORT)
    assert found(Query(question), *pages) == found(Query(question), *pages, aliases=False)
    hr = AccessScope(SCOPE.tenant, frozenset({EVERYONE, "hr"}))
    assert found(Query(question), *pages, scope=hr) != found(Query(question), *pages, aliases=False, scope=hr)


def test_a_term_is_covered_where_the_whole_other_name_stands() -> None:
    query = analyse_query("PTO days", CountedLexicon([]), ENGLISH)
    with catalog_of(GLOSSARY) as catalog:
        (name,) = other_names("PTO days", catalog, EVERYBODY, ENGLISH)
        (back,) = other_names("days of Personal Time Off", catalog, EVERYBODY, ENGLISH)
    assert name == OtherName(frozenset({"pto"}), frozenset({"person", "time"}), "Personal Time Off")
    assert back == OtherName(frozenset({"person", "time"}), frozenset({"pto"}), "PTO")
    named = type(query)(query.weights, query.terms, query.total, query.bigrams, query.form, (name,))
    for words, hits in (({"person", "time"}, {"pto"}), ({"time", "day"}, {"day"}), ({"pto"}, {"pto"}), (set[str](), set[str]())):
        assert named.hits(words) == hits
        assert named.coverage(words) == pytest.approx(query.coverage(hits))
        assert query.hits(words) == query.terms & words


def test_of_several_meanings_those_of_most_pages_count() -> None:
    texts = ["Project manager (PM)"] * 2 + ["Product manager (PM)", "Prime minister (PM)", "Postal mail (PM)"]
    assert names_of("Who is the PM?", *texts) == ["Project manager", "Postal mail", "Prime minister"]
    assert names_of("Who is the product manager?", *texts) == ["PM"]
    assert names_of("Who manages the product?", *texts) == []


def test_an_acronym_that_is_mostly_an_ordinary_word_must_have_its_capitals() -> None:
    texts = ["Federal Acquisition Regulation (FAR)", "How far?", "Not far."]
    assert names_of("how far in advance?", *texts) == []
    assert names_of("What does the FAR say?", *texts) == ["Federal Acquisition Regulation"]
    assert names_of("how far in advance?", texts[0], texts[1]) == ["Federal Acquisition Regulation"]


def test_equal_stems_are_not_equal_acronyms() -> None:
    texts = ["Infrastructure as a service (IaaS)", "Inter-agency agreement (IAA)"]
    assert names_of("Which IAA?", *texts) == ["Inter-agency agreement"]
    assert names_of("Which inter-agency agreements?", *texts) == ["IAA"]


@pytest.mark.parametrize("question", ["", "???", "the of and", "PTO " * 2000])
def test_odd_questions_have_names_or_none(question: str) -> None:
    assert names_of(question, GLOSSARY.markdown) == (["Personal Time Off"] if "PTO" in question else [])
