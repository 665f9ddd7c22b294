"""Cached answers after a sync: every one is held against the new generation, and the most asked of the dead are made afresh."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from app.access.callers import Caller
from app.access.errors import UnknownLabelError
from app.answers.answers import Answer
from app.answers.questions import Question
from app.caching.entries import EntryKind
from app.caching.store import TendedStore
from app.caching.validation import why_outdated
from app.costs.errors import CostsError
from app.costs.ledger import Spender, Surface
from app.costs.pricing import plain_usd
from app.errors import AnsweringError
from indexing.documents import AccessScope
from indexing.planning import Progress
from retrieval.leasing import OpenGeneration

_REMOVED_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """A question whose cached answer died, for whom it was answered, and how often the answer had been given again."""

    question: str
    scope: AccessScope
    asked: int


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of the cached answers: how many were kept, how many died of what, in words, and what to make afresh.

    `lost` are the questions whose dead answers had been given again, the most asked first. Those that lean on a conversation are
    not among them: nobody can ask them without it.
    """

    kept: int
    died: Mapping[str, int]
    lost: tuple[LostAnswer, ...]

    def to_json(self) -> dict[str, Any]:
        """The renewal as `farthing index --json` prints it."""
        return {"kept": self.kept, "died": dict(self.died), "to_refresh": len(self.lost)}


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many questions were answered afresh, what that cost (`None`: unknown), and why no more were, where one stopped it."""

    answers: int
    cost_usd: Decimal | None
    stopped: str | None

    def to_json(self) -> dict[str, Any]:
        """The same as `farthing index --json` prints it."""
        return {"answers": self.answers, "cost_usd": plain_usd(self.cost_usd), "stopped": self.stopped}


def renew(store: TendedStore, generation: OpenGeneration, progress: Progress) -> Renewal:
    """Hold every cached answer against a generation: carry over those that hold, and erase the others.

    It may end at any point: what was not looked at belongs to another generation, and is checked before it is given.

    Raises:
        AnswerStoreError: The store cannot be read or written, or bytes of what was removed are still there.
        SearchError: The index engine failed.
    """
    total = store.usage().entries
    kept, died = 0, Counter[str]()
    lost: list[LostAnswer] = []
    dead: list[bytes] = []
    progress.update("check", 0, total)
    for number, stored in enumerate(store.entries(), start=1):
        entry = stored.entry
        reason = None if entry.generation == generation.id else why_outdated(entry, generation)
        if reason is None:
            kept += 1
            if entry.generation != generation.id:
                store.put(replace(entry, generation=generation.id))
        else:
            died[reason] += 1
            dead.append(entry.key)
            if stored.hits.count and entry.kind in {EntryKind.ANSWER, EntryKind.PINNED} and not entry.background:
                lost.append(LostAnswer(entry.question, entry.scope, stored.hits.count))
        if len(dead) == _REMOVED_AT_ONCE:
            store.remove(dead)
            dead.clear()
        progress.update("check", min(number, total), total)
    store.remove(dead)  # also where there are none: what was removed before is erased with it
    return Renewal(kept, dict(died.most_common()), tuple(sorted(lost, key=lambda one: -one.asked)))


def refresh(
    ask: Callable[[Question, Caller], Answer], lost: Sequence[LostAnswer], most_usd: Decimal, progress: Progress
) -> Refreshed:
    """Answer questions afresh, so that the cache has them again.

    Args:
        ask: Answers and keeps, as `AnswerService.ask`.
        lost: The questions, in the order in which money is spent on them.
        most_usd: No further question is asked once this is reached, or once a cost is unknown.
        progress: Is told how far it is.
    """
    answers, spent = 0, Decimal(0)
    progress.update("refresh", 0, len(lost))
    for number, one in enumerate(lost, start=1):
        if answers and spent >= most_usd:
            return Refreshed(answers, spent, f"${most_usd} are spent (cache.refresh_usd)")
        try:
            answer = ask(Question(one.question), Caller(one.scope, Spender(Surface.BACKGROUND)))
        except UnknownLabelError:  # the last page with a label of its readers is gone: nobody can ask it any more
            continue
        except (AnsweringError, CostsError) as error:
            return Refreshed(answers, spent, str(error))
        answers += 1
        cost_usd = answer.receipt.cost_usd
        if cost_usd is None:
            return Refreshed(answers, None, "the cost of an answer is unknown: give the model a price")
        spent += cost_usd
        progress.update("refresh", number, len(lost))
    return Refreshed(answers, spent, None)
