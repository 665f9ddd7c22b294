"""The way to a state of the pages must not matter: edits one by one give what a fresh index of the final pages holds."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.adapters.folder_source import FolderSource
from indexing.adapters.parser_process import SubprocessParser
from indexing.adapters.tiktoken_counter import TiktokenCounter
from tests.fakes.sources import FakeSource
from tests.indexing.workplace import Workplace, page

_PATHS = ["a.md", "b.md", "rules/a.md", "rules/c.md", "d.txt"]
_SECTIONS = [
    "Annual leave is 25 days.",
    "Annual leave is 30 days.",
    "- one\n- two\n- three",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "Travel.",
    "Personal Time Off (PTO) is 25 days.",
    "- PTO, or personal time off\n- RTO: return to office",
]

_pages = st.builds(
    lambda front, title, sections: front + page(title, *sections),
    st.sampled_from(["", "---\nlabels: hr\n---\n", "---\nkeywords: holiday\n---\n", "\n\n"]),
    st.sampled_from(["Leave", "Travel"]),
    st.lists(st.sampled_from(_SECTIONS), max_size=4),
) | st.just("UNREADABLE")
_edits = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(_PATHS), _pages),
    st.tuples(st.just("remove"), st.sampled_from(_PATHS), st.just("")),
    st.tuples(st.just("move"), st.sampled_from(_PATHS), st.sampled_from(_PATHS)),
    st.tuples(st.just("label"), st.sampled_from(["", "hr", "legal"]), st.just("")),
)


def _apply(source: FakeSource, edit: tuple[str, str, str]) -> None:
    match edit:
        case ("put", path, text):
            source.pages[path] = text
        case ("remove", path, _):
            source.pages.pop(path, None)
        case ("move", path, target) if path in source.pages:
            source.pages[target] = source.pages.pop(path)
        case ("label", label, _):
            source.labels = (label,) if label else ()


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.lists(_edits, min_size=1, max_size=3), max_size=6))
def test_edits_one_by_one_equal_a_fresh_index(steps: list[list[tuple[str, str, str]]]) -> None:
    with TemporaryDirectory() as folder:
        walked = Workplace(Path(folder) / "walked")
        source = FakeSource()
        stays = FakeSource("stays", {"a.md": page("Stays", "Annual leave is 25 days.")})
        walked.sync(source, stays)
        for step in steps:
            for edit in step:
                _apply(source, edit)
            report = walked.sync(source)
            counts = report.documents
            assert counts.new + counts.changed + counts.moved + counts.unchanged == len(walked.catalog()["documents"]) - 1
            assert report.total_chunks == len(walked.points()) == len(walked.catalog()["chunks"])
        fresh = Workplace(Path(folder) / "fresh")
        fresh.sync(source, stays)
        assert walked.points() == fresh.points()
        assert walked.catalog() == fresh.catalog()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_handbook_s_history_equals_a_fresh_index_of_its_end(shared_data: Path, tmp_path: Path) -> None:
    edits = [json.loads(line) for line in (shared_data / "handbook-18f" / "edits.jsonl").read_text().splitlines()]
    docs = tmp_path / "docs"
    shutil.copytree(shared_data / "handbook-18f" / "docs", docs)
    for edit in reversed(edits):  # back to the state before the first edit
        _put(docs / edit["path"], edit["before"])
    commits = list(dict.fromkeys(edit["commit"] for edit in edits))
    parser = SubprocessParser()
    tools = {"parser": parser, "counter": TiktokenCounter()}
    walked = Workplace(tmp_path / "walked", **tools)  # type: ignore[arg-type] # one dictionary for two kinds
    source = FolderSource("handbook", [docs])
    walked.sync(source)
    for commit in commits:
        for edit in edits:
            if edit["commit"] == commit:
                _put(docs / edit["path"], edit["after"])
        walked.sync(source)
    fresh = Workplace(tmp_path / "fresh", **tools)  # type: ignore[arg-type] # as above
    fresh.sync(source)
    parser.close()
    assert len(walked.points()) > 1000
    assert walked.points() == fresh.points()
    assert walked.catalog() == fresh.catalog()


def _put(file: Path, text: str | None) -> None:
    if text is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
