"""Folders and files as a source: what is taken, what is passed over, what is skipped and why, and who may read it."""

import os
import socket
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from indexing.adapters.folder_source import FolderSource
from indexing.documents import RawDocument
from indexing.errors import SourceError
from indexing.sources import DocumentSource, Skipped


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    return folder


def write(root: Path, *paths: str, text: str = "text") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


def read(
    *roots: Path, labels: tuple[str, ...] = (), max_file_bytes: int = 1_000_000
) -> tuple[dict[str, RawDocument], dict[str, str]]:
    source: DocumentSource = FolderSource("s", roots, labels, max_file_bytes)
    found = list(source.documents())
    documents = {found_one.path: found_one for found_one in found if isinstance(found_one, RawDocument)}
    skipped = {found_one.path: found_one.reason for found_one in found if isinstance(found_one, Skipped)}
    assert len(documents) + len(skipped) == len(found)
    return documents, skipped


class TestWalking:
    def test_documents_in_a_stable_order_with_their_paths(self, root: Path) -> None:
        write(root, "b/z.md", "b.md", "a.HTML", "b/a/c.pdf", "ä/ö.txt")
        documents, skipped = read(root)
        assert list(documents) == ["a.HTML", "b/a/c.pdf", "b/z.md", "b.md", "ä/ö.txt"]
        assert not skipped
        assert documents["b/z.md"] == RawDocument("s", "b/z.md", str(root / "b/z.md"), b"text", ())

    def test_uri_is_the_path_as_given(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write(root, "x/a.md")
        monkeypatch.chdir(root.parent)
        assert read(Path("docs"))[0]["x/a.md"].uri == "docs/x/a.md"
        assert read(Path("docs/x/a.md"))[0]["a.md"].uri == "docs/x/a.md"
        monkeypatch.chdir(root / "x")
        assert read(Path(".."))[0]["x/a.md"].uri == "../x/a.md"

    def test_hidden_and_foreign_folders_are_passed_over(self, root: Path) -> None:
        write(root, ".git/a.md", ".farthing/b.md", "x/.hidden.md", "node_modules/c.md", "CVS/d.md", "x/y.md")
        documents, skipped = read(root)
        assert list(documents) == ["x/y.md"]
        assert not skipped

    def test_what_is_no_document_is_passed_over_unless_named(self, root: Path) -> None:
        quiet = ["a.png", "b.zip", "c.py", "Makefile", "d.MP4", "e.json", "f.woff2"]
        write(root, *quiet, "g.doc", "h.odt", "i.unheard")
        documents, skipped = read(root)
        assert not documents
        assert skipped == {
            "g.doc": "there is no parser for .doc; convert it to .docx",
            "h.odt": "there is no parser for .odt; convert it to PDF, DOCX or Markdown",
            "i.unheard": "there is no parser for .unheard; convert it to PDF, DOCX or Markdown",
        }
        assert set(read(*(root / name for name in quiet))[1]) == set(quiet)

    def test_a_hidden_root_was_meant(self, root: Path) -> None:
        write(root, ".notes/a.md")
        assert list(read(root / ".notes")[0]) == ["a.md"]

    def test_a_missing_root_is_an_error(self, root: Path) -> None:
        with pytest.raises(SourceError, match="nowhere"):
            read(root, root / "nowhere")

    def test_files_are_read_one_at_a_time(self, root: Path) -> None:
        for number in range(20):
            (root / f"{number}.txt").write_bytes(b"x" * 1_000_000)
        tracemalloc.start()
        total = sum(
            len(document.content) for document in FolderSource("s", [root]).documents() if isinstance(document, RawDocument)
        )
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == 20_000_000
        assert peak < 6_000_000


class TestSeveralRoots:
    def test_equal_paths_get_the_name_of_their_root(self, tmp_path: Path) -> None:
        write(tmp_path, "hr/index.md", "it/index.md", "it/vpn.md")
        assert list(read(tmp_path / "hr", tmp_path / "it")[0]) == ["hr/index.md", "it/index.md", "vpn.md"]

    def test_equal_names_of_roots_get_more(self, tmp_path: Path) -> None:
        write(tmp_path, "a/docs/x.md", "b/docs/x.md", "a/y.md", "b/y.md")
        documents, _ = read(tmp_path / "a/docs", tmp_path / "b/docs", tmp_path / "a/y.md", tmp_path / "b/y.md")
        assert list(documents) == ["a/docs/x.md", "b/docs/x.md", "a/y.md", "b/y.md"]

    def test_a_root_inside_another_adds_nothing(self, root: Path) -> None:
        write(root, "x/a.md")
        assert list(read(root, root / "x", root / "x" / "a.md", root)[0]) == ["x/a.md"]


class TestUnreadable:
    def test_links(self, root: Path, tmp_path: Path) -> None:
        write(tmp_path, "outside/secret.md", "outside.md")
        write(root, "real/a.md")
        (root / "inside.md").symlink_to("real/a.md")
        (root / "file-out.md").symlink_to(tmp_path / "outside.md")
        (root / "climbs.md").symlink_to("real/../../outside.md")
        (root / "folder-out").symlink_to(tmp_path / "outside")
        (root / "real" / "loop").symlink_to(root)
        (root / "self.md").symlink_to("self.md")
        (root / "gone.md").symlink_to("nothing")
        (root / "twin").symlink_to("real")
        documents, skipped = read(root)
        assert list(documents) == ["inside.md", "real/a.md"]
        assert "outside" in skipped.pop("file-out.md")
        assert "outside" in skipped.pop("climbs.md")
        assert "outside" in skipped.pop("folder-out")
        assert "loop" in skipped.pop("real/loop")
        assert "itself" in skipped.pop("self.md")
        assert "nothing" in skipped.pop("gone.md")
        assert not skipped

    def test_pipes_and_sockets_are_never_opened(self, root: Path) -> None:
        os.mkfifo(root / "pipe.md")
        os.mkfifo(root / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(root / "socket.txt"))
        (root / "to-pipe.md").symlink_to("pipe.md")
        documents, skipped = read(root)
        assert not documents
        assert set(skipped) == {"pipe.md", "socket.txt", "to-pipe.md"}
        assert all("not a file" in reason for reason in skipped.values())
        assert "not a file" in read(root / "pipe.md")[1]["pipe.md"]

    def test_too_large(self, root: Path) -> None:
        with (root / "big.pdf").open("wb") as file:
            file.truncate(200 * 2**20)
        assert read(root)[1] == {"big.pdf": "too large: 200.0 MiB; at most 1.0 MiB are read"}

    def test_no_permission(self, readable_by_all: Path) -> None:
        write(readable_by_all, "open.md", "closed.md", "shut/a.md")
        (readable_by_all / "closed.md").chmod(0)
        (readable_by_all / "shut").chmod(0)
        with as_nobody():
            documents, skipped = read(readable_by_all)
        (readable_by_all / "shut").chmod(0o700)
        assert list(documents) == ["open.md"]
        assert skipped == {"closed.md": "it cannot be read: Permission denied", "shut": "it cannot be read: Permission denied"}

    def test_a_name_that_is_no_text(self, root: Path) -> None:
        (root / os.fsdecode(b"caf\xe9.md")).write_text("x")
        assert read(root)[1] == {"caf?.md": "its name is not valid UTF-8; rename it"}


class TestFolderSettings:
    def settings(self, root: Path, **texts: str) -> None:
        for folder, text in texts.items():
            write(root, f"{folder.replace('_', '/')}/.farthing.toml".removeprefix("top/"), text=text)

    def test_the_nearest_labels_win_over_those_of_the_command(self, root: Path) -> None:
        write(root, "a.md", "hr/b.md", "hr/x/c.md", "hr/x/open/d.md")
        self.settings(root, hr='labels = ["hr"]', hr_x='base_uri = "https://e.org"', hr_x_open='labels = "everyone"')
        documents, _ = read(root, labels=("staff",))
        assert {path: document.labels for path, document in documents.items()} == {
            "a.md": ("staff",),
            "hr/b.md": ("hr",),
            "hr/x/c.md": ("hr",),
            "hr/x/open/d.md": ("everyone",),
        }

    def test_settings_above_the_root_apply(self, root: Path) -> None:
        write(root, "hr/x/a.md")
        self.settings(root, hr='labels = ["hr"]')
        assert read(root / "hr" / "x")[0]["a.md"].labels == ("hr",)
        assert read(root / "hr" / "x" / "a.md")[0]["a.md"].labels == ("hr",)

    def test_a_link_has_the_labels_of_what_it_links_to(self, root: Path) -> None:
        write(root, "hr/a.md", "public/b.md")
        (root / "public" / "a.md").symlink_to("../hr/a.md")
        self.settings(root, hr='labels = ["hr"]', public='labels = ["everyone"]')
        assert read(root)[0]["public/a.md"].labels == ("hr",)

    @pytest.mark.parametrize("base", ["https://e.org/handbook", "https://e.org/handbook/"])
    def test_base_uri(self, root: Path, base: str) -> None:
        write(root, "a b.md", "x/ü.md", "x/y/c.md")
        self.settings(root, top=f'base_uri = "{base}"', x_y='base_uri = "http://other.org"')
        documents, _ = read(root)
        assert documents["a b.md"].uri == "https://e.org/handbook/a%20b.md"
        assert documents["x/ü.md"].uri == "https://e.org/handbook/x/%C3%BC.md"
        assert documents["x/y/c.md"].uri == "http://other.org/c.md"

    @pytest.mark.parametrize(
        "text",
        [
            "labels = [",
            "label = ['hr']",
            "labels = []",
            "labels = ['no label']",
            "labels = 5",
            "labels = [['hr']]",
            "base_uri = 5",
            "base_uri = 'ftp://e.org'",
            "base_uri = 'javascript:alert(1)'",
            "base_uri = 'https://'",
            "base_uri = 'http://[x'",
            "x = '" + "y" * 70_000 + "'",
        ],
    )
    def test_malformed_settings_skip_everything_below(self, root: Path, text: str) -> None:
        write(root, "a.md", "hr/b.md", "hr/x/c.md", "hr/ok/d.md")
        self.settings(root, hr=text, hr_ok='labels = ["hr"]')
        documents, skipped = read(root)
        assert list(documents) == ["a.md"]
        assert set(skipped) == {"hr/b.md", "hr/x/c.md", "hr/ok/d.md"}
        assert all(".farthing.toml" in reason and "Correct it" in reason for reason in skipped.values())

    def test_settings_that_are_not_a_file_skip_everything_below(self, root: Path) -> None:
        write(root, "a/x.md", "b/x.md")
        (root / "a" / ".farthing.toml").mkdir()
        (root / "b" / ".farthing.toml").symlink_to("nothing")
        assert set(read(root)[1]) == {"a/x.md", "b/x.md"}


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """A folder that another user may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


class as_nobody:  # noqa: N801 - used as a function
    """Give up the rights of root, to whom no file is closed; without them it changes nothing."""

    def __enter__(self) -> None:
        self.user = os.geteuid()
        if self.user == 0:
            os.seteuid(65534)

    def __exit__(self, *_: object) -> None:
        if self.user == 0:
            os.seteuid(0)
