"""What a sync has to do: which documents are new, changed, moved, unchanged, removed or skipped, and which chunks differ."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain
from typing import Final, Protocol

from indexing.aliases import ALIASES_VERSION
from indexing.catalog import Catalog, ChunkRow, DocumentRow, SkippedRow
from indexing.chunking import CHUNKER_VERSION, chunk_document
from indexing.documents import DEFAULT_TENANT, Chunk, Document, RawDocument, document_id, effective_labels
from indexing.embedding import Embedder, EmbeddingCache
from indexing.errors import IndexMismatchError, IndexMissingError
from indexing.generations import Generations, IndexManifest
from indexing.index import ChunkIndexStore, encode_chunk
from indexing.language import Language
from indexing.parsing import DocumentParser, ParsedDocument
from indexing.sources import DocumentSource, Skipped
from indexing.tokens import TokenCounter

_LOOKED_UP_AT_ONCE: Final = 1000


class Progress(Protocol):
    """Is told how far a sync is."""

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Say how much of a phase is done.

        The phases are `read` (documents; `total` is `None`, because sources do not know), `embed` (chunks) and `write` (steps).
        """


class NoProgress:
    """Tells nobody."""

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class SyncTools:
    """What a sync works with. `engine` names the kind of index that `store` makes, such as `edge`."""

    generations: Generations
    store: ChunkIndexStore
    engine: str
    parser: DocumentParser
    counter: TokenCounter
    embedder: Embedder
    cache: EmbeddingCache
    language: Language
    tenant: str = DEFAULT_TENANT

    @property
    def recipe(self) -> str:
        """What decides a document's chunks and aliases besides its bytes."""
        versions = f"parser {self.parser.version}, chunker {CHUNKER_VERSION}, aliases {ALIASES_VERSION}"
        return f"{versions}, {self.counter.name}, {self.language.code}"


@dataclass(frozen=True, slots=True)
class PlannedDocument:
    """A new, changed or moved document, parsed and cut. `chunks` and `chunk_rows` go together."""

    row: DocumentRow
    chunks: tuple[Chunk, ...]
    chunk_rows: tuple[ChunkRow, ...]


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """The documents of the sources that were read; `removed` are those that left the index, for whatever reason.

    `moved` counts pages whose bytes are now found at another path of their source while the old path is gone.
    """

    new: int
    changed: int
    moved: int
    unchanged: int
    removed: int


@dataclass(frozen=True, slots=True)
class SyncPlan:
    """What a sync would do to the generation `base`.

    `from_empty` says that there is no base, or that nothing of it can be used because engine or embedding model differ. `upserts`
    are the chunks that are new or whose payload differs, `deletes` the ids of those that go. `embeddings` counts the distinct
    texts among the upserts whose vectors are not in the cache, `embedding_tokens` their tokens. `total_chunks` will be in the
    index afterwards.
    """

    base: IndexManifest | None
    from_empty: bool
    sources: tuple[str, ...]
    documents: tuple[PlannedDocument, ...]
    removed: tuple[str, ...]
    skipped: tuple[SkippedRow, ...]
    counts: DocumentCounts
    upserts: tuple[Chunk, ...]
    deletes: tuple[str, ...]
    embeddings: int
    embedding_tokens: int
    total_chunks: int
    has_changes: bool

    @property
    def estimated_s(self) -> float | None:
        """How long the embedding will take at the rate last measured here; `None` while nothing has been measured."""
        if not self.embeddings:
            return 0.0
        rate = self.base.embedded_chunks_per_s if self.base else None
        return None if rate is None else self.embeddings / rate


def tokens_by_hash(documents: Iterable[PlannedDocument]) -> dict[str, int]:
    """The tokens of each text that is embedded, by its hash."""
    return {row.embedding_hash: row.tokens for document in documents for row in document.chunk_rows}


def plan(sources: Sequence[DocumentSource], tools: SyncTools, progress: Progress) -> SyncPlan:
    """Read the sources and compare them with the index that serves. Parses and cuts what is new or changed; writes nothing.

    Sources that are not named stay as they are. With another parser, chunker or tokenizer than the documents were made with, they
    count as changed.

    Raises:
        SourceError: A source cannot be read as a whole.
        IndexForeignError: The index that serves cannot be understood.
        IndexMismatchError: Engine or embedding model differ, and not every source that is indexed is named.
    """
    base = current_manifest(tools.generations)
    if base is None:
        return _compare(sources, None, None, tools, progress)
    with closing(Catalog(tools.generations.directory(base.generation))) as catalog:
        return _compare(sources, base, catalog, tools, progress)


def current_manifest(generations: Generations) -> IndexManifest | None:
    """The manifest of the generation that serves, `None` before the first. Raises `IndexForeignError`."""
    try:
        return generations.current()
    except IndexMissingError:
        return None


