import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from eval.datasets.cases import load_dataset
from eval.datasets.handbooks import __main__ as command
from eval.datasets.handbooks import fetching
from eval.datasets.handbooks.authored import AUTHORED, authored_rows, words_of
from eval.datasets.handbooks.fetching import ORIGINS, Origin, fetch_handbook, read_hashes
from eval.datasets.quotes import normalised, normalised_quote
from eval.errors import DatasetError

PAGE = "# Leave\n\nIt lasts *26* [weeks](https://a.example), été.\n"
WORDS = "It lasts *26* [weeks](https://a.example)"
NAME = "handbook-x"


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@a.example", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A bare repository whose newest commit is not the wanted one."""
    work = tmp_path / "work"
    (work / "content" / "book" / "sub").mkdir(parents=True)
    (work / "content" / "book" / "leave.md").write_text(PAGE, encoding="utf-8")
    (work / "content" / "book" / "sub" / "_index.md").write_text("# Sub\n", encoding="utf-8")
    (work / "content" / "book" / "photo.png").write_bytes(b"not a page")
    (work / "README.md").write_text("beside the pages\n", encoding="utf-8")
    _git(work, "init", "--quiet")
    _git(work, "add", ".")
    _git(work, "commit", "--quiet", "-m", "wanted")
    commit = _git(work, "rev-parse", "HEAD")
    (work / "content" / "book" / "leave.md").write_text("changed later\n", encoding="utf-8")
    _git(work, "commit", "--quiet", "-a", "-m", "later")
    subprocess.run(["git", "clone", "--quiet", "--bare", str(work), str(tmp_path / "bare.git")], check=True)
    return Origin(f"file://{tmp_path}/bare.git", commit, "content/book", "content/book", "CC0-1.0")


@pytest.fixture
def hashes(tmp_path: Path) -> Path:
    """The hashes of both pages, and a question over one of them."""
    folder = tmp_path / "hashes"
    folder.mkdir()
    pages = {"leave.md": PAGE, "sub/_index.md": "# Sub\n"}
    lines = [f"{hashlib.sha256(text.encode()).hexdigest()}  {path}\n" for path, text in pages.items()]
    (folder / f"{NAME}.sha256").write_text("".join(lines), encoding="utf-8")
    start = PAGE.index(WORDS)
    piece = {
        "doc": "leave.md",
        "start": start,
        "end": start + len(WORDS),
        "sha256": hashlib.sha256(WORDS.encode()).hexdigest()[:12],
    }
    row = {"id": "x-1", "question": "How long?", "paraphrases": ["What length?"], "type": "number", "evidence": [piece]}
    (folder / f"{NAME}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return folder


def test_pages_of_one_commit_become_a_dataset_with_our_questions(tmp_path: Path, origin: Origin, hashes: Path) -> None:
    made = fetch_handbook(NAME, tmp_path / "data", origin, hashes)
    files = {file.relative_to(made).as_posix() for file in made.rglob("*") if file.is_file()}
    assert files == {"docs/leave.md", "docs/sub/_index.md", "questions.jsonl", "SOURCE.md"}
    assert (made / "docs" / "leave.md").read_text(encoding="utf-8") == PAGE
    source = (made / "SOURCE.md").read_text(encoding="utf-8")
    assert all(words in source for words in (origin.url, origin.commit, origin.licence))
    (case,) = load_dataset(made).cases
    assert (case.quotes, case.answer) == ([WORDS], "It lasts 26 weeks")
    assert [one.name for one in (tmp_path / "data").iterdir()] == [NAME]


def test_what_is_there_is_not_fetched_again(tmp_path: Path, origin: Origin, hashes: Path) -> None:
    fetch_handbook(NAME, tmp_path, origin, hashes)
    with pytest.raises(DatasetError, match="is there already"):
        fetch_handbook(NAME, tmp_path, origin, hashes)


def test_another_page_than_expected_leaves_nothing_behind(tmp_path: Path, origin: Origin, hashes: Path) -> None:
    file = hashes / f"{NAME}.sha256"
    file.write_text(file.read_text(encoding="utf-8").replace("sub/_index.md", "sub/gone.md"), encoding="utf-8")
    with pytest.raises(DatasetError, match=r"sub/gone\.md is not the page that was expected"):
        fetch_handbook(NAME, tmp_path / "data", origin, hashes)
    assert not list((tmp_path / "data").iterdir())


def test_without_a_network_one_sentence_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = Origin("http://127.0.0.1:9/pages", "0" * 40, "pages", "", "CC0-1.0")
    monkeypatch.setattr(fetching, "ORIGINS", {"guides-18f": nowhere})
    monkeypatch.setattr("sys.argv", ["handbooks", str(tmp_path / "data"), "guides-18f"])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("The pages could not be fetched from http://127.0.0.1:9/pages, which needs the network.")
    assert not list((tmp_path / "data").iterdir())


def test_without_git_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DatasetError, match="git is not installed"):
        fetch_handbook("guides-18f", tmp_path / "data")


def test_an_unknown_name_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["handbooks", "data", "nobody"])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 2
    assert "unknown: nobody" in capsys.readouterr().err


@pytest.mark.parametrize("name", ORIGINS)
def test_our_questions_name_pages_with_a_hash_and_hold_no_text_of_them(name: str) -> None:
    pages = read_hashes(AUTHORED / f"{name}.sha256")
    for row in authored_rows(name):
        for piece in row["evidence"]:
            assert piece["doc"] in pages
            assert set(piece) == {"doc", "start", "end", "sha256"}


@pytest.mark.data
@pytest.mark.parametrize(("name", "altered"), [("handbook-18f", 4), ("handbook-gitlab", 0), ("guides-18f", 6)])
def test_the_pages_are_those_of_the_shared_data(shared_data: Path, name: str, altered: int) -> None:
    docs = shared_data / name / "docs"
    own = {
        file.relative_to(docs).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in docs.rglob("*")
        if file.is_file()
    }
    public = read_hashes(AUTHORED / f"{name}.sha256")
    assert own.keys() == public.keys()
    assert sum(own[path] != public[path] for path in own) == altered, "pages that name hosts were altered in the shared copy"
    for row in authored_rows(name):
        for piece in row["evidence"]:
            page = normalised((docs / piece["doc"]).read_text(encoding="utf-8"))
            assert normalised_quote(words_of(piece, docs, row["id"])) in page
