"""What people decide about cached answers: this one is wrong; that one is right, and shall be given."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.answers.answers import Answered, Citation, Draft, DraftSentence
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.errors import ReviewError
from app.caching.rules.keys import CacheKeys
from app.caching.rulings import PINNED_S, UNREADABLE, AnswerCodec, as_ruling, read
from app.caching.store import TendedStore
from app.caching.validation import same_versions, why_outdated
from indexing.documents import Chunk
from indexing.language import Language
from retrieval.leasing import OpenGeneration
from retrieval.passages import ContextUnit, Passage

_MARK: Final = re.compile(r"\[(\d{1,4})\]")


@dataclass(frozen=True, slots=True)
class Marked:
    """Under how many wordings an answer that was called wrong is not given any more, and whether it is pinned, and given on."""

    wordings: int
    pinned: bool


def mark_wrong(store: TendedStore, answer_id: str, until_s: float, language: Language) -> Marked:
    """Erase an answer that somebody called wrong, under every wording that it is kept for, and leave a mark in its place.

    The mark keeps any answer to that wording out of the cache until the cited pages change, or until its time is over: what was
    wrong once may well come out wrong again. That there was no answer is only forgotten: the next one may be right. What a person
    has reviewed and pinned stays: whoever may pin changes it, and nobody else.

    Args:
        store: Where it is kept.
        answer_id: The answer's.
        until_s: How long the mark stands at most, in seconds since 1970.
        language: That of the questions.

    Raises:
        AnswerStoreError: The store cannot be read or written.
    """
    marked = 0
    while entries := [one for one in _with_id(store, answer_id) if not one.kind.is_ruling]:  # it may be kept once more
        store.remove([entry.key for entry in entries])
        answers = [_emptied(one) for one in entries if one.kind is EntryKind.ANSWER]
        _rule(store, [as_ruling(one, EntryKind.WRONG, until_s, language) for one in answers], language)
        marked += len(entries)
    return Marked(marked, any(one.kind is EntryKind.PINNED for one in _with_id(store, answer_id)))


def pin(
    store: TendedStore,
    entries: Sequence[CachedAnswer],
    codec: AnswerCodec,
    text: str | None,
    now_s: float,
    language: Language,
) -> None:
    """Give answers that are kept from now on until their pages change, in the words of whoever has reviewed them.

    Args:
        store: Where they are kept.
        entries: The answers.
        codec: Reads and writes them.
        text: What is said in place of their own words, with marks `[n]` that point to their citations; `None` leaves the words.
        now_s: Seconds since 1970.
        language: That of the questions.

    Raises:
        ReviewError: There is nothing to pin, or the text has no mark, or one that points nowhere.
        AnswerStoreError: The store cannot be read or written.
    """
    if not entries:
        raise ReviewError("The cache has no such answer. Ask the question first, or give --answer a file with citations.")
    pinned = []
    for entry in entries:
        answer = read(codec, entry)
        if not isinstance(answer, Answered):
            raise ReviewError(f"What is kept for {entry.question!r} is no answer. Give --answer a file with citations.")
        units = entry.units
        if text is not None:
            numbers = _marks(text, len(answer.citations))
            units = tuple(units[number - 1] for number in numbers)
            cited = [replace(answer.citations[number - 1], n=n) for n, number in enumerate(numbers, start=1)]
            answer = replace(answer, text=_renumbered(text, numbers), citations=tuple(cited), groundedness=1.0)
        reviewed = replace(entry, units=units, body=codec.encode(answer), groundedness=1.0)
        pinned.append(as_ruling(reviewed, EntryKind.PINNED, now_s + PINNED_S, language))
    _rule(store, pinned, language)


def make_way(store: TendedStore, rulings: Sequence[CachedAnswer], language: Language) -> None:
    """Remove the answers, whatever they were made by, in whose place something else was put; it inherits their hits.

    Raises:
        AnswerStoreError: The store cannot be read or written.
    """
    decided = {ruling.key for ruling in rulings}
    overruled = [
        (one.entry.key, ruled, one.hits)
        for one in store.entries()
        if not one.entry.kind.is_ruling and (ruled := as_ruling(one.entry, one.entry.kind, 0.0, language).key) in decided
    ]
    for _, ruled, hits in overruled:
        store.add_hits({ruled: hits})
    store.remove([key for key, _, _ in overruled])


def _rule(store: TendedStore, rulings: Sequence[CachedAnswer], language: Language) -> None:
    """Put what a person decided in the place of what was answered. A mark takes nothing away from what is pinned."""
    for ruling in rulings:
        known = store.get(ruling.key) if ruling.kind is EntryKind.WRONG else None
        if known is None or known.kind is not EntryKind.PINNED:
            store.put(ruling)
    make_way(store, rulings, language)


def draft_from(
    reviewed: Answered, passages: Sequence[Passage], pages: Callable[[Sequence[str]], Mapping[str, Sequence[Chunk]]]
) -> Draft:
    """What a reviewed answer rests on, found again in the index by the words of its citations.

    Args:
        reviewed: The answer.
        passages: What is found for the question.
        pages: Gives all chunks of documents.

    Raises:
        ReviewError: It has no citations, marks that point nowhere, or quotes that do not stand on the pages found.
    """
    used = _marks(reviewed.text, len(reviewed.citations))
    if len(used) < len(reviewed.citations):
        raise ReviewError(
            f"The answer has {len(reviewed.citations)} citations and marks for {len(used)}. Mark each, or drop some."
        )
    found = pages(list(dict.fromkeys(passage.chunk.document_id for passage in passages)))
    chunks = [chunk for page in found.values() for chunk in page]
    units = [ContextUnit(chunk, position, 1.0) for chunk in chunks for position in range(len(chunk.units))]
    sentences = []
    for citation in reviewed.citations:
        unit = next((one for one in units if _is_quoted(one, citation)), None)
        if unit is None:
            raise ReviewError(
                f"The quote of [{citation.n}] does not stand, as a whole sentence, item or table, on {citation.document}, or "
                "that page is not found for the question. Copy citations from `farthing ask --json`."
            )
        units.remove(unit)  # two marks never point to one unit
        sentences.append(DraftSentence(citation.quote, (unit,)))
    return Draft(tuple(sentences))


def why_withheld(entry: CachedAnswer, keys: CacheKeys, generation: OpenGeneration, codec: AnswerCodec) -> str | None:
    """Why an entry would not be given now, in words; `None` when it would.

    Args:
        entry: The cached answer.
        keys: Those of its question and its reader, as they are now.
        generation: The one that serves.
        codec: Reads it.

    Raises:
        SearchError: The index engine failed.
    """
    if entry.kind is EntryKind.WRONG:
        return "a person marked the answer as wrong"
    if not same_versions(entry, keys):
        return "it was made with other prompts, models, settings or another profile"
    if read(codec, entry) is None:
        return f"it {UNREADABLE}"
    return None if entry.generation == generation.id else why_outdated(entry, generation)


def _emptied(entry: CachedAnswer) -> CachedAnswer:
    return replace(entry, body=b"", proposable=False)


def _with_id(store: TendedStore, answer_id: str) -> Iterator[CachedAnswer]:
    return (stored.entry for stored in store.entries() if stored.entry.id == answer_id)


def _marks(text: str, citations: int) -> list[int]:
    """The citations that a text points to, each once, in order."""
    numbers = list(dict.fromkeys(int(found) for found in _MARK.findall(text)))
    if not numbers:
        raise ReviewError(
            "The answer has no mark such as [1], so nothing would tell when it is out of date. Cite what it rests on."
        )
    if wrong := [number for number in numbers if not 1 <= number <= citations]:
        raise ReviewError(
            f"The answer points to [{wrong[0]}], and there are {citations} citations. `farthing cache show` lists them."
        )
    return numbers


def _renumbered(text: str, numbers: Sequence[int]) -> str:
    """The text with marks that count from 1 in order."""
    return _MARK.sub(lambda mark: f"[{numbers.index(int(mark[1])) + 1}]", text)


def _is_quoted(unit: ContextUnit, citation: Citation) -> bool:
    same_words = " ".join(unit.text.split()) == " ".join(citation.quote.split())
    return same_words and unit.chunk.document_path == citation.document
