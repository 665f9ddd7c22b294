"""LlamaIndex readers as sources, with real ones and with those that only tests have."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from llama_index.core.readers.base import BasePydanticReader, BaseReader
from llama_index.core.schema import Document

from indexing.adapters.llamaindex_source import LlamaIndexSource
from indexing.documents import RawDocument
from indexing.errors import SourceError
from indexing.sources import DocumentSource


class LazyReader(BaseReader):
    def __init__(self, count: int) -> None:
        self.count = count
        self.given = 0

    def lazy_load_data(self, *_args: Any, **_kwargs: Any) -> Iterator[Document]:
        for number in range(self.count):
            yield Document(text=f"text {number}", metadata={"file_name": "same.txt"})
        raise ConnectionError("the wire was cut")


class EagerReader(BasePydanticReader):
    host: str

    def load_data(self, urls: list[str]) -> list[Document]:
        return [
            Document(text=f"# Page\n{self.host}", metadata={"url": url, "title": 'A "title"'}, id_=f"id{number}")
            for number, url in enumerate(urls)
        ]


class OddReader(BaseReader):
    def load_data(self, *_args: Any, **_kwargs: Any) -> list[Document]:
        places: Iterable[dict[str, Any]] = [
            {"file_path": "/../../etc/passwd"},
            {"file_path": "C:\\docs\\a.md"},
            {"file_path": "r.pdf", "page_label": "3"},
            {},
            {"url": "http://e.org/"},
        ]
        return [Document(text="---\nlabels: hr\n---\nx", metadata=metadata | {"title": None}, id_="id") for metadata in places]


@pytest.fixture(autouse=True)
def readers(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("farthing_test_readers")
    for reader in (LazyReader, EagerReader, OddReader):
        setattr(module, reader.__name__, reader)
    monkeypatch.setitem(__import__("sys").modules, module.__name__, module)


def read(class_path: str, labels: tuple[str, ...] = (), **arguments: object) -> list[RawDocument]:
    source: DocumentSource = LlamaIndexSource("wiki", class_path, arguments, labels)
    return [document for document in source.documents() if isinstance(document, RawDocument)]


def test_a_reader_of_llama_index(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello.")
    (tmp_path / "b.txt").write_text("Grüße.")
    documents = read("llama_index.core.SimpleDirectoryReader", ("hr",), input_dir=str(tmp_path))
    assert [document.content.decode() for document in documents] == ["Hello.", "Grüße."]
    assert [document.path for document in documents] == [f"{str(tmp_path / name)[1:]}.md" for name in ("a.txt", "b.txt")]
    assert documents[0].uri == str(tmp_path / "a.txt")
    assert documents[0].labels == ("hr",)
    assert documents[0].source == "wiki"


def test_documents_come_lazily_with_unique_paths_and_a_failure_is_named() -> None:
    found = LlamaIndexSource("wiki", "farthing_test_readers.LazyReader", {"count": 2}).documents()
    paths = [next(found).path, next(found).path]
    assert paths == ["same.txt.md", "same.txt 2.md"]
    with pytest.raises(SourceError, match=r"LazyReader.*'wiki'.*the wire was cut"):
        next(found)


def test_arguments_go_where_they_are_named() -> None:
    (document,) = read("farthing_test_readers.EagerReader", host="h", urls=["https://e.org/a/b?c=1"])
    assert document == RawDocument(
        "wiki", "e.org/a/b?c=1.md", "https://e.org/a/b?c=1", b'---\ntitle: "A \\"title\\""\n---\n# Page\nh', ()
    )


def test_paths_do_not_climb_and_text_with_front_matter_is_left() -> None:
    documents = read("farthing_test_readers.OddReader")
    assert [document.path for document in documents] == ["etc/passwd.md", "C:/docs/a.md", "r.pdf/page 3.md", "id.md", "e.org.md"]
    assert {document.content for document in documents} == {b"---\nlabels: hr\n---\nx"}


@pytest.mark.parametrize(
    ("class_path", "words"),
    [
        ("nowhere.Reader", "cannot be imported"),
        ("llama_index.core.Nothing", "cannot be imported"),
        ("Reader", "cannot be imported"),
        ("", "cannot be imported"),
        ("os.system", "not a LlamaIndex reader"),
        ("pathlib.Path", "not a LlamaIndex reader"),
        ("farthing_test_readers.LazyReader", "Check its arguments"),
    ],
)
def test_what_is_no_reader_is_named(class_path: str, words: str) -> None:
    with pytest.raises(SourceError, match=words) as caught:
        read(class_path)
    assert "wiki" in str(caught.value)
