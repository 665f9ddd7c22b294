"""What a cached answer is kept under: the question's words, and everything else that decides what its answer may be."""

import hashlib
from dataclasses import dataclass

from app.access.callers import stored_scope
from app.caching.rules.wording import exact_key, same_words_key
from indexing.documents import AccessLabel, AccessScope
from indexing.language import Language
from retrieval.passages import Query


@dataclass(frozen=True, slots=True)
class Versions:
    """What an answer is made by: the prompts, the profile in force, and the policy (models, ladder, rules of the cache)."""

    prompt: str
    profile: str
    policy: str


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """The keys of one question for one reader: `exact` is his and of those with the same labels, `same_words` everybody's."""

    query: Query
    tenant: str
    labels: tuple[AccessLabel, ...]
    versions: Versions
    exact: bytes
    same_words: bytes

    @property
    def scope(self) -> AccessScope:
        """What the reader may read."""
        return stored_scope(self.tenant, self.labels)


def make_keys(query: Query, scope: AccessScope, versions: Versions, language: Language) -> CacheKeys:
    """The keys of a question that was resolved against its conversation."""
    labels = tuple(sorted(scope.labels))
    for_all = hashlib.sha256("\x1e".join((scope.tenant, "", *_parts(versions))).encode())
    for_whom = hashlib.sha256("\x1e".join((scope.tenant, *labels, "", *_parts(versions))).encode())
    return CacheKeys(
        query,
        scope.tenant,
        labels,
        versions,
        _key(for_whom, "exact", exact_key(query, language)),
        _key(for_all, "same", same_words_key(query, language)),
    )


def _parts(versions: Versions) -> tuple[str, str, str]:
    return versions.prompt, versions.profile, versions.policy


def _key(for_whom: "hashlib._Hash", kind: str, words: str) -> bytes:
    digest = for_whom.copy()
    digest.update(f"\x1d{kind}\x1d{words}".encode())
    return digest.digest()
