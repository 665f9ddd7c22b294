"""What one generation holds: documents, chunks, skipped files, aliases and term frequencies, in one SQLite file.

It tells the next sync what has changed, `farthing status` what is indexed, and the retriever how rare a term is and what
acronyms stand for. A committed catalog is never changed again; the next generation begins with a copy of it.
"""

import json
import shutil
import sqlite3
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexing.aliases import Alias, aliases_of, capitals_key, terms_in_capitals
from indexing.documents import AccessLabel, Chunk
from indexing.errors import ChunkIndexError, IndexForeignError
from indexing.files import sync_path
from indexing.language import Language

CATALOG_FILE: Final = "catalog.sqlite3"
_FORMAT: Final = 2
_FIRST_WITH_ALIASES: Final = 2
_VARIABLES: Final = 500
"""Values for one statement; SQLite takes at least 999."""

_SCHEMA: Final = """
    CREATE TABLE documents (
        id TEXT PRIMARY KEY, source TEXT NOT NULL, path TEXT NOT NULL, uri TEXT NOT NULL, title TEXT, content_hash TEXT NOT NULL,
        own_labels TEXT, labels TEXT NOT NULL, recipe TEXT NOT NULL, first_line INTEGER, units INTEGER NOT NULL,
        tokens INTEGER NOT NULL, UNIQUE (source, path)
    ) WITHOUT ROWID;
    CREATE TABLE chunks (
        id TEXT PRIMARY KEY, document_id TEXT NOT NULL, ordinal INTEGER NOT NULL, embedding_hash TEXT NOT NULL,
        payload_hash TEXT NOT NULL, tokens INTEGER NOT NULL, terms TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX chunks_of_document ON chunks (document_id, ordinal);
    CREATE TABLE skipped (
        source TEXT NOT NULL, path TEXT NOT NULL, reason TEXT NOT NULL, content_hash TEXT, recipe TEXT NOT NULL,
        PRIMARY KEY (source, path)
    ) WITHOUT ROWID;
    CREATE TABLE terms (term TEXT PRIMARY KEY, document_frequency INTEGER NOT NULL) WITHOUT ROWID;
"""
_ALIASES_SCHEMA: Final = """
    CREATE TABLE aliases (
        document_id TEXT NOT NULL, acronym_key TEXT NOT NULL, phrase_key TEXT NOT NULL, acronym TEXT NOT NULL,
        phrase TEXT NOT NULL,
        PRIMARY KEY (document_id, acronym_key, phrase_key)
    ) WITHOUT ROWID;
    CREATE INDEX aliases_by_acronym ON aliases (acronym_key);
    CREATE INDEX aliases_by_phrase ON aliases (phrase_key);
"""
_ALIASES_BY: Final = """
    SELECT acronym_key, phrase_key, MIN(acronym), MIN(phrase), labels, COUNT(*)
    FROM aliases JOIN documents ON documents.id = document_id WHERE {} IN ({}) GROUP BY acronym_key, phrase_key, labels
"""


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """A document as the catalog knows it.

    `title` is the page's own or `None`. `own_labels` are those of its front matter, `labels` those that hold. `recipe` names what
    made the chunks besides the bytes: the versions of parser, chunker and tokenizer. `tokens` counts what is embedded.
    """

    id: str
    source: str
    path: str
    uri: str
    title: str | None
    content_hash: str
    own_labels: tuple[AccessLabel, ...] | None
    labels: tuple[AccessLabel, ...]
    recipe: str
    first_line: int | None
    units: int
    tokens: int


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk as the catalog knows it. `payload_hash` covers everything that the index stores about it besides the vector."""

    id: str
    document_id: str
    ordinal: int
    embedding_hash: str
    payload_hash: str
    tokens: int


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A file that gave no document, and why. `content_hash` is `None` where its bytes were not read."""

    source: str
    path: str
    reason: str
    content_hash: str | None
    recipe: str


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """What a generation holds of one source."""

    source: str
    documents: int
    chunks: int
    units: int
    tokens: int
    skipped: int
    labels: frozenset[AccessLabel]


