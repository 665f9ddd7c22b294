import hashlib
import json
from pathlib import Path

import pytest

from eval.datasets.quotes import normalised, normalised_quote
from eval.errors import DatasetError
from eval.training import examples
from eval.training.examples import LabelledQuestion, load_questions
from indexing.chunking import chunk_document
from indexing.documents import Chunk
from indexing.language import ENGLISH
from tests.indexing.pages import document
from tests.retrieval.finding import COUNTER


def chunks_of(markdown: str) -> list[Chunk]:
    return chunk_document(document(markdown), COUNTER, ENGLISH)


def write_questions(folder: Path, *rows: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "questions.jsonl").write_text("\n\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")


def test_a_row_lends_its_paraphrases_near_misses_and_follow_ups(tmp_path: Path) -> None:
    row = {
        "id": "q1",
        "question": "How long?",
        "evidence": [{"doc": "a.md", "quote": "- It lasts **26** weeks."}],
        "paraphrases": ["What length?"],
        "near_misses": [{"question": "How short?", "evidence": []}],
        "followups": [{"standalone": "And for managers?", "evidence": [{"doc": "b.md", "quote": "Longer."}]}],
    }
    hidden = {"id": "q2", "question": "In the picture?", "evidence": [], "answerable_from_text": False}
    write_questions(tmp_path / "set", row, hidden)
    own = (("a.md", "itlasts26weeks"),)
    assert load_questions(tmp_path, "set") == [
        LabelledQuestion("q1", "How long?", own),
        LabelledQuestion("q1", "What length?", own),
        LabelledQuestion("q1", "How short?", ()),
        LabelledQuestion("q1", "And for managers?", (("b.md", "longer"),)),
    ]


def test_an_unknown_set_has_no_questions(tmp_path: Path) -> None:
    assert load_questions(tmp_path, "nobody") == []


@pytest.fixture
def authored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A set `set` with one authored question over one page; gives the page's file."""
    page = tmp_path / "data" / "set" / "docs" / "a.md"
    page.parent.mkdir(parents=True)
    page.write_text("# Leave\n\nIt lasts *26* weeks, été.\n", encoding="utf-8")
    words = "lasts *26* weeks, été"
    start = page.read_text(encoding="utf-8").index(words)
    piece = {"doc": "a.md", "start": start, "end": start + len(words), "sha256": hashlib.sha256(words.encode()).hexdigest()[:12]}
    row = {"id": "a1", "question": "How long?", "paraphrases": ["What length?"], "evidence": [piece]}
    folder = tmp_path / "authored"
    folder.mkdir()
    (folder / "set.jsonl").write_text(json.dumps(row), encoding="utf-8")
    monkeypatch.setattr("eval.datasets.handbooks.authored.AUTHORED", folder)
    return page


def test_authored_questions_find_their_words_by_place(authored: Path) -> None:
    data = authored.parents[2]
    evidence = (("a.md", "lasts26weeksété"),)
    assert load_questions(data, "set") == [
        LabelledQuestion("a1", "How long?", evidence),
        LabelledQuestion("a1", "What length?", evidence),
    ]


def test_authored_words_are_found_where_they_moved(authored: Path) -> None:
    before = load_questions(authored.parents[2], "set")
    authored.write_text("A new beginning. " + authored.read_text(encoding="utf-8"), encoding="utf-8")
    assert load_questions(authored.parents[2], "set") == before


def test_authored_questions_that_a_fetched_file_has_are_taken_once(authored: Path) -> None:
    data = authored.parents[2]
    row = {"id": "a1", "question": "How long?", "evidence": [{"doc": "a.md", "quote": "lasts *26* weeks"}]}
    write_questions(data / "set", row)
    assert load_questions(data, "set") == [LabelledQuestion("a1", "How long?", (("a.md", "lasts26weeks"),))]


def test_a_page_that_changed_under_a_question_is_named(authored: Path) -> None:
    authored.write_text("A new beginning. " + authored.read_text(encoding="utf-8").replace("26", "27"), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"a\.md has changed since question a1"):
        load_questions(authored.parents[2], "set")


def test_letters_know_their_units_and_those_of_headings_belong_to_none() -> None:
    chunks = chunks_of("# Leave\n\nIt lasts [26](x.md) weeks. Ask early.\n\n## More\n\n- one item")
    letters, owners = examples._owned_letters(chunks)
    assert letters == "leaveitlasts26weeksaskearlymoreoneitem"
    assert len(owners) == len(letters)
    at = letters.index("26")
    assert owners[at] == owners[at + 5] == (chunks[0].id, 0)
    assert owners[letters.index("askearly")] == (chunks[0].id, 1)
    assert {owners[0], owners[letters.index("more")]} == {None}
    assert owners[-1] == (chunks[-1].id, 0)


class _OnePage:
    def __init__(self, chunks: list[Chunk]) -> None:
        self.chunks = chunks
        self.asked = 0

    def document_chunks(self, document_ids: list[str], scope: object) -> dict[str, tuple[Chunk, ...]]:  # noqa: ARG002 - the port's
        self.asked += 1
        return {document_ids[0]: tuple(self.chunks)}


def test_every_place_of_a_quote_is_a_way_to_hold_it() -> None:
    chunks = chunks_of("# A\n\nTake care. Of it.\n\n# B\n\nTake care.")
    searcher = _OnePage(chunks)
    pages = examples._Pages(searcher)  # type: ignore[arg-type]
    first = (chunks[0].id, 0)
    assert pages.ways("a.md", normalised_quote("take **care**")) == (frozenset({first}), frozenset({(chunks[1].id, 0)}))
    assert pages.ways("a.md", normalised("Take care. Of it")) == (frozenset({first, (chunks[0].id, 1)}),)
    assert pages.ways("a.md", "nowhere") == ()
    assert searcher.asked == 1
