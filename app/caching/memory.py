"""What the service remembers between questions: answers that may be given again, and those that are being made just now."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.access.callers import Caller
from app.answers.answers import Answer, Answered
from app.answers.characters import usable_text
from app.caching.cache import SHARED, AnswerCache, CacheStep, Doubtful, Hit, HitKind, Made
from app.caching.entries import CachedAnswer, EntryKind
from app.caching.flights import Flights
from app.caching.ready import Ready, ReadyAnswers
from app.caching.rules.keys import CacheKeys, Versions, make_keys
from app.caching.selecting import HitTally
from app.caching.verifying import verify
from app.costs.budgets import Restraint
from app.costs.hits import HitBook
from app.costs.ledger import Spender
from app.generation.calls import Calls
from app.generation.endpoints import Endpoint
from app.generation.prompting import prompts_version
from app.workers import Repeated
from indexing.documents import AccessScope
from indexing.language import Language
from retrieval.context import ContextSettings
from retrieval.leasing import OpenGeneration
from retrieval.passages import Query
from retrieval.retriever import Evidence

_WAIT_S: Final = 60.0
_WRITE_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """An answer that is given without being made, and the step that says how it was found."""

    answer: Answer
    step: CacheStep


class Memory:
    """Remembers for the service. Safe to use from several threads. Without a cache it remembers nothing."""

    def __init__(
        self,
        cache: AnswerCache | None,
        flights: Flights,
        tally: HitTally | None,
        hits: HitBook,
        policy: str,
        close: Callable[[], None],
        language: Language,
        verifiers: Sequence[Endpoint] = (),
    ) -> None:
        """Put it together.

        Args:
            cache: The cached answers.
            flights: Who computes.
            tally: Counts hits for the store, which drops what saves least.
            hits: Counts hits for the ledger.
            policy: The version of everything that makes answers, besides prompts and profile.
            close: Closes the store.
            language: That of the questions.
            verifiers: The endpoints that say whether a cached answer is another question's; without any, none is asked.
        """
        self._cache = cache
        self._flights = flights
        self._tally = tally
        self._hits = hits
        self._policy = policy
        self._close = close
        self._language = language
        self._verifiers = verifiers
        self._profiles: dict[int, tuple[ContextSettings, str]] = {}
        self._ready = ReadyAnswers()
        self._warm = False
        self._writer = Repeated("cache-hits", self._write, _WRITE_EVERY_S)

    def keys(self, query: Query, scope: AccessScope, settings: ContextSettings) -> CacheKeys:
        """What an answer to a question is kept under."""
        return make_keys(query, scope, Versions(prompts_version(), self._profile(settings), self._policy), self._language)

    def remembered_or_made(
        self,
        keys: CacheKeys,
        generation: OpenGeneration,
        give: Callable[[Known], Answer],
        make: Callable[[], tuple[Answer, Made | None]],
    ) -> Answer:
        """The answer from the cache, or from whoever is making it just now, or made here and kept."""
        cache = self._cache
        if cache is None:
            return make()[0]
        if hit := cache.find(keys, generation.id, generation):
            return give(self._known(hit))
        key, until = keys.exact + generation.id.encode(), time.monotonic() + _WAIT_S
        flight, mine = self._flights.board(key)
        while not mine:
            flight.landed.wait(max(0.0, until - time.monotonic()))
            if flight.answer:
                return give(Known(flight.answer, SHARED))
            if time.monotonic() >= until:
                return make()[0]
            flight, mine = self._flights.board(key)  # it came to nothing: one of those who waited tries again
        answer: Answer | None = None
        try:
            with self._flights.alone(keys.exact, lambda: cache.find(keys, generation.id) is not None):
                if hit := cache.find(keys, generation.id):
                    answer = give(self._known(hit))
                    return answer
                answer, made = make()
                if made:
                    cache.keep(keys, made)
            return answer
        finally:
            self._flights.land(key, flight, answer if answer and _may_be_shared(answer) else None)

    def remembers(self, keys: CacheKeys, generation: OpenGeneration) -> bool:
        """Whether the cache has an answer to just this question, which is neither given nor counted."""
        return self._cache is not None and self._cache.find(keys, generation.id, generation) is not None

    def quick(self, text: str, caller: Caller, settings: ContextSettings, serving: OpenGeneration) -> bytes | None:
        """The bytes of an exact or same-words hit, counted; `None` without one. Never waits."""
        began = time.perf_counter()
        if self._cache is None or not self._warm:
            return None
        key, known = (text, caller.scope, self._profile(settings)), self._cache.known()
        ready = self._ready.get(key, known, serving) if known else None
        if ready is None:
            question = usable_text(text)
            hit = self._cache.find(self.keys(Query(question), caller.scope, settings), serving.id) if question else None
            if hit is None:
                return None
            ready = Ready(hit, self._cache.parts(hit.entry, question))
            if known:
                self._ready.add(key, known, serving, ready)
        self._count(ready.hit.entry, ready.hit.kind, caller.payer)
        return (b"%.2f" % ((time.perf_counter() - began) * 1000)).join(ready.parts)

    def propose(
        self, keys: CacheKeys, vector: NDArray[np.float32], evidence: Evidence, generation: OpenGeneration
    ) -> Hit | Doubtful | None:
        """A cached answer to a question near in meaning, as `AnswerCache.propose`."""
        return self._cache.propose(keys, vector, evidence, generation) if self._cache else None

    def verify(self, near: Doubtful, question: str, restraint: Restraint, calls: Calls) -> Hit | None:
        """Have a model say whether a cached answer is also the new question's; `None` unless it does, or may not be asked."""
        if not self._verifiers or restraint >= Restraint.FREE_ONLY:
            return None
        return verify(near, question, self._verifiers, calls)

    def take_up(self, keys: CacheKeys, hit: Hit, evidence: Evidence, vector: NDArray[np.float32]) -> Known:
        """Keep a verified hit under its new wording, and give its answer."""
        if self._cache:
            self._cache.keep_again(keys, hit, evidence, vector)
        return self._known(hit)

    def pin(self, keys: CacheKeys, made: Made) -> None:
        """Keep what a person has reviewed until its pages change. Without a cache, nothing is kept."""
        if self._cache:
            self._cache.pin(keys, made)

    def warm_up(self) -> None:
        """Open the store, and begin to write hits down."""
        if self._cache and not self._warm:
            self._cache.warm_up()
            self._writer.start()
            self._warm = True

    def close(self) -> None:
        """Write down the hits that are only counted yet, and close the store."""
        self._writer.stop()
        self._writer.join()
        self._write()
        self._close()

    def _known(self, hit: Hit) -> Known:
        if self._cache is None:
            raise ValueError("without a cache there are no hits")
        if self._tally:
            self._tally.note(hit.entry.key, hit.entry.cost_usd)
        return Known(self._cache.answer(hit.entry), hit.step)

    def _count(self, entry: CachedAnswer, kind: HitKind, spender: Spender) -> None:
        if self._tally:
            self._tally.note(entry.key, entry.cost_usd)
        abstained = entry.kind is EntryKind.ABSTENTION
        self._hits.note(entry.id, kind.value, spender, entry.baseline_usd, abstained=abstained)

    def _profile(self, settings: ContextSettings) -> str:
        known = self._profiles.get(id(settings))
        if known is None or known[0] is not settings:
            version = json.dumps(settings.to_json(), sort_keys=True)
            known = (settings, version)
            self._profiles = {id(settings): known}
        return known[1]

    def _write(self) -> bool:
        if self._tally:
            self._tally.write()
        self._hits.write()
        return False


def _may_be_shared(answer: Answer) -> bool:
    """Whether others who asked the same may have an answer: that there is none may be due to one asker's budget."""
    return isinstance(answer, Answered) or not answer.receipt.notes
