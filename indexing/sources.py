"""Where documents come from: the port, and nothing else. Folders and LlamaIndex readers are adapters."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from indexing.documents import RawDocument


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that could not be taken, and why, in words that tell its owner what to do."""

    path: str
    reason: str


class DocumentSource(Protocol):
    """One body of documents with a name, read from beginning to end at each sync."""

    @property
    def name(self) -> str:
        """The source's name: documents of one source that are no longer delivered leave the index."""

    def documents(self) -> Iterator[RawDocument | Skipped]:
        """Deliver each document once, in a stable order, or say why it is skipped.

        Raises:
            SourceError: The source as a whole cannot be read; then nothing of it is changed in the index.
        """
