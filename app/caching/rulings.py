"""What a person decided about a question: kept under it whatever answers are made by, and read whatever release wrote it."""

import logging
from dataclasses import replace
from typing import Final, Protocol

from app.answers.answers import Answer
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.rules.keys import make_keys
from app.caching.validation import made_by
from indexing.language import Language
from retrieval.passages import Query

PINNED_S: Final = 10 * 365 * 86_400.0
"""How long a pinned answer is kept: until what it cites changes, as far as anybody can tell."""

_log = logging.getLogger(__name__)


class AnswerCodec(Protocol):
    """Writes answers as the bytes that HTTP sends, and reads them back."""

    def encode(self, answer: Answer) -> bytes:
        """The bytes of an answer."""

    def decode(self, body: bytes) -> Answer:
        """The answer that bytes hold. Raises `ValueError` when they hold none that this release can read."""

    def parts(self, body: bytes, question: str) -> tuple[bytes, ...]:
        """The bytes of a kept answer, to another wording of its question, cut where the milliseconds of giving it belong."""


def as_ruling(entry: CachedAnswer, kind: EntryKind, expires_at: float, language: Language) -> CachedAnswer:
    """An entry as what a person decided about its question: kept under the question and the rights alone.

    Args:
        entry: The entry.
        kind: Pinned, or marked as wrong.
        expires_at: How long it stands at most, in seconds since 1970.
        language: That of the questions.
    """
    keys = make_keys(Query(entry.question, entry.background), entry.scope, made_by(entry), language)
    return replace(entry, key=keys.ruling, same_words_key=keys.ruling_words, kind=kind, expires_at=expires_at)


def read(codec: AnswerCodec, entry: CachedAnswer) -> Answer | None:
    """The answer that an entry holds; `None` where it is a mark, or in a form of another release that this one cannot read."""
    try:
        return codec.decode(entry.body) if entry.body else None
    except ValueError:
        _log.warning("The cached answer %s %s. It is not given.", entry.id, UNREADABLE)
        return None


UNREADABLE: Final = "was written by another release, in a form that this one cannot read; pin it again, or drop it"