class Catalog:
    """Reads the catalog of one committed generation. Safe for several threads. It is a `retrieval.lexicon.Lexicon`."""

    def __init__(self, directory: Path) -> None:
        """Open the catalog in a generation's directory.

        Raises:
            IndexForeignError: There is none, or one that this version does not understand.
        """
        self._file = directory / CATALOG_FILE
        self._lock = threading.Lock()
        # Immutable: SQLite takes no locks and looks for no journal, so a read-only disk will do.
        with catalog_errors(self._file):
            self._connection = sqlite3.connect(f"{self._file.absolute().as_uri()}?immutable=1", uri=True, check_same_thread=False)
        try:
            self._format = _check_format(self._connection, self._file)
            self._chunk_count = int(self._rows("SELECT COUNT(*) FROM chunks")[0][0])
        except BaseException:
            self._connection.close()
            raise

    @property
    def chunk_count(self) -> int:
        """The number of chunks in the generation."""
        return self._chunk_count

    def document_frequencies(self, terms: Iterable[str]) -> Mapping[str, int]:
        """In how many chunks each term (as made by `indexing.language.Language.terms`) stands; unknown terms are absent.

        A term behind `indexing.aliases.capitals_key` counts the chunks in which it stands in capitals only.
        """
        return dict(self._rows_in("SELECT term, document_frequency FROM terms WHERE term IN ({})", sorted(set(terms))))

    def aliases(self, names: Iterable[str], labels: AbstractSet[AccessLabel]) -> Sequence[Alias]:
        """The aliases one of whose names is among `names` (as `indexing.aliases.name_key` makes them).

        Args:
            names: What is looked up.
            labels: Only documents with one of these define anything.

        Returns:
            Each alias once, as its first definition writes it; those that most documents define first, ties in the order of keys.
        """
        if self._format < _FIRST_WITH_ALIASES or not labels:
            return []
        wanted = sorted(set(names))
        queries = [_ALIASES_BY.format(column, "{}") for column in ("acronym_key", "phrase_key")]
        rows = {row for query in queries for row in self._rows_in(query, wanted)}
        pages: Counter[tuple[str, str]] = Counter()
        written: dict[tuple[str, str], Alias] = {}
        for acronym_key, phrase_key, acronym, phrase, held, count in rows:
            if labels.isdisjoint(json.loads(held)):
                continue
            key, alias = (acronym_key, phrase_key), Alias(acronym, phrase)
            pages[key] += count
            written[key] = min(written.get(key, alias), alias)
        return [written[key] for key in sorted(pages, key=lambda key: (-pages[key], key))]

    def documents(self, source: str) -> dict[str, DocumentRow]:
        """The documents of a source by path, in the order of paths."""
        rows = self._rows("SELECT * FROM documents WHERE source = ? ORDER BY path", source)
        return {row.path: row for row in map(_document, rows)}

    def skipped(self, source: str) -> dict[str, SkippedRow]:
        """The skipped files of a source by path, in the order of paths."""
        rows = self._rows("SELECT * FROM skipped WHERE source = ? ORDER BY path", source)
        return {row.path: row for row in (SkippedRow(*row) for row in rows)}

    def chunks(self, document_ids: Iterable[str]) -> dict[str, list[ChunkRow]]:
        """The chunks of documents by document id, in reading order; documents without chunks are absent."""
        query = (
            "SELECT id, document_id, ordinal, embedding_hash, payload_hash, tokens FROM chunks "
            "WHERE document_id IN ({}) ORDER BY document_id, ordinal"
        )
        found: defaultdict[str, list[ChunkRow]] = defaultdict(list)
        for row in self._rows_in(query, sorted(set(document_ids))):
            chunk = ChunkRow(*row)
            found[chunk.document_id].append(chunk)
        return dict(found)

    def labels(self) -> frozenset[AccessLabel]:
        """Every access label that some document carries."""
        return _union(row[0] for row in self._rows("SELECT DISTINCT labels FROM documents"))

    def sources(self) -> tuple[SourceSummary, ...]:
        """What is held of each source, in the order of names. A source of which nothing but skipped files came counts too."""
        names = self._rows("SELECT source FROM documents UNION SELECT source FROM skipped ORDER BY 1")
        return tuple(self._summary(name) for (name,) in names)

    def close(self) -> None:
        """Close the file. Nothing may be called afterwards."""
        with self._lock:
            self._connection.close()

    def _summary(self, source: str) -> SourceSummary:
        documents, units, tokens = self._rows(
            "SELECT COUNT(*), COALESCE(SUM(units), 0), COALESCE(SUM(tokens), 0) FROM documents WHERE source = ?", source
        )[0]
        ((chunks,),) = self._rows(
            "SELECT COUNT(*) FROM chunks JOIN documents ON documents.id = chunks.document_id WHERE source = ?", source
        )
        ((skipped,),) = self._rows("SELECT COUNT(*) FROM skipped WHERE source = ?", source)
        labels = _union(row[0] for row in self._rows("SELECT DISTINCT labels FROM documents WHERE source = ?", source))
        return SourceSummary(source, documents, chunks, units, tokens, skipped, labels)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock, catalog_errors(self._file):
            return self._connection.execute(query, values).fetchall()

    def _rows_in(self, query: str, values: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(values), _VARIABLES):
            some = values[start : start + _VARIABLES]
            yield from self._rows(query.format(",".join("?" * len(some))), *some)


