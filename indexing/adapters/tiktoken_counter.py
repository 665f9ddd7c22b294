"""Token counts by tiktoken, without a network: the vocabularies are those that llama-index-core ships."""

import hashlib
import importlib.util
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from indexing.errors import IndexingError

if TYPE_CHECKING:  # tiktoken is imported when something is counted, not when Farthing starts
    from tiktoken import Encoding

_CACHE_VARIABLE: Final = "TIKTOKEN_CACHE_DIR"
_VOCABULARY_URL: Final = "https://openaipublic.blob.core.windows.net/encodings/{name}.tiktoken"
"""tiktoken names a cached vocabulary by the SHA-1 of this address. It is never fetched."""

_loading = threading.Lock()


class TiktokenCounter:
    """Counts tokens with one of tiktoken's encodings. The first count loads it, in about a quarter of a second."""

    def __init__(self, name: str = "o200k_base") -> None:
        self._name = name
        self._loaded: Encoding | None = None

    @property
    def name(self) -> str:
        """The encoding's name, such as `o200k_base`."""
        return self._name

    def count(self, text: str) -> int:
        """The number of tokens of `text`; special-token markers in it count as plain text.

        Raises:
            IndexingError: The encoding's vocabulary is not on this machine.
        """
        return len(self._encoding().encode_ordinary(text))

    def count_many(self, texts: list[str]) -> list[int]:
        """`count` of each text, in order. Raises as `count`."""
        # encode_ordinary_batch starts threads for every call, which costs more than they win on pieces of a page.
        encode = self._encoding().encode_ordinary
        return [len(encode(text)) for text in texts]

    def _encoding(self) -> "Encoding":
        if self._loaded is None:
            with _loading:
                if self._loaded is None:
                    self._loaded = _load(self._name)
        return self._loaded


def _load(name: str) -> "Encoding":
    folder = _vocabulary_folder()
    file = folder / hashlib.sha1(_VOCABULARY_URL.format(name=name).encode(), usedforsecurity=False).hexdigest()
    if not file.is_file():
        raise IndexingError(
            f"The vocabulary of the tokenizer {name!r} is not in {folder}. Use `o200k_base` or `cl100k_base`, "
            "or reinstall llama-index-core, which brings both."
        )
    with _cache_folder(folder):
        import tiktoken  # noqa: PLC0415 - the environment is read when it loads, and --help must not wait for it

        try:
            return tiktoken.get_encoding(name)
        except (OSError, ValueError) as error:
            raise IndexingError(
                f"The vocabulary of the tokenizer {name!r} in {folder} is damaged ({error}). Reinstall llama-index-core."
            ) from error


def _vocabulary_folder() -> Path:
    # Finding the module does not import it; importing it would cost seconds.
    spec = importlib.util.find_spec("llama_index.core")
    if spec is None or spec.origin is None:
        raise IndexingError(
            "llama-index-core is not installed, and with it the tokenizers' vocabularies. Install Farthing again."
        )
    return Path(spec.origin).parent / "_static" / "tiktoken_cache"


@contextmanager
def _cache_folder(folder: Path) -> Iterator[None]:
    before = os.environ.get(_CACHE_VARIABLE)
    os.environ[_CACHE_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[_CACHE_VARIABLE]
        else:
            os.environ[_CACHE_VARIABLE] = before
