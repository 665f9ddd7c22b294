"""What a cached answer is kept under: the question's words, and everything else that decides what its answer may be."""

import hashlib
from dataclasses import dataclass
from typing import Final

from app.access.callers import stored_scope
from app.caching.rules.wording import exact_key, same_words_key
from indexing.documents import AccessLabel, AccessScope
from indexing.language import Language
from retrieval.passages import Query

_BETWEEN: Final = "\x1e"


@dataclass(frozen=True, slots=True)
class Versions:
    """What an answer is made by: the prompts, the profile in force, and the policy (models, ladder, rules of the cache)."""

    prompt: str
    profile: str
    policy: str


@dataclass(frozen=True, slots=True)
class CacheKeys:
    """The keys of one question for one reader: `exact` is his and of those with the same labels, `same_words` everybody's.

    `ruling` and `ruling_words` are the same without versions: what a person decided about a question is found whatever answers
    are made by.
    """

    query: Query
    tenant: str
    labels: tuple[AccessLabel, ...]
    versions: Versions
    exact: bytes
    same_words: bytes
    ruling: bytes
    ruling_words: bytes

    @property
    def scope(self) -> AccessScope:
        """What the reader may read."""
        return stored_scope(self.tenant, self.labels)


def make_keys(query: Query, scope: AccessScope, versions: Versions, language: Language) -> CacheKeys:
    """The keys of a question that was resolved against its conversation."""
    labels = tuple(sorted(scope.labels))
    for_all, for_whom = (scope.tenant, ""), (scope.tenant, *labels, "")
    made_by = (versions.prompt, versions.profile, versions.policy)
    exact, same_words = exact_key(query, language), same_words_key(query, language)
    return CacheKeys(
        query,
        scope.tenant,
        labels,
        versions,
        exact=_key((*for_whom, *made_by), "exact", exact),
        same_words=_key((*for_all, *made_by), "same", same_words),
        ruling=_key(for_whom, "ruling", exact),
        ruling_words=_key(for_all, "ruling", same_words),
    )


def _key(for_whom: tuple[str, ...], kind: str, words: str) -> bytes:
    return hashlib.sha256(f"{_BETWEEN.join(for_whom)}\x1d{kind}\x1d{words}".encode()).digest()