class CatalogWriter:
    """Writes the catalog of a generation that nobody reads yet. One thread at a time.

    Nothing is durable before `commit`, and no journal is kept: an unfinished generation is thrown away whole.
    """

    def __init__(self, directory: Path, base_directory: Path | None, language: Language) -> None:
        """Begin an empty catalog, or one that holds what the base's holds. `language` is that of its documents.

        Raises:
            IndexForeignError: The base has no catalog that this version understands.
            ChunkIndexError: The disk is full, or cannot be written.
        """
        self._language = language
        self._file = directory / CATALOG_FILE
        self._change: Counter[str] = Counter()
        with catalog_errors(self._file):
            if base_directory is not None:
                shutil.copyfile(base_directory / CATALOG_FILE, self._file)
            self._file.touch(mode=0o600)
            self._connection = sqlite3.connect(self._file, isolation_level=None)
        try:
            with catalog_errors(self._file):
                self._connection.execute("PRAGMA journal_mode = OFF")
                self._connection.execute("PRAGMA synchronous = OFF")
                if base_directory is None:
                    self._connection.executescript(f"{_SCHEMA}; {_ALIASES_SCHEMA}; PRAGMA user_version = {_FORMAT}")
            if _check_format(self._connection, self._file) < _FIRST_WITH_ALIASES:
                with catalog_errors(self._file):
                    self._connection.executescript(f"{_ALIASES_SCHEMA}; PRAGMA user_version = {_FORMAT}")
            with catalog_errors(self._file):
                self._connection.execute("BEGIN")
        except BaseException:
            self._connection.close()
            raise

    def put_document(self, row: DocumentRow, chunks: Sequence[tuple[ChunkRow, Chunk]]) -> None:
        """Add a document with its chunks, or replace it. Raises `ChunkIndexError`."""
        self.remove_document(row.id)
        values = (
            row.id,
            row.source,
            row.path,
            row.uri,
            row.title,
            row.content_hash,
            _packed(row.own_labels),
            _packed(row.labels),
        )
        with catalog_errors(self._file):
            self._connection.execute(
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, row.recipe, row.first_line, row.units, row.tokens),
            )
            for known, chunk in chunks:
                own = sorted(
                    {
                        *self._language.terms(chunk.words_text),
                        *map(capitals_key, terms_in_capitals(chunk.embedding_text, self._language)),
                    }
                )
                self._change.update(own)
                self._connection.execute(
                    "INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        known.id,
                        known.document_id,
                        known.ordinal,
                        known.embedding_hash,
                        known.payload_hash,
                        known.tokens,
                        " ".join(own),
                    ),
                )
            found = aliases_of((chunk for _, chunk in chunks), self._language)
            self._connection.executemany(
                "INSERT INTO aliases VALUES (?, ?, ?, ?, ?)",
                [(row.id, *alias.keys(self._language), alias.acronym, alias.phrase) for alias in found],
            )

    def remove_document(self, document_id: str) -> None:
        """Remove a document and its chunks; one that is not there is no error. Raises `ChunkIndexError`."""
        with catalog_errors(self._file):
            for (own,) in self._connection.execute("SELECT terms FROM chunks WHERE document_id = ?", (document_id,)):
                self._change.subtract(own.split())
            self._connection.execute("DELETE FROM chunks WHERE document_id = ?", (document_id,))
            self._connection.execute("DELETE FROM aliases WHERE document_id = ?", (document_id,))
            self._connection.execute("DELETE FROM documents WHERE id = ?", (document_id,))

    def replace_skipped(self, source: str, rows: Iterable[SkippedRow]) -> None:
        """Say which files of a source are skipped now. Raises `ChunkIndexError`."""
        with catalog_errors(self._file):
            self._connection.execute("DELETE FROM skipped WHERE source = ?", (source,))
            self._connection.executemany(
                "INSERT INTO skipped VALUES (?, ?, ?, ?, ?)",
                [(row.source, row.path, row.reason, row.content_hash, row.recipe) for row in rows],
            )

    def commit(self) -> None:
        """Bring the term frequencies up to date, write everything to the disk, and close. Raises `ChunkIndexError`."""
        with catalog_errors(self._file):
            self._connection.executemany(
                "INSERT INTO terms VALUES (?, ?) ON CONFLICT (term) "
                "DO UPDATE SET document_frequency = document_frequency + excluded.document_frequency",
                [(term, count) for term, count in self._change.items() if count],
            )
            self._connection.execute("DELETE FROM terms WHERE document_frequency = 0")
            self._connection.execute("COMMIT")
            self.close()
            sync_path(self._file)

    def close(self) -> None:
        """Close the file, as it is."""
        self._connection.close()


