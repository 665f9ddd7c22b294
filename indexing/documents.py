"""Documents, the chunks they are cut into, the units that chunks are made of, and who may read them."""

import hashlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from indexing.errors import LabelError

AccessLabel: TypeAlias = str
"""A right that reading a document needs, such as `everyone`, `hr` or `team:payroll`."""

EVERYONE: Final[AccessLabel] = "everyone"
"""The label of a document for which nobody named another."""

DEFAULT_TENANT: Final = "default"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@/-]{0,99}")


def parse_labels(names: Iterable[object]) -> tuple[AccessLabel, ...]:
    """Check access labels and put them in order.

    Returns:
        The labels without repetition, sorted. Empty when `names` is empty; what that means is the caller's affair.

    Raises:
        LabelError: A name is not a string of 1 to 100 letters, digits and `._:@/-` that begins with a letter or digit.
    """
    labels = set()
    for name in names:
        if not isinstance(name, str) or not _LABEL.fullmatch(name):
            raise LabelError(
                f"{name!r} is not an access label. A label has 1 to 100 letters, digits and . _ : @ / - "
                "and begins with a letter or a digit."
            )
        labels.add(name)
    return tuple(sorted(labels))


def effective_labels(front_matter: tuple[AccessLabel, ...] | None, source: tuple[AccessLabel, ...]) -> tuple[AccessLabel, ...]:
    """Who may read a document, from what its front matter says and what its folder or the command says.

    The page decides, but it cannot lift a restriction: its `everyone` counts for nothing where the source names other labels
    and not `everyone`. With no label from anybody it is `everyone`.

    Args:
        front_matter: The page's own labels, `None` or empty when it names none.
        source: The labels of the nearest folder that names some, else those of the command; empty when nobody named any.
    """
    own = front_matter or ()
    if source and EVERYONE not in source:
        own = tuple(label for label in own if label != EVERYONE)
    return own or source or (EVERYONE,)


@dataclass(frozen=True, slots=True)
class AccessScope:
    """What a caller may see: one tenant's documents that carry at least one of these labels.

    An empty set of labels sees nothing.
    """

    tenant: str
    labels: frozenset[AccessLabel]


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A document as its source has it, before parsing.

    `path` is its identity inside the source, with forward slashes; `name` decides by its suffix which parser reads it.
    `uri` is where a person finds it: a link, or the path as given on the command line.
    `labels` are those of the folder or of the command; the document's own front matter may replace them.
    A source that delivers text rather than files (a LlamaIndex reader) gives it as UTF-8 with a `path` ending in `.md`.
    """

    source: str
    path: str
    uri: str
    content: bytes
    labels: tuple[AccessLabel, ...]

    @property
    def content_hash(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Document:
    """One page of a source, as Markdown.

    `first_line` is the line of the source file on which `markdown` begins (from 1), or `None` when the Markdown was
    converted from another format, so that its lines say nothing about the file.
    `title` is the page's own (front matter, first H1, document properties); `None` when it has none. It is never made from the
    path, so that a renamed page embeds nothing; surfaces show `shown_title`.
    `keywords` come from front matter (keywords, aliases, tags, description): searched by words, never shown.
    """

    id: str
    tenant: str
    source: str
    path: str
    uri: str
    title: str | None
    markdown: str
    first_line: int | None
    labels: tuple[AccessLabel, ...]
    content_hash: str
    keywords: str = ""

    @property
    def shown_title(self) -> str:
        """The title, or what the file's name suggests."""
        return self.title or title_from_path(self.path)


def document_id(tenant: str, source: str, path: str) -> str:
    """The identity of a document: its place, not its content. A UUID-shaped hash."""
    return _hash_id("document", tenant, source, path)


def title_from_path(path: str) -> str:
    """A readable name for a page that has no title: `travel/per-diem.md` -> `Per diem`."""
    parts = path.rsplit("/", 2)
    stem = parts[-1].rsplit(".", 1)[0]
    if stem.lower() in {"index", "_index", "readme"} and len(parts) > 1:
        stem = parts[-2]
    words = re.sub(r"[-_\s]+", " ", stem).strip()
    return words[:1].upper() + words[1:] if words else path


class UnitKind(StrEnum):
    """The form of a unit. Tables and code blocks are atomic: they are sent whole or not at all."""

    SENTENCE = "sentence"
    ITEM = "item"
    TABLE = "table"
    CODE = "code"


PREFACE: Final = -1
"""The `lead_in` of a unit whose introduction lies in an earlier chunk: `Chunk.preface` repeats it."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest piece that is cited or sent: a sentence, list item, table block or code block.

    `start` and `end` are character offsets in the text of its chunk. `lines` are the first and last line in the source file,
    from 1, or `None` when the file is not text. `lead_in` is the position, in the chunk, of the unit without which this one
    cannot be read: the sentence that introduces its list, the item it is nested under, the head of its table. It is `PREFACE`
    when that unit lies in an earlier chunk, and `None` when there is none.
    """

    start: int
    end: int
    kind: UnitKind
    lines: tuple[int, int] | None
    lead_in: int | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of units of one section of one document, as indexed.

    It carries what a citation shows, so that the index alone answers. `ordinal` counts the chunks of the document from 0 in
    reading order. `heading_path` has the headings above it, outermost first, without the title. `first_unit` is the ordinal
    in the document of its first unit. `preface` repeats the lead-in of a list, or the head of a table, that was begun in the
    chunk before. `embedding_text` is what the model embeds (without the path), `words_text` what BM25 reads (with it).
    """

    id: str
    tenant: str
    document_id: str
    document_path: str
    uri: str
    title: str
    heading_path: tuple[str, ...]
    ordinal: int
    first_unit: int
    text: str
    units: tuple[Unit, ...]
    labels: tuple[AccessLabel, ...]
    embedding_text: str
    words_text: str
    preface: str = ""
    _unit_ids: dict[int, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def unit_text(self, position: int) -> str:
        """The text of one unit, verbatim."""
        unit = self.units[position]
        return self.text[unit.start : unit.end]

    def unit_id(self, position: int) -> str:
        """The identity of a unit: its chunk, its text and its place among equal texts of the chunk."""
        known = self._unit_ids.get(position)
        if known is None:
            text = self.unit_text(position)
            earlier = sum(self.unit_text(other) == text for other in range(position))
            known = self._unit_ids[position] = _hash_id("unit", self.id, text, str(earlier))
        return known

    @property
    def embedding_hash(self) -> str:
        """SHA-256 of the text that is embedded: the vector cache's key, with the model's revision."""
        return hashlib.sha256(self.embedding_text.encode()).hexdigest()


def chunk_id(document: str, heading_path: tuple[str, ...], text: str, occurrence: int) -> str:
    """The identity of a chunk: document, headings, text, and place among equal chunks. A UUID, as Qdrant wants it."""
    return _hash_id("chunk", document, "\x1f".join(heading_path), text, str(occurrence))


def _hash_id(*parts: str) -> str:
    digest = hashlib.sha256("\x1e".join(parts).encode()).digest()
    return str(uuid.UUID(bytes=digest[:16]))