@dataclass(slots=True)
class _Reading:
    """What one source delivered, beside what the base knows of it."""

    source: str
    recipe: str
    known: Mapping[str, DocumentRow]
    known_bad: Mapping[str, SkippedRow]
    usable: bool
    delivered: set[str] = field(default_factory=set)
    unchanged: set[str] = field(default_factory=set)
    planned: dict[str, PlannedDocument] = field(default_factory=dict)
    skipped: dict[str, SkippedRow] = field(default_factory=dict)

    def skip(self, path: str, reason: str, content_hash: str | None) -> None:
        self.skipped[path] = SkippedRow(self.source, path, reason, content_hash, self.recipe)

    def takes_over(self, raw: RawDocument) -> bool:
        """Whether the document, or the reason to skip it, can be taken over from the base as it is."""
        if not self.usable:
            return False
        content_hash = raw.content_hash
        bad = self.known_bad.get(raw.path)
        if bad is not None and (bad.content_hash, bad.recipe) == (content_hash, self.recipe):
            self.skipped[raw.path] = bad
            return True
        row = self.known.get(raw.path)
        if row is None or (row.content_hash, row.recipe, row.uri) != (content_hash, self.recipe, raw.uri):
            return False
        if row.labels != effective_labels(row.own_labels, raw.labels):
            return False
        self.unchanged.add(raw.path)
        return True

    def gone(self) -> list[DocumentRow]:
        """The known documents that are not in the index any more after this sync."""
        return [row for path, row in self.known.items() if path not in self.unchanged and path not in self.planned]

    def counts(self) -> DocumentCounts:
        fresh = [document.row for path, document in self.planned.items() if path not in self.known]
        gone = self.gone()
        moved = (Counter(map(_content, fresh)) & Counter(map(_content, gone))).total()
        return DocumentCounts(
            new=len(fresh) - moved,
            changed=len(self.planned) - len(fresh),
            moved=moved,
            unchanged=len(self.unchanged),
            removed=len(gone) - moved,
        )


def _compare(
    sources: Sequence[DocumentSource], base: IndexManifest | None, catalog: Catalog | None, tools: SyncTools, progress: Progress
) -> SyncPlan:
    from_empty = base is None or not _usable(base, tools)
    names = tuple(source.name for source in sources)
    if base is not None and catalog is not None and from_empty:
        _require_all_sources(base, catalog, names, tools)
    readings: list[_Reading] = []
    for source in sources:
        readings.append(_read(source, catalog, tools, progress, usable=not from_empty, before=_seen(readings)))
    documents = tuple(document for reading in readings for document in reading.planned.values())
    gone = [row.id for reading in readings for row in reading.gone()]
    old_rows = catalog.chunks([*gone, *(d.row.id for d in documents)]) if catalog is not None and not from_empty else {}
    upserts, deletes = _differences(documents, gone, old_rows)
    new_ids = {chunk.id for chunk in upserts} - {row.id for rows in old_rows.values() for row in rows}
    before = catalog.chunk_count if catalog is not None and not from_empty else 0
    unknown = _unknown(upserts, tools.cache)
    tokens = tokens_by_hash(documents)
    skipped_differ = any(reading.skipped != reading.known_bad for reading in readings)
    return SyncPlan(
        base=base,
        from_empty=from_empty,
        sources=names,
        documents=documents,
        removed=tuple(gone),
        skipped=tuple(row for reading in readings for row in reading.skipped.values()),
        counts=_summed(reading.counts() for reading in readings),
        upserts=tuple(upserts),
        deletes=tuple(deletes),
        embeddings=len(unknown),
        embedding_tokens=sum(tokens[embedding_hash] for embedding_hash in unknown),
        total_chunks=before + len(new_ids) - len(deletes),
        has_changes=from_empty or bool(documents or gone) or skipped_differ,
    )


def _usable(base: IndexManifest, tools: SyncTools) -> bool:
    """Whether the base's vectors may stand beside new ones. The arithmetic may differ: the cosine between both is .9999."""
    old, new = base.embedder, tools.embedder.spec
    if (base.engine, base.language) != (tools.engine, tools.language.code):
        return False
    return (old.model, old.revision, old.dimension) == (new.model, new.revision, new.dimension)


def _require_all_sources(base: IndexManifest, catalog: Catalog, names: Sequence[str], tools: SyncTools) -> None:
    left = sorted({summary.source for summary in catalog.sources()} - set(names))
    if left:
        spec = tools.embedder.spec
        raise IndexMismatchError(
            f"The index {base.generation} was made with {base.embedder.model}@{base.embedder.revision} ({base.engine}), and the "
            f"settings name {spec.model}@{spec.revision} ({tools.engine}): everything has to be indexed again, but this run "
            f"leaves out {', '.join(left)}. Set the model back, or remove {tools.generations.home / 'current'} and index every "
            "source again."
        )