@contextmanager
def catalog_errors(file: Path) -> Iterator[None]:
    """Map what SQLite and the file system raise inside the block.

    Raises:
        IndexForeignError: The file is missing, or no SQLite database of ours.
        ChunkIndexError: It cannot be read or written; the disk may be full.
    """
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _foreign(file, "is missing") from error
    except sqlite3.OperationalError as error:
        if "unable to open" in str(error):
            raise _foreign(file, "is missing") from error
        if "no such" in str(error):
            raise _foreign(file, f"is not Farthing's ({error})") from error
        raise ChunkIndexError(
            f"The catalog {file} cannot be read or written ({error}). Check the disk, its free space and its permissions."
        ) from error
    except sqlite3.DatabaseError as error:
        raise _foreign(file, f"is damaged ({error})") from error


def _foreign(file: Path, what: str) -> IndexForeignError:
    return IndexForeignError(
        f"The catalog {file} {what}. Remove the folder {file.parent.parent} and run `farthing index PATH` to make a new index."
    )


def _check_format(connection: sqlite3.Connection, file: Path) -> int:
    """The format of a catalog, if it is one of those that can be read."""
    with catalog_errors(file):
        ((found,),) = connection.execute("PRAGMA user_version").fetchall()
    if found > _FORMAT:
        raise IndexForeignError(f"The catalog {file} was written by a newer Farthing (format {found}). Upgrade Farthing.")
    if found < 1:
        raise _foreign(file, "is not Farthing's")
    return int(found)


def _document(row: tuple[Any, ...]) -> DocumentRow:
    (identity, source, path, uri, title, content_hash, own_labels, labels, recipe, first_line, units, tokens) = row
    own = None if own_labels is None else tuple(json.loads(own_labels))
    held = tuple(json.loads(labels))
    return DocumentRow(identity, source, path, uri, title, content_hash, own, held, recipe, first_line, units, tokens)


def _packed(labels: tuple[AccessLabel, ...] | None) -> str | None:
    return None if labels is None else json.dumps(labels)


def _union(packed: Iterable[str]) -> frozenset[AccessLabel]:
    return frozenset(label for labels in packed for label in json.loads(labels))
