"""Audits: now and then a proposed cached answer is held against a fresh one, in the background, and moves the calibration.

An audit is drawn before anybody knows how it will end: for a proposal that a model is to verify, whether or not the model lets it
pass. So the counts of a band speak of everything that was proposed, and not only of what looked good. Where the model did not
let it pass, the question was answered anyway, and its audit costs nothing.
"""

import logging
import random
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final, Protocol

from app.answers.answers import Answered, Draft
from app.answers.events import Decision, Event
from app.caching.cache import Doubtful, Hit
from app.caching.entries import CachedAnswer
from app.caching.rules.calibration import Calibration
from app.caching.rules.decisions import Standing
from app.caching.rulings import AnswerCodec
from app.costs.budgets import Restraint
from app.costs.ledger import Spender, Surface
from app.costs.receipts import NaivePrompt, Stage, Till
from app.generation.accounting import DRAWN_FROM, UNLIMITED, Accounts, Settlement
from app.generation.calls import Calls
from app.grounding import Readings, Source, Support, check_sentence
from app.ladder.climb import Climbed, Ladder, Task
from app.workers import Worker
from indexing.language import Language
from indexing.tokens import TokenCounter
from retrieval.leasing import OpenGeneration
from retrieval.lexicon import Rarity

_WAITING: Final = 16
"""More audits than this do not wait: the next ones tell as much."""

_STOP_S: Final = 2.0
_MARKS: Final = re.compile(r"(?:\[\d+\])+")
_NOTHING_SAVED: Final = NaivePrompt(0, Decimal(0))

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Audit:
    """A cached answer that was proposed for a question.

    `probability` is what the mix said of it. `passed` says that a model let it pass. `task` is the question with its evidence.
    `fresh` is how it was answered after the model had not let it pass; `None` where the cached answer was given.
    """

    entry: CachedAnswer
    probability: float
    task: Task
    about: Settlement
    passed: bool = False
    fresh: Climbed | None = None


class Learner(Protocol):
    """The calibration, as audits move it."""

    def __call__(self) -> Calibration:
        """The calibration in force."""

    def observe(self, probability: float, *, passed: bool, right: bool) -> Calibration:
        """Take in one audit, and write it down. Raises `OSError` when it cannot be written."""


class _StoppedError(Exception):
    """The service is stopping."""


