"""The answer cache in the flow: what is looked up, what is proposed, and what is kept."""

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.answers.answers import Answer, Answered, Draft
from app.answers.events import Decision, Step
from app.caching.cached_questions import CachedQuestions
from app.caching.entries import CachedAnswer, CitedDocument, CitedUnit, EntryKind
from app.caching.rules.agreement import Cited, Proposal, units_near_the_top
from app.caching.rules.calibration import Calibration
from app.caching.rules.decisions import HitDecision, Judgement, judge
from app.caching.rules.keys import CacheKeys
from app.caching.rules.validity import digest_documents, remember_passages
from app.caching.rulings import PINNED_S, AnswerCodec, read
from app.caching.store import AnswerStore, Mark
from app.caching.validation import made_by, same_versions, why_outdated
from app.costs.receipts import Receipt, ReceiptLine, Stage
from app.costs.rungs import Rung
from indexing.errors import IndexingError
from retrieval.errors import SearchError
from retrieval.leasing import OpenGeneration
from retrieval.passages import Query
from retrieval.retriever import Evidence

_NEIGHBOURS: Final = 32
_PROPOSALS: Final = 8
"""Of the nearest questions, so many with different answers are looked at."""

_WHOLLY_GROUNDED: Final = 1.0

LOOK_EVERY_S: Final = 0.05
"""How long an answer may still be given after another process has removed or marked it."""


class HitKind(StrEnum):
    """How an answer was found in the cache. `shared` is one that was being made for somebody else at that moment."""

    EXACT = "exact"
    SAME_WORDS = "same_words"
    VERIFIED = "verified"
    SHARED = "shared"


_ASKED_BEFORE: Final = "the same question was answered before"
_ASKED_OTHERWISE: Final = "the same was asked before, in another form"
"""It is not said in which: how somebody else put a question is nobody's business."""


@dataclass(frozen=True, slots=True)
class CacheStep(Step):
    """The only step of an answer that is given without being made; `kind` is how it was found."""

    kind: HitKind


SHARED: Final = CacheStep(Rung.CACHE, Decision.KEEP, "it was just being answered", HitKind.SHARED)


