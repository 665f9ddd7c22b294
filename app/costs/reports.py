"""What the ledger adds up to: the figures of a report, the arithmetic between them, and the port that reads them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal, Protocol, TypeAlias

from app.costs.confidence import UsdBounds, share_bounds
from app.costs.hits import HitSum
from app.costs.ledger import Entry

Grouping: TypeAlias = Literal["team", "person", "model", "rung", "stage", "surface", "day"]
"""What a report can be broken down by."""

NO_HITS: Final = HitSum()


class Verdict(StrEnum):
    """What a person says of an answer."""

    RIGHT = "right"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one group of entries and cache hits, or of all of them.

    `name` is the team, person, model, rung, stage, surface or day (`2026-11-22`, in UTC); `None` for what belongs to none of
    them, and for the whole. `entries` counts all, `answers`, `abstentions`, `failed` and `lost` those with that outcome.

    `spent_usd` is the sum of what is known, exact; `unknown_cost_entries` says for how many entries something is missing from
    it. `saved_usd` is the sum over the entries whose saving is known, and `unknown_saved_entries` counts the others.

    Broken down by model or stage, money and tokens are those of the lines that belong to it, and an entry counts for each model
    or stage that it has a line of; `saved_usd` is `None`, because a saving does not split. Broken down by rung, money and tokens
    are those of the rung's lines, and everything else is of the entries that ended on that rung.

    `zero_token_answers` are answers for which no model read or wrote anything; `cached_answers` those from the cache. `hits` are
    the cache hits, which are no entries: each counts among all three kinds of answers, or else, where it gave an abstention
    again, among the abstentions, and its saving in `saved_usd` where that is known. By model or stage there are none.

    `right_answers` and `wrong_answers` count answers by the last verdict on each; `good_answers` are right and wholly grounded.
    `groundedness` is the mean over the entries that have one, in [0, 1]; `None` without any.
    """

    name: str | None
    entries: int
    answers: int
    abstentions: int
    failed: int
    lost: int
    spent_usd: Decimal
    unknown_cost_entries: int
    saved_usd: Decimal | None
    unknown_saved_entries: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    zero_token_answers: int
    cached_answers: int
    right_answers: int
    wrong_answers: int
    good_answers: int
    groundedness: float | None
    hits: HitSum = NO_HITS

    @property
    def cache_hits(self) -> int:
        """How many cache hits there were."""
        return self.hits.count

    @property
    def cost_per_answer_usd(self) -> Decimal | None:
        """All that was spent, by the answers it brought; `None` without answers, or when a cost is unknown."""
        if not self.answers or self.unknown_cost_entries:
            return None
        return self.spent_usd / self.answers

    @property
    def good_share(self) -> float | None:
        """The share of the answers with a verdict that are right and wholly grounded; `None` without verdicts."""
        judged = self.right_answers + self.wrong_answers
        return self.good_answers / judged if judged else None

    @property
    def cost_per_good_answer_usd(self) -> Decimal | None:
        """All that was spent, by the correct, grounded answers it brought, taking the answers with a verdict as a fair sample.

        `None` without verdicts, without a good answer, or when a cost is unknown.
        """
        per_answer = self.cost_per_answer_usd
        if per_answer is None or not self.good_answers:
            return None
        return per_answer * (self.right_answers + self.wrong_answers) / self.good_answers

    @property
    def zero_token_share(self) -> float | None:
        """The share of the answers for which no model read or wrote anything; `None` without answers."""
        return self.zero_token_answers / self.answers if self.answers else None

    @property
    def cached_share(self) -> float | None:
        """The share of the answers that came from the cache; `None` without answers."""
        return self.cached_answers / self.answers if self.answers else None

    def with_hits(self, hits: HitSum) -> "Summary":
        """The same with cache hits counted in."""
        answered = hits.count - hits.abstained
        return replace(
            self,
            answers=self.answers + answered,
            abstentions=self.abstentions + hits.abstained,
            zero_token_answers=self.zero_token_answers + answered,
            cached_answers=self.cached_answers + answered,
            saved_usd=(self.saved_usd or Decimal(0)) + hits.saved_usd,
            hits=self.hits.plus(hits),
        )


class LedgerReader(Protocol):
    """Reads the ledger for reports, and takes in what people say of the answers."""

    def summary(self, since: datetime, until: datetime, by: Grouping | None) -> Sequence[Summary]:
        """Add up the entries from `since` up to, not including, `until`, and the cache hits of all days that this touches.

        Returns:
            One row a group: days in order, everything else by what was spent, most first, then by name. With `by=None` exactly
            one row; otherwise none for a group without entries and hits.

        Raises:
            LedgerError: It cannot be read.
        """

    def hits(self, since: datetime, until: datetime) -> Mapping[str, HitSum]:
        """The cache hits that `summary` counts in, by kind.

        Raises:
            LedgerError: It cannot be read.
        """

    def entries(self, since: datetime, until: datetime) -> Iterator[Entry]:
        """The entries from `since` up to, not including, `until`, in the order of their time, then of their writing.

        Raises:
            LedgerError: It cannot be read.
        """

    def add_feedback(self, answer_id: str, verdict: Verdict, person: str | None, comment: str | None) -> None:
        """Write down what somebody says of an answer. The last verdict on an answer counts.

        Raises:
            UnknownEntryError: No entry has this id.
            LedgerError: It cannot be written.
        """

    def last_verdict(self, answer_id: str) -> Verdict | None:
        """What was said last of an answer; `None` where nobody said anything. Raises `LedgerError` when it cannot be read."""


def add_hits_to(rows: Iterable[Summary], hits: Mapping[str | None, HitSum]) -> list[Summary]:
    """Count the hits of each group, by name, into its row. A group of nothing but hits gets a row of its own."""
    summaries = {row.name: row for row in rows}
    for name, found in hits.items():
        summaries[name] = summaries.get(name, replace(_NOTHING, name=name)).with_hits(found)
    return list(summaries.values())


_NOTHING: Final = Summary(
    name=None,
    entries=0,
    answers=0,
    abstentions=0,
    failed=0,
    lost=0,
    spent_usd=Decimal(0),
    unknown_cost_entries=0,
    saved_usd=Decimal(0),
    unknown_saved_entries=0,
    input_tokens=0,
    output_tokens=0,
    cached_input_tokens=0,
    zero_token_answers=0,
    cached_answers=0,
    right_answers=0,
    wrong_answers=0,
    good_answers=0,
    groundedness=None,
)


def good_answer_bounds(summary: Summary) -> UsdBounds | None:
    """The 95 % interval of the cost per right and wholly grounded answer; `None` where that is unknown."""
    per_answer = summary.cost_per_answer_usd
    shares = share_bounds(summary.good_answers, summary.right_answers + summary.wrong_answers)
    if per_answer is None or shares is None or not summary.good_answers:
        return None
    low, high = shares
    return UsdBounds(per_answer / Decimal(high), per_answer / Decimal(low))
