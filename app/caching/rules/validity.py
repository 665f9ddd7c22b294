"""Whether a cached answer still holds: what it cites has kept its words and readers, and nothing new answers better."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

from app.caching.entries import CachedAnswer, CitedDocument
from indexing.documents import Chunk
from retrieval.passages import Passage
from retrieval.selection import NARROW

REMEMBERED_PASSAGES: Final = 32
"""How many of the passages found for a question an entry remembers."""

_READ: Final = NARROW
"""An abstention is over when one of so many best passages is new: most answers read no more. One that outlives its reason is no
wrong answer, and it is kept for minutes only. Fewer than are remembered, since some move up as others go.
"""

_ID_DIGITS: Final = 12


def digest_documents(documents: Mapping[str, Sequence[Chunk]]) -> tuple[CitedDocument, ...]:
    """What pages say and who may read them, as digests, in the order of their ids.

    A chunk's id is a hash of its words and place, so the ids of all chunks stand for the words of the page. What says the same
    in another layout has the same digest.
    """
    return tuple(CitedDocument(document, _digest(chunks)) for document, chunks in sorted(documents.items()))


def remember_passages(passages: Sequence[Passage]) -> tuple[str, ...]:
    """The chunks that were found, best first, shortened to what tells them apart."""
    return tuple(_short(passage.chunk.id) for passage in passages[:REMEMBERED_PASSAGES])


def why_changed(entry: CachedAnswer, documents: Mapping[str, Sequence[Chunk]]) -> str | None:
    """Why the pages that an answer cites are not what they were, in words; `None` when they are.

    Args:
        entry: The cached answer.
        documents: The pages that it cites, as they are now and as far as its reader may read them.
    """
    if digest_documents(documents) == entry.documents:
        return None
    gone = {document.id for document in entry.documents} - documents.keys()
    return "a cited page is gone, or may not be read any more" if gone else "a cited page has changed"


def why_overtaken(entry: CachedAnswer, passages: Sequence[Passage]) -> str | None:
    """Why an answer might be another one by now, though what it cites has not changed, in words; `None` when it would not.

    Args:
        entry: The cached answer.
        passages: What is found for its question now, in its reader's rights, best first.
    """
    cited = {unit.id for unit in entry.units}
    ranks = [passage.rank for passage in passages if not cited.isdisjoint(_unit_ids(passage.chunk))]
    if not ranks:
        return "what it cites is not found for the question any more"
    known = set(entry.passages)
    above = passages[: min(max(ranks), REMEMBERED_PASSAGES)]
    if any(_short(passage.chunk.id) not in known for passage in above):
        return "a passage that was not there before answers the question as well"
    return None


def why_hidden(entry: CachedAnswer, passages: Sequence[Passage]) -> str | None:
    """Why an answer that was made for other rights is not this reader's, in words; `None` when it is.

    It is his when he finds everything that was found as high as what it cites; `why_overtaken` says that he finds nothing more.

    Args:
        entry: The cached answer.
        passages: What is found for its question in this reader's rights, best first.
    """
    cited = {unit.id for unit in entry.units}
    found = {_short(passage.chunk.id): not cited.isdisjoint(_unit_ids(passage.chunk)) for passage in passages}
    lowest = max((at for at, known in enumerate(entry.passages) if found.get(known)), default=len(entry.passages) - 1)
    if all(known in found for known in entry.passages[: lowest + 1]):
        return None
    return "it was made with passages that this reader does not find"


def why_found_otherwise(entry: CachedAnswer, passages: Sequence[Passage]) -> str | None:
    """Why there may be an answer by now where there was none, in words; `None` while nothing new is among the best passages.

    Args:
        entry: The abstention.
        passages: What is found for its question now, in its reader's rights, best first.
    """
    known = set(entry.passages)
    if all(_short(passage.chunk.id) in known for passage in passages[:_READ]):
        return None
    return "other passages are found for the question now"


def _digest(chunks: Sequence[Chunk]) -> str:
    parts = [f"{chunk.id} {' '.join(sorted(chunk.labels))}" for chunk in chunks]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _short(chunk_id: str) -> str:
    return chunk_id.replace("-", "")[:_ID_DIGITS]


def _unit_ids(chunk: Chunk) -> set[str]:
    return {chunk.unit_id(position) for position in range(len(chunk.units))}
