"""Any LlamaIndex reader as a source of documents."""

import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from indexing.documents import AccessLabel, RawDocument
from indexing.errors import SourceError
from indexing.sources import Skipped

_PLACE_FIELDS: Final = ("file_path", "file_name", "url", "source", "title")
_ADDRESS_FIELDS: Final = ("url", "source_url", "web_url", "link")
_UNSAFE_PARTS: Final = frozenset({"", ".", ".."})
_MAX_PATH_CHARACTERS: Final = 500


class LlamaIndexSource:
    """The documents that a LlamaIndex reader loads, each as a page of Markdown.

    `class_path` is the dotted path of the reader's class; of `arguments` those that its constructor names go there, those that
    only its load method names go to that. A document's path comes from its metadata (file path, file name, address, title) or
    else its id; a title in the metadata becomes the title of the page.
    """

    def __init__(self, name: str, class_path: str, arguments: Mapping[str, Any], labels: tuple[AccessLabel, ...] = ()) -> None:
        self._name = name
        self._class_path = class_path
        self._arguments = dict(arguments)
        self._labels = labels

    @property
    def name(self) -> str:
        """The source's name."""
        return self._name

    def documents(self) -> Iterator[RawDocument | Skipped]:
        """Deliver what the reader loads, in its order.

        Raises:
            SourceError: The class cannot be imported, is no reader, refuses its arguments, or fails while it loads.
        """
        reader_class = _reader_class(self._name, self._class_path)
        taken: set[str] = set()
        for document in self._loaded(reader_class):
            path = _unique(_path(document), taken)
            taken.add(path)
            yield RawDocument(
                self._name, path, _uri(document, path), _markdown(document).encode("utf-8", "replace"), self._labels
            )

    def _loaded(self, reader_class: type[Any]) -> Iterator[Any]:
        """What the reader loads, lazily where it can; whatever it raises is named as its failure."""
        try:
            load = _load_method(reader_class)
            for_constructor, for_load = _divide(self._arguments, reader_class, load)
            reader = reader_class(**for_constructor)
            yield from getattr(reader, load.__name__)(**for_load)
        except Exception as exc:
            raise SourceError(
                f"The reader {self._class_path} of the source {self._name!r} failed: {type(exc).__name__}: {exc}. "
                "Check its arguments in the settings, and whether what it reads can be reached"
            ) from exc


def _reader_class(source: str, class_path: str) -> type[Any]:
    module_name, _, class_name = class_path.rpartition(".")
    try:
        # Late: a sync of folders alone must not wait for LlamaIndex.
        base = importlib.import_module("llama_index.core.readers.base").BaseReader
        found = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as exc:
        raise SourceError(
            f"The reader {class_path!r} of the source {source!r} cannot be imported ({exc}). "
            "Check the dotted path in the settings, and install the package that has it"
        ) from exc
    if not (isinstance(found, type) and issubclass(found, base)):
        raise SourceError(
            f"{class_path!r}, named for the source {source!r}, is not a LlamaIndex reader. "
            "Name a class that derives from llama_index.core.readers.base.BaseReader"
        )
    return found


def _load_method(reader_class: type[Any]) -> Callable[..., Iterable[Any]]:
    """`lazy_load_data` where the reader has one of its own, else `load_data`."""
    base = importlib.import_module("llama_index.core.readers.base").BaseReader
    own = "load_data" if reader_class.lazy_load_data is base.lazy_load_data else "lazy_load_data"
    return cast("Callable[..., Iterable[Any]]", getattr(reader_class, own))


def _divide(
    arguments: Mapping[str, Any], reader_class: type[Any], load: Callable[..., Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments for the constructor and for the load method, by the names that each takes."""
    constructor_names = inspect.signature(reader_class).parameters.keys()
    for_load = {key for key in arguments if key in inspect.signature(load).parameters and key not in constructor_names}
    return (
        {key: value for key, value in arguments.items() if key not in for_load},
        {key: value for key, value in arguments.items() if key in for_load},
    )


def _path(document: Any) -> str:
    """Where the document stands in the source: parts of a path without any that climb."""
    metadata: Mapping[str, Any] = document.metadata or {}
    place = next((str(metadata[field]) for field in _PLACE_FIELDS if metadata.get(field)), "") or str(document.id_)
    page = str(metadata.get("page_label") or "")
    place = re.sub(r"^[a-z][a-z0-9+.-]*://", "", place, flags=re.IGNORECASE).replace("\\", "/")
    parts = [part for part in re.sub(r"[\x00-\x1f\x7f]", "", place).split("/") if part not in _UNSAFE_PARTS]
    path = "/".join(parts)[:_MAX_PATH_CHARACTERS] or str(document.id_)
    return f"{path}/page {page}" if page else path


def _unique(path: str, taken: set[str]) -> str:
    """The path, ending in `.md`, with a number where the reader gives the same one again."""
    stem = path.removesuffix(".md")
    candidate, number = f"{stem}.md", 1
    while candidate in taken:
        number += 1
        candidate = f"{stem} {number}.md"
    return candidate


def _uri(document: Any, path: str) -> str:
    metadata: Mapping[str, Any] = document.metadata or {}
    address = next((str(metadata[field]) for field in _ADDRESS_FIELDS if metadata.get(field)), "")
    return address or str(metadata.get("file_path") or path)


def _markdown(document: Any) -> str:
    """The text, with the title of its metadata as front matter unless it brings front matter of its own."""
    text = str(document.text or "")
    title = (document.metadata or {}).get("title")
    if not text.strip() or not isinstance(title, str) or not title.strip() or text.startswith(("---", "+++")):
        return text
    return f"---\ntitle: {json.dumps(' '.join(title.split()))}\n---\n{text}"