class Auditor:
    """Audits, one at a time, in a thread of its own that nobody waits for. Safe to use from several threads."""

    def __init__(
        self,
        share: float,
        learner: Learner,
        standing: Callable[[Calibration], Standing],
        lease: Callable[[], AbstractContextManager[OpenGeneration]],
        ladder: Ladder,
        accounts: Accounts,
        counter: TokenCounter,
        codec: AnswerCodec,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Put it together; the thread starts with the first audit.

        Args:
            share: The share of proposals that is audited, in [0, 1].
            learner: Takes in what is found.
            standing: What a calibration allows under the settings.
            lease: Lends the generation that serves.
            ladder: Answers afresh.
            accounts: Pays for it, as the surface `background`, and only while no limit of that is nearly used up.
            counter: Counts the tokens of calls.
            codec: Reads cached answers.
            draw: Gives a number in [0, 1) for each proposal.
        """
        self._share = share
        self._learner = learner
        self._standing = standing
        self._lease = lease
        self._ladder = ladder
        self._accounts = accounts
        self._counter = counter
        self._codec = codec
        self._draw = draw
        self._worker = Worker("cache-audits", self._look, _WAITING, _give_up)

    def draw(self, near: Hit | Doubtful, task: Task, spender: Spender, about: Settlement) -> Audit | None:
        """The audit of a proposal, where it is drawn for one; to be handed in once it is known what became of it.

        Args:
            near: The proposal.
            task: The question that it was proposed for, with its evidence.
            spender: Who asked; see `DRAWN_FROM`.
            about: What the entry says of the question.
        """
        probability = near.probability if isinstance(near, Hit) else near.judgement.probability
        if probability is None or spender.surface not in DRAWN_FROM or self._draw() >= self._share:
            return None
        return Audit(near.entry, probability, task, about)

    def offer(self, audit: Audit) -> None:
        """Have a proposal audited soon, unless too many wait already. Never waits."""
        self._worker.offer(audit)

    def close(self) -> None:
        """Stop; an audit under way ends at its next step, and what waits is dropped."""
        self._worker.close(drop=True, limit_s=_STOP_S)

    def _look(self, audit: Audit) -> None:
        with self._lease() as generation:
            if generation.id != audit.about.generation:
                return  # what it was made from is closed
            fresh = audit.fresh or self._answer(audit)
            if fresh is None or fresh.held_back or any(step.decision is Decision.FAIL for step in fresh.steps):
                return  # it says nothing about the cached answer
            cached = self._codec.decode(audit.entry.body)
            right = isinstance(cached, Answered) and same_answer(
                audit.entry, cached, fresh.draft, audit.task.rarity, audit.task.evidence.language
            )
        before = self._standing(self._learner())
        after = self._standing(self._learner.observe(audit.probability, passed=audit.passed, right=right))
        if (before.serves and not after.serves) or (before.verifies and not after.verifies):
            _log.warning(
                "Audits no longer support cached answers to questions in other words (right in at least %.1f %% of the best "
                "cases): such questions are answered afresh. `farthing cache stats` says more.",
                100 * after.bound,
            )

    def _answer(self, audit: Audit) -> Climbed | None:
        """The question answered afresh, in an entry of its own; `None` where the budget has no room for it."""
        till, spender, audit_id = Till(Stage.AUDIT), Spender(Surface.BACKGROUND), uuid.uuid4().hex
        allowance = self._accounts.allowance(spender, till) if self._ladder.has_models else UNLIMITED
        if allowance.restraint is not Restraint.NONE:
            return None
        calls = Calls(audit_id, spender, self._accounts.ledger, till, self._counter)
        with self._accounts.open(audit_id, spender, till, _NOTHING_SAVED, audit.about) as account:
            climbed = self._ladder.climb(replace(audit.task, allowance=allowance), calls, till, self._tell)
            receipt = account.settle_work(climbed.path)
        return None if receipt.notes else climbed

    def _tell(self, _: Event) -> None:
        if self._worker.closed:
            raise _StoppedError


def _give_up(_: Audit, error: Exception) -> None:
    if not isinstance(error, _StoppedError):
        _log.warning("An audit of a cached answer failed.", exc_info=error)


def same_answer(entry: CachedAnswer, cached: Answered, fresh: Draft | None, rarity: Rarity, language: Language) -> bool:
    """Whether a cached answer and a fresh one say the same, as far as rules can tell.

    They do when the units that one cites are all cited by the other; or when they share one, and no sentence of either has a
    number, date, code, name or negation that the units which the other cites speak against, or do not have. Where the fresh
    one is an abstention, the cached one is taken to be wrong.
    """
    if fresh is None:
        return False
    old = {unit.id for unit in entry.units}
    new = {unit.chunk.unit_id(unit.position): unit for sentence in fresh.sentences for unit in sentence.units}
    if old <= new.keys() or new.keys() <= old:
        return True
    if old.isdisjoint(new):
        return False
    kept = [Source(citation.quote, (citation.title, *citation.heading_path)) for citation in cached.citations]
    found = [Source(unit.text, (unit.chunk.title, *unit.chunk.heading_path)) for unit in new.values()]
    sentences = [sentence.strip() for sentence in _MARKS.split(cached.text) if sentence.strip()]
    readings = Readings(language)
    return _agree(sentences, found, rarity, readings) and _agree(
        [sentence.text for sentence in fresh.sentences], kept, rarity, readings
    )


def _agree(sentences: Sequence[str], sources: Sequence[Source], rarity: Rarity, readings: Readings) -> bool:
    return all(check_sentence(sentence, sources, rarity, readings).support is not Support.UNSUPPORTED for sentence in sentences)
