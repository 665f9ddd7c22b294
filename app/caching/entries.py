"""A cached answer as a record, and the bytes it is stored as."""

import struct
import zlib
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from app.access.callers import stored_scope
from indexing.documents import AccessLabel, AccessScope

KEY_BYTES: Final = 32
"""The length of an exact key, and of a same-words key: a SHA-256."""

_HEADER: Final = struct.Struct(f"<4sIII{KEY_BYTES}s")
"""Mark and version of the form, a CRC-32 over the keys and all that follows, the lengths of facts and vector, same-words key."""

_SUMMED_FROM: Final = 8
"""Where the part begins that the checksum covers."""

_FORM: Final = b"FAC1"
_MARK: Final = b"FAC"
"""Every release's form begins with this, a digit, and the checksum."""


class EntryKind(StrEnum):
    """What a cached answer is: answered, abstained, reviewed by a person and pinned to the question, or marked as wrong by one.

    The last two are rulings: what a person decided about a question stands whatever answers are made by. What was marked as
    wrong is given to nobody; it stands in the place of the answer, so that no other takes it.
    """

    ANSWER = "answer"
    ABSTENTION = "abstention"
    PINNED = "pinned"
    WRONG = "wrong"

    @property
    def is_ruling(self) -> bool:
        """Whether a person decided it."""
        return self in _RULINGS


_RULINGS: Final = frozenset({EntryKind.PINNED, EntryKind.WRONG})


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True, slots=True)
class CitedUnit:
    """A unit that a cached answer cites, as it was: its text's hash, and the labels of which a reader needs one."""

    id: str
    content_hash: str
    document_id: str
    labels: tuple[AccessLabel, ...]


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True, slots=True)
class CitedDocument:
    """A page that a cached answer cites, as it was: the digest of its words and of who may read them."""

    id: str
    digest: str


@with_config(ConfigDict(extra="forbid", strict=True))
@dataclass(frozen=True, slots=True)
class AnswerFacts:
    """What decides whether an answer may be given again, and what it was worth: all of a cached answer that is stored as JSON.

    `id` is that of the answer which was made. `background` is what was said before, for a question that does not stand alone,
    else empty. `labels` are those of the caller it was made for. `passages` are the chunks, shortened, that were found for the
    question, best first. `proposable` says whether it may be proposed for questions in other words: not one that leans on a
    conversation, and not one that was itself answered from the cache. `created_at` and `expires_at` are seconds since 1970.
    `cost_usd` is what making it cost, and `baseline_usd` what the naive prompt would have cost; `None` when unknown.
    `groundedness` in [0, 1] is `None` for an abstention.
    """

    id: str
    tenant: str
    question: str
    background: str
    labels: tuple[AccessLabel, ...]
    kind: EntryKind
    units: tuple[CitedUnit, ...]
    documents: tuple[CitedDocument, ...]
    passages: tuple[str, ...]
    proposable: bool
    generation: str
    prompt_version: str
    profile_version: str
    policy_version: str
    created_at: float
    expires_at: float
    cost_usd: Decimal | None
    baseline_usd: Decimal | None
    groundedness: float | None


_FACTS: Final = TypeAdapter(AnswerFacts)
_NAMES: Final = tuple(fact.name for fact in fields(AnswerFacts))


@dataclass(frozen=True, slots=True)
class CachedAnswer(AnswerFacts):
    """An answer that may be given again.

    `key` finds the same question of the same tenant and labels under the same prompt, profile and policy, and a ruling under any;
    `same_words_key` the same words in another order or form, with any labels; both have `KEY_BYTES` bytes. `vector` is the
    question's: float32, little-endian, length 1. `body` is what HTTP sends, as JSON.
    """

    key: bytes
    same_words_key: bytes
    vector: bytes
    body: bytes

    @property
    def scope(self) -> AccessScope:
        """What whoever it was made for could read."""
        return stored_scope(self.tenant, self.labels)

    @property
    def question_vector(self) -> NDArray[np.float32]:
        """The question's vector: shape `(dimension,)`, float32, length 1."""
        return np.frombuffer(self.vector, dtype="<f4").astype(np.float32, copy=False)


def encode_entry(entry: CachedAnswer) -> bytes:
    """Write an entry as bytes: header, facts as JSON, vector, body.

    Raises:
        ValueError: A key has not `KEY_BYTES` bytes, or the vector is not one of whole numbers of four bytes.
    """
    if len(entry.key) != KEY_BYTES or len(entry.same_words_key) != KEY_BYTES or len(entry.vector) % 4:
        raise ValueError(f"keys have {KEY_BYTES} bytes, and vectors four for each number")
    facts = _FACTS.dump_json(entry)
    header = _HEADER.pack(_FORM, 0, len(facts), len(entry.vector), entry.same_words_key)
    summed = header[_SUMMED_FROM:] + facts + entry.vector + entry.body
    return _FORM + zlib.crc32(summed, zlib.crc32(entry.key)).to_bytes(4, "little") + summed


def decode_entry(key: bytes, stored: object) -> CachedAnswer | None:
    """Read an entry back; `None` where the bytes are torn, of another release's form, or another key's.

    Args:
        key: What the bytes were found under.
        stored: What was found there.
    """
    if type(stored) is not bytes or len(stored) < _HEADER.size:
        return None
    form, checksum, facts_bytes, vector_bytes, same_words_key = _HEADER.unpack_from(stored)
    if form != _FORM or checksum != zlib.crc32(memoryview(stored)[_SUMMED_FROM:], zlib.crc32(key)):
        return None
    vector_at = _HEADER.size + facts_bytes
    body_at = vector_at + vector_bytes
    if body_at > len(stored) or vector_bytes % 4:
        return None
    try:
        facts = _FACTS.validate_json(stored[_HEADER.size : vector_at])
    except ValidationError:
        return None
    vector, body = stored[vector_at:body_at], stored[body_at:]
    named: dict[str, Any] = {name: getattr(facts, name) for name in _NAMES}
    return CachedAnswer(key=key, same_words_key=same_words_key, vector=vector, body=body, **named)


def is_torn(key: bytes, stored: object) -> bool:
    """Whether bytes that cannot be read are worth nothing to any release: no entry, or not a whole one.

    What is whole is another release's, and perhaps what a person decided: it is left alone.
    """
    if type(stored) is not bytes or not stored.startswith(_MARK):
        return True
    checksum = zlib.crc32(memoryview(stored)[_SUMMED_FROM:], zlib.crc32(key))
    return stored[len(_FORM) : _SUMMED_FROM] != checksum.to_bytes(4, "little")
