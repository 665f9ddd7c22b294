"""What can go wrong while documents are read, embedded and indexed.

    IndexingError
    ├── SourceError           a source cannot be listed or read at all
    ├── ParsingError          one document cannot be turned into Markdown; it is skipped and named
    ├── LanguageError         a language is not among those that there are stemmers for
    ├── LabelError            an access label is malformed; the document or command is refused
    ├── EmbeddingError        the model cannot be loaded, or its vectors are not usable
    ├── ChunkIndexError           the index cannot be written, opened or understood
    │   ├── IndexMissingError     nothing has been indexed yet
    │   ├── IndexForeignError     the directory was written by something else, or by another version
    │   └── IndexMismatchError    the index was built with another model or another dimension
    └── IndexBusyError        another sync holds the write lock

Every message says what happened, to what, and what to do. None of them knows about HTTP or exit codes:
`app/api/errors.py` and `app/cli/__init__.py` translate.
"""


class IndexingError(Exception):
    """Base of all errors of this package."""


class SourceError(IndexingError):
    """A source cannot be listed or read at all."""


class ParsingError(IndexingError):
    """One document cannot be turned into Markdown.

    `str(error)` is the reason that the report prints next to the document's path.
    """


class LabelError(IndexingError):
    """An access label is malformed."""


class LanguageError(IndexingError):
    """A language is not among those that there are stemmers for."""


class EmbeddingError(IndexingError):
    """The embedding model cannot be loaded, or does not give usable vectors."""


class ChunkIndexError(IndexingError):
    """The index cannot be written, opened or understood."""


class IndexMissingError(ChunkIndexError):
    """Nothing has been indexed yet."""


class IndexForeignError(ChunkIndexError):
    """The index directory was not written by this product, or by an incompatible version of it."""


class IndexMismatchError(ChunkIndexError):
    """The index was built with another embedding model or another dimension."""


class IndexBusyError(IndexingError):
    """Another sync is running in the same home."""