@dataclass(frozen=True, slots=True)
class Hit:
    """A cached answer that may be given, how it was found, and why that is right, for people.

    `probability` is what the mix says of one that the evidence proves; `None` for the others.
    """

    entry: CachedAnswer
    kind: HitKind
    reason: str
    probability: float | None = None

    @property
    def step(self) -> CacheStep:
        """The step of an answer that is given by this hit."""
        return CacheStep(Rung.CACHE, Decision.KEEP, self.reason, self.kind)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A cached answer that only a model's word can let pass, and what was found about it."""

    entry: CachedAnswer
    answer: Answered
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Made:
    """An answer that was just made, with what it was made from."""

    answer: Answer
    draft: Draft | None
    evidence: Evidence
    vector: NDArray[np.float32]
    generation: OpenGeneration


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What the settings say of the cache.

    `ttl_s` and `abstention_ttl_s` are how long entries are kept at most. `max_wrong_share` in [0, 1] is the share of wrong
    answers that verified hits may have. `verifier_wrong_share` in [0, 1] is the share of its calls in which the verifying
    model is taken to err; `None` where no model verifies.
    """

    ttl_s: float
    abstention_ttl_s: float
    max_wrong_share: float
    verifier_wrong_share: float | None


class AnswerCache:
    """Cached answers, for the flow. Safe to use from several threads."""

    def __init__(
        self,
        store: AnswerStore,
        codec: AnswerCodec,
        calibration: Callable[[], Calibration],
        settings: CacheSettings,
        clock_s: Callable[[], float] = time.time,
        newest: Callable[[], str | None] | None = None,
    ) -> None:
        """Put it together.

        Args:
            store: Keeps entries.
            codec: Reads and writes answers.
            calibration: Says how likely a proposal is right.
            settings: What the settings say.
            clock_s: Seconds since 1970.
            newest: The id of the newest generation there is, though an earlier one may serve for a moment yet. What was made
                from an earlier one is not kept any more: it might quote a page that was erased.
        """
        self._store = store
        self._codec = codec
        self._calibration = calibration
        self._settings = settings
        self._clock_s = clock_s
        self._newest = newest
        self._questions = CachedQuestions(store)
        self._known: Mark | None = None
        self._look_at = 0.0

    def find(self, keys: CacheKeys, serving: str, generation: OpenGeneration | None = None) -> Hit | None:
        """The answer to the same question, or to the same words.

        Args:
            keys: The question's.
            serving: The id of the generation that serves.
            generation: That generation, to check entries of earlier ones against; without it they are passed over, and nothing
                here waits.
        """
        ruling = self._ruling(keys)
        if ruling and (ruling.kind is EntryKind.WRONG or (generation is None and ruling.generation != serving)):
            return None
        for key in (keys.ruling, keys.exact) if ruling else (keys.exact,):
            if exact := self._usable(key, keys, serving, generation):
                return Hit(exact, HitKind.EXACT, _ASKED_BEFORE)
        self._questions.refresh(wait=generation is not None)
        for words in (keys.ruling_words, keys.same_words):
            for key in self._questions.same_words(keys.tenant, words):
                if key not in {keys.ruling, keys.exact} and (entry := self._usable(key, keys, serving, generation)):
                    return Hit(entry, HitKind.SAME_WORDS, _ASKED_OTHERWISE)
        return None

    def propose(
        self, keys: CacheKeys, vector: NDArray[np.float32], evidence: Evidence, generation: OpenGeneration
    ) -> Hit | Doubtful | None:
        """The answer to a question near in meaning, as far as the evidence for the new question carries it.

        Returns:
            A hit that the evidence proves; else the likeliest one that a model must verify; else nothing.
        """
        if keys.query.background or evidence.query != keys.query or self._questions.has_ruling(keys.ruling):
            return None
        settings, calibration = self._settings, self._calibration()
        doubtful: list[tuple[Judgement, CachedAnswer, Answered]] = []
        for entry in self._near(keys, vector, evidence):
            answer = read(self._codec, entry)
            if not isinstance(answer, Answered):
                continue
            proposal = Proposal(Query(entry.question), _cited(entry, answer))
            judgement = judge(proposal, evidence, calibration, settings.max_wrong_share, settings.verifier_wrong_share)
            if judgement.decision is HitDecision.VERIFY:
                doubtful.append((judgement, entry, answer))
            elif judgement.decision is HitDecision.SERVE and (usable := self._usable(entry.key, keys, generation.id, generation)):
                reason = "the evidence says that it asks the same as a question before"
                return Hit(usable, HitKind.VERIFIED, reason, judgement.probability)
        for judgement, entry, answer in sorted(doubtful, key=lambda one: -(one[0].probability or 0.0)):
            if usable := self._usable(entry.key, keys, generation.id, generation):
                return Doubtful(usable, answer, judgement)
        return None

    def keep(self, keys: CacheKeys, made: Made) -> None:
        """Keep an answer, if it is one to be given again: wholly grounded, and nothing was missing when it was made."""
        answer = made.answer
        if answer.receipt.notes or any(step.decision is Decision.FAIL for step in answer.steps):
            return
        if isinstance(answer, Answered) and answer.groundedness < _WHOLLY_GROUNDED:
            return
        try:
            entry = self._entry(keys, made)
        except SearchError:  # the cited pages cannot be read just now: the answer is given, and not kept
            return
        self._put(entry, keys)

    def pin(self, keys: CacheKeys, made: Made) -> None:
        """Keep what a person has reviewed, in place of whatever there is."""
        entry = replace(self._entry(keys, made), key=keys.ruling, same_words_key=keys.ruling_words)
        self._store.put(replace(entry, kind=EntryKind.PINNED, expires_at=self._clock_s() + PINNED_S))

    def keep_again(self, keys: CacheKeys, hit: Hit, evidence: Evidence, vector: NDArray[np.float32]) -> None:
        """Keep a verified hit under its new wording too, for whoever asks in that next. It is proposed for no third one."""
        kept = replace(
            hit.entry,
            key=keys.exact,
            same_words_key=keys.same_words,
            question=keys.query.text,
            kind=EntryKind.ANSWER,
            passages=remember_passages(evidence.passages),
            proposable=False,
            prompt_version=keys.versions.prompt,
            profile_version=keys.versions.profile,
            policy_version=keys.versions.policy,
            vector=vector.astype("<f4").tobytes(),
        )
        self._put(kept, keys)

    def known(self) -> Mark | None:
        """How far the changes of the store are known, looked up every 50 ms; `None` while that is not sure. Never waits long."""
        now = time.monotonic()
        if now >= self._look_at:
            self._known = self._questions.refresh(wait=False)
            if self._known:
                self._look_at = now + LOOK_EVERY_S
        return self._known

    def warm_up(self) -> None:
        """Open the store, and learn which questions it has."""
        self._known = self._questions.refresh()

    def answer(self, entry: CachedAnswer) -> Answer:
        """The answer that an entry holds."""
        return self._codec.decode(entry.body)

    def parts(self, entry: CachedAnswer, question: str) -> tuple[bytes, ...]:
        """What is sent of an entry to a question as it was asked, as `AnswerCodec.parts`."""
        return self._codec.parts(entry.body, question)

    def _entry(self, keys: CacheKeys, made: Made) -> CachedAnswer:
        answer, now = made.answer, self._clock_s()
        grounded = answer.groundedness if isinstance(answer, Answered) else None
        abstained = grounded is None
        return CachedAnswer(
            id=answer.id,
            tenant=keys.tenant,
            key=keys.exact,
            same_words_key=keys.same_words,
            question=keys.query.text,
            background=keys.query.background,
            labels=keys.labels,
            kind=EntryKind.ABSTENTION if abstained else EntryKind.ANSWER,
            units=_units(made.draft),
            documents=self._documents(made, keys),
            passages=remember_passages(made.evidence.passages),
            proposable=not keys.query.background,
            generation=made.generation.id,
            prompt_version=keys.versions.prompt,
            profile_version=keys.versions.profile,
            policy_version=keys.versions.policy,
            created_at=now,
            expires_at=now + (self._settings.abstention_ttl_s if abstained else self._settings.ttl_s),
            cost_usd=answer.receipt.cost_usd,
            baseline_usd=answer.receipt.baseline.cost_usd,
            groundedness=grounded,
            vector=made.vector.astype("<f4").tobytes(),
            body=self._codec.encode(_as_kept(answer)),
        )

    def _ruling(self, keys: CacheKeys) -> CachedAnswer | None:
        """What a person decided about a question. The store is asked only where it is not known that nobody did."""
        if self._known and self.known() and not self._questions.has_ruling(keys.ruling):
            return None
        return self._store.get(keys.ruling)

    def _put(self, entry: CachedAnswer, keys: CacheKeys) -> None:
        if self._store.get(keys.ruling) is None:
            self._write(entry)

    def _write(self, entry: CachedAnswer) -> None:
        try:
            newest = self._newest() if self._newest else entry.generation
        except IndexingError:
            return
        if newest == entry.generation:
            self._store.put(entry)

    def _near(self, keys: CacheKeys, vector: NDArray[np.float32], evidence: Evidence) -> list[CachedAnswer]:
        """The nearest questions whose answers cite what was found, each answer once: first those asked with the same rights."""
        found, neighbours = units_near_the_top(evidence), self._questions.nearest(keys.tenant, vector, _NEIGHBOURS)
        near = [self._store.get(neighbour.key) for neighbour in neighbours if not found.isdisjoint(neighbour.units)]
        known = [entry for entry in near if entry and entry.kind is not EntryKind.WRONG and same_versions(entry, keys)]
        known.sort(key=lambda entry: entry.labels != keys.labels)
        answers = {entry.id: entry for entry in reversed(known)}
        return [entry for entry in known if answers[entry.id] is entry][:_PROPOSALS]

    def _usable(self, key: bytes, keys: CacheKeys, serving: str, generation: OpenGeneration | None) -> CachedAnswer | None:
        """The entry of a key, if it may be given now. One of an earlier generation is checked, and carried over."""
        entry = self._store.get(key)
        if entry is None or entry.kind is EntryKind.WRONG or not same_versions(entry, keys):
            return None
        if entry.labels != keys.labels:
            return self._shared(entry, keys, generation) if generation else None
        if entry.generation != serving:
            if generation is None or why_outdated(entry, generation):
                return None
            if self._store.get(key) != entry:
                return None  # meanwhile somebody removed it, or marked it as wrong
            entry = replace(entry, generation=serving)
            self._write(entry)
        if made_by(entry) == keys.versions:
            return entry
        answer = read(self._codec, entry)  # perhaps another release pinned it: it is given in this one's form
        return replace(entry, body=self._codec.encode(answer)) if answer else None

    def _shared(self, entry: CachedAnswer, keys: CacheKeys, generation: OpenGeneration) -> CachedAnswer | None:
        """An answer that was made for other rights, if this reader's rights make no difference to it; kept for them too."""
        if entry.kind is not EntryKind.ANSWER:
            return None
        shared = replace(entry, key=keys.exact, labels=keys.labels, generation=generation.id, proposable=False)
        if why_outdated(shared, generation, shared=True):
            return None
        if self._store.get(entry.key) != entry:
            return None  # as above
        self._put(shared, keys)
        return shared

    def _documents(self, made: Made, keys: CacheKeys) -> tuple[CitedDocument, ...]:
        if made.draft is None:
            return ()
        cited = {unit.chunk.document_id for sentence in made.draft.sentences for unit in sentence.units}
        return digest_documents(made.generation.searcher.document_chunks(sorted(cited), keys.scope))


