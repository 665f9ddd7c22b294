from collections.abc import Iterator
from pathlib import Path

import pytest

from app.settings import Settings
from eval.datasets.cases import load_dataset
from eval.errors import DatasetError
from eval.questions.drafts import make_questions, write_questions
from eval.runs.run import run_dataset
from indexing.embedding import Embedder
from indexing.planning import NoProgress


def test_drafts_make_a_dataset_that_runs_and_counts_them(
    office: Path, settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    rows = list(make_questions(settings, office / "docs", NoProgress()))
    assert all(row["review"] is True and row["made_by"] == "heading" for row in rows)
    assert len({row["id"] for row in rows}) == len(rows)
    assert any(row["must_include"] == ["3 days"] and row["evidence"][0]["doc"] == "parking.md" for row in rows)
    folder = tmp_path / "drafts"
    folder.mkdir()
    (folder / "docs").symlink_to(office / "docs")
    write_questions(rows, folder / "questions.jsonl")
    assert len(load_dataset(folder).cases) == len(rows)
    run = run_dataset(settings, folder, NoProgress(), ("smaller-k",), limit=5, embedder=embedder)
    assert run.content["excluded"] == []
    assert run.content["unreviewed"] == 5


def test_reviewed_questions_are_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "questions.jsonl").write_text("mine", encoding="utf-8")
    with pytest.raises(DatasetError, match="cannot be written"):
        write_questions([{"id": "a"}], tmp_path / "questions.jsonl")
    assert (tmp_path / "questions.jsonl").read_text(encoding="utf-8") == "mine"


def test_what_was_made_before_the_rows_broke_off_is_kept(tmp_path: Path) -> None:
    def rows(count: int) -> Iterator[dict[str, str]]:
        yield from ({"id": str(number)} for number in range(count))
        raise KeyboardInterrupt

    for count in (2, 0):
        with pytest.raises(KeyboardInterrupt):
            write_questions(rows(count), tmp_path / f"{count}.jsonl")
    assert (tmp_path / "2.jsonl").read_text(encoding="utf-8") == '{"id": "0"}\n{"id": "1"}\n'
    assert not (tmp_path / "0.jsonl").exists()


def test_documents_without_headings_give_no_question(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.md").write_text("Just a line.\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="no page with a heading"):
        make_questions(settings, tmp_path, NoProgress())