def _read(
    source: DocumentSource, catalog: Catalog | None, tools: SyncTools, progress: Progress, *, usable: bool, before: int
) -> _Reading:
    """Read one source; parse and cut what cannot be taken over. The parser is not even asked when there is nothing for it."""
    reading = _Reading(
        source=source.name,
        recipe=tools.recipe,
        known=catalog.documents(source.name) if catalog else {},
        known_bad=catalog.skipped(source.name) if catalog else {},
        usable=usable,
    )
    pending = _pending(source, reading, progress, before)
    first = next(pending, None)
    if first is None:
        return reading
    for raw, parsed in tools.parser.parse(chain([first], pending)):
        if isinstance(parsed, Skipped):
            reading.skip(raw.path, parsed.reason, raw.content_hash)
        else:
            reading.planned[raw.path] = _cut(raw, parsed, reading.recipe, tools)
    return reading


def _pending(source: DocumentSource, reading: _Reading, progress: Progress, before: int) -> Iterator[RawDocument]:
    for item in source.documents():
        if isinstance(item, Skipped):
            reading.skip(item.path, item.reason, None)
        elif item.path in reading.delivered:
            reading.skip(item.path, "the source delivered this path twice; the first one was taken", None)
        else:
            reading.delivered.add(item.path)
            progress.update("read", before + len(reading.delivered), None)
            if not reading.takes_over(item):
                yield item


def _cut(raw: RawDocument, parsed: ParsedDocument, recipe: str, tools: SyncTools) -> PlannedDocument:
    document = Document(
        id=document_id(tools.tenant, raw.source, raw.path),
        tenant=tools.tenant,
        source=raw.source,
        path=raw.path,
        uri=raw.uri,
        title=parsed.title,
        markdown=parsed.markdown,
        first_line=parsed.first_line,
        labels=effective_labels(parsed.labels, raw.labels),
        content_hash=raw.content_hash,
        keywords=parsed.keywords,
    )
    chunks = chunk_document(document, tools.counter, tools.language)
    tokens = tools.counter.count_many([chunk.embedding_text for chunk in chunks])
    rows = tuple(
        ChunkRow(chunk.id, document.id, chunk.ordinal, chunk.embedding_hash, payload_hash(chunk), count)
        for chunk, count in zip(chunks, tokens, strict=True)
    )
    row = DocumentRow(
        id=document.id,
        source=raw.source,
        path=raw.path,
        uri=raw.uri,
        title=parsed.title,
        content_hash=document.content_hash,
        own_labels=parsed.labels,
        labels=document.labels,
        recipe=recipe,
        first_line=parsed.first_line,
        units=sum(len(chunk.units) for chunk in chunks),
        tokens=sum(tokens),
    )
    return PlannedDocument(row, tuple(chunks), rows)


def payload_hash(chunk: Chunk) -> str:
    """SHA-256 of all that the index stores about a chunk besides its vector, in hex."""
    return sha256(json.dumps(encode_chunk(chunk), sort_keys=True).encode()).hexdigest()


def _differences(
    documents: Iterable[PlannedDocument], gone: Iterable[str], old_rows: Mapping[str, Sequence[ChunkRow]]
) -> tuple[list[Chunk], list[str]]:
    upserts: list[Chunk] = []
    deletes = [row.id for identity in gone for row in old_rows.get(identity, ())]
    for document in documents:
        old = {row.id: row for row in old_rows.get(document.row.id, ())}
        pairs = zip(document.chunks, document.chunk_rows, strict=True)
        upserts += [chunk for chunk, row in pairs if old.pop(row.id, None) != row]
        deletes += old
    return upserts, deletes


def _unknown(chunks: Sequence[Chunk], cache: EmbeddingCache) -> list[str]:
    """The distinct hashes whose vectors are not in the cache, in order."""
    hashes = list(dict.fromkeys(chunk.embedding_hash for chunk in chunks))
    unknown: list[str] = []
    for start in range(0, len(hashes), _LOOKED_UP_AT_ONCE):
        some = hashes[start : start + _LOOKED_UP_AT_ONCE]
        known = cache.get_many(some)
        unknown += [embedding_hash for embedding_hash in some if embedding_hash not in known]
    return unknown


def _seen(readings: Iterable[_Reading]) -> int:
    return sum(len(reading.delivered) for reading in readings)


def _content(row: DocumentRow) -> tuple[str, str]:
    """What makes two pages the same page: their bytes, and the suffix that chooses their parser."""
    return row.content_hash, row.path.rsplit("/", 1)[-1].rpartition(".")[2].lower()


def _summed(counts: Iterable[DocumentCounts]) -> DocumentCounts:
    every = list(counts)
    return DocumentCounts(
        new=sum(count.new for count in every),
        changed=sum(count.changed for count in every),
        moved=sum(count.moved for count in every),
        unchanged=sum(count.unchanged for count in every),
        removed=sum(count.removed for count in every),
    )