def as_given(answer: Answer, question: str, receipt: Receipt, steps: tuple[CacheStep, ...]) -> Answer:
    """A cached answer as it is given: to the question as it was asked, with a receipt of its own."""
    given = replace(answer, question=question, receipt=receipt, steps=steps)
    return replace(given, rung=Rung.CACHE) if isinstance(given, Answered) else given


def hit_kind(answer: Answer) -> HitKind | None:
    """How an answer that is given was found in the cache; `None` when it was made."""
    return next((step.kind for step in answer.steps if isinstance(step, CacheStep)), None)


def _as_kept(answer: Answer) -> Answer:
    """An answer as the next one gets it: the time is still to be written, and how it is found still to be seen."""
    line = ReceiptLine(Stage.CACHE, 0, 0, Decimal(0), 0.0)
    return as_given(answer, answer.question, Receipt((line,), answer.receipt.baseline, 0.0), ())


def _units(draft: Draft | None) -> tuple[CitedUnit, ...]:
    """The units that a draft cites, each once, in the order of their marks."""
    units: dict[str, CitedUnit] = {}
    for sentence in draft.sentences if draft else ():
        for unit in sentence.units:
            unit_id = unit.chunk.unit_id(unit.position)
            content = hashlib.sha256(unit.text.encode()).hexdigest()
            units.setdefault(unit_id, CitedUnit(unit_id, content, unit.chunk.document_id, unit.chunk.labels))
    return tuple(units.values())


def _cited(entry: CachedAnswer, answer: Answered) -> tuple[Cited, ...]:
    return tuple(
        Cited(unit.id, citation.quote, (citation.title, *citation.heading_path))
        for unit, citation in zip(entry.units, answer.citations, strict=True)
    )


def policy_version(parts: Sequence[object]) -> str:
    """One name for everything that decides how answers are made, besides prompts and profile."""
    return hashlib.sha256("\x1e".join(map(repr, parts)).encode()).hexdigest()[:12]
