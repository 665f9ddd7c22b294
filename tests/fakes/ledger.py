"""A ledger in memory, which forgets everything with its process. It is its own reader."""

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from app.costs.budgets import Limit, Payer, Period, Standing, period_start
from app.costs.errors import UnknownEntryError
from app.costs.hits import HitGroup, HitSum
from app.costs.ledger import Entry, Hold, Outcome, Spender
from app.costs.limits import Used, binding_limits, limit_use, payers, require_room
from app.costs.measured import SUFFIX, MeasuredPair
from app.costs.receipts import ReceiptLine
from app.costs.reports import Grouping, Summary, Verdict, add_hits_to
from app.costs.rungs import Rung

_Account = tuple[Payer, str, Period, datetime]


class FakeLedger:
    """`Ledger`, `HitLedger` and `LedgerReader`. Its entries lie open in `written`."""

    def __init__(self, limits: Sequence[Limit] = (), clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.written: dict[str, Entry] = {}
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._used: dict[_Account, Used] = defaultdict(Used)
        self._holds: dict[str, list[tuple[Hold, datetime]]] = defaultdict(list)
        self._verdicts: dict[str, Verdict] = {}
        self._hits: dict[HitGroup, HitSum] = defaultdict(HitSum)

    def standing(self, spender: Spender) -> Standing:
        now = self._clock()
        with self._lock:
            return Standing(
                tuple(
                    limit_use(limit, name, self._of(limit, name, now), now)
                    for limit, name in binding_limits(self._limits, spender)
                )
            )

    def reserve(self, hold: Hold) -> None:
        now = self._clock()
        with self._lock:
            for limit, name in binding_limits(self._limits, hold.spender):
                require_room(limit, name, self._of(limit, name, now), hold, now)
            for account in _accounts(hold.spender, now):
                self._hold(account, hold, 1)
            self._holds[hold.answer_id].append((hold, now))

    def settle(self, entry: Entry) -> None:
        now = self._clock()
        with self._lock:
            if entry.id in self.written:
                return
            self.written[entry.id] = entry
            holds = self._holds.pop(entry.id, [])
            for hold, at in holds:
                for account in _accounts(hold.spender, at):
                    self._hold(account, hold, -1)
            cost, receipt = entry.receipt.cost_usd, entry.receipt
            for account in _accounts(entry.spender, holds[0][1] if holds else now):
                used = self._used[account]
                self._used[account] = replace(
                    used,
                    spent_usd=used.spent_usd + _known(receipt.lines),
                    spent_tokens=used.spent_tokens + receipt.input_tokens + receipt.output_tokens,
                    unknown_entries=used.unknown_entries + (cost is None),
                )

    def add_hits(self, hits: Mapping[HitGroup, HitSum]) -> None:
        with self._lock:
            for group, found in hits.items():
                self._hits[group] = self._hits[group].plus(found)

    def summary(self, since: datetime, until: datetime, by: Grouping | None) -> Sequence[Summary]:
        entries = list(self.entries(since, until))
        if by is None:
            return add_hits_to([self._summary(None, entries, entries, None)], self._hits_by(since, until, lambda _: None))
        lines, ended = defaultdict(list), defaultdict(list)
        for entry in entries:
            for name in {_line_name(line, by, entry) for line in entry.receipt.lines}:
                lines[name].append(entry)
            for name in {entry.rung_path[-1] if entry.rung_path else None} if by == "rung" else _entry_names(entry, by):
                ended[name].append(entry)
        rows = [self._summary(name, lines[name], ended[name], by) for name in {*lines, *ended}]
        if by not in {"model", "stage"}:
            rows = add_hits_to(rows, self._hits_by(since, until, lambda group: _hit_name(group, by)))
        if by == "day":
            return sorted(rows, key=lambda row: row.name or "")
        return sorted(rows, key=lambda row: (-row.spent_usd, row.name is None, row.name or ""))

    def hits(self, since: datetime, until: datetime) -> Mapping[str, HitSum]:
        return {str(kind): found for kind, found in self._hits_by(since, until, lambda group: group.kind).items()}

    def entries(self, since: datetime, until: datetime) -> Iterator[Entry]:
        yield from sorted((e for e in self.written.values() if since <= e.at < until), key=lambda entry: entry.at)

    def measured_pairs(self, since: datetime, until: datetime) -> Sequence[MeasuredPair]:
        pairs = []
        for entry in self.written.values():
            answer = self.written.get(entry.id.removesuffix(SUFFIX))
            if answer and answer is not entry and since <= entry.at < until and entry.outcome is Outcome.WORK and entry.rung_path:
                cost, naive = answer.receipt.cost_usd, entry.receipt.cost_usd
                if cost is not None and naive is not None:
                    pairs.append(MeasuredPair(answer.id, cost, naive))
        return pairs

    def add_feedback(self, answer_id: str, verdict: Verdict, person: str | None, comment: str | None) -> None:  # noqa: ARG002 - the port's signature
        if answer_id not in self.written:
            raise UnknownEntryError(f"The ledger has no answer {answer_id!r}.")
        self._verdicts[answer_id] = verdict

    def last_verdict(self, answer_id: str) -> Verdict | None:
        return self._verdicts.get(answer_id)

    def _hits_by(self, since: datetime, until: datetime, name: Callable[[HitGroup], str | None]) -> dict[str | None, HitSum]:
        sums: dict[str | None, HitSum] = defaultdict(HitSum)
        first, last = since.astimezone(UTC).date(), (until - timedelta(microseconds=1)).astimezone(UTC).date()
        with self._lock:
            for group, found in self._hits.items():
                if first <= group.day <= last:
                    sums[name(group)] = sums[name(group)].plus(found)
        return sums

    def _of(self, limit: Limit, name: str, now: datetime) -> Used:
        return self._used[limit.payer, name, limit.period, period_start(limit.period, now)]

    def _hold(self, account: _Account, hold: Hold, sign: int) -> None:
        used = self._used[account]
        self._used[account] = replace(
            used,
            held_usd=used.held_usd + sign * (hold.cost_usd or Decimal(0)),
            held_tokens=used.held_tokens + sign * hold.tokens,
        )

    def _summary(self, name: str | None, spent: list[Entry], ended: list[Entry], by: Grouping | None) -> Summary:
        lines = [(e, line) for e in spent for line in e.receipt.lines if by is None or _line_name(line, by, e) == name]
        answers = [entry for entry in ended if entry.outcome is Outcome.ANSWERED]
        right = [entry for entry in answers if self._verdicts.get(entry.id) is Verdict.RIGHT]
        saved = [entry.receipt.saved_usd for entry in ended]
        grounded = [entry.groundedness for entry in ended if entry.groundedness is not None]
        return Summary(
            name=name,
            entries=len(ended),
            answers=len(answers),
            abstentions=sum(entry.outcome is Outcome.ABSTAINED for entry in ended),
            failed=sum(entry.outcome is Outcome.FAILED for entry in ended),
            lost=sum(entry.outcome is Outcome.LOST for entry in ended),
            spent_usd=_known([line for _, line in lines]),
            unknown_cost_entries=len({entry.id for entry, line in lines if line.cost_usd is None}),
            saved_usd=None if by in {"model", "stage"} else sum((s for s in saved if s is not None), Decimal(0)),
            unknown_saved_entries=sum(s is None for s in saved),
            input_tokens=sum(line.input_tokens for _, line in lines),
            output_tokens=sum(line.output_tokens for _, line in lines),
            cached_input_tokens=sum(line.cached_input_tokens for _, line in lines),
            zero_token_answers=sum(not (e.receipt.input_tokens or e.receipt.output_tokens) for e in answers),
            cached_answers=sum(entry.rung_path[-1:] == (Rung.CACHE,) for entry in answers),
            right_answers=len(right),
            wrong_answers=sum(self._verdicts.get(entry.id) is Verdict.WRONG for entry in answers),
            good_answers=sum((entry.groundedness or 0) >= 1 for entry in right),
            groundedness=sum(grounded) / len(grounded) if grounded else None,
        )


def _accounts(spender: Spender, at: datetime) -> list[_Account]:
    return [(payer, name, period, period_start(period, at)) for payer, name in payers(spender).items() for period in Period]


def _known(lines: Sequence[ReceiptLine]) -> Decimal:
    return sum((line.cost_usd for line in lines if line.cost_usd is not None), Decimal(0))


def _entry_names(entry: Entry, by: Grouping) -> set[str | None]:
    if by in {"model", "stage"}:
        return {_line_name(line, by, entry) for line in entry.receipt.lines}
    return {
        {
            "team": entry.spender.team,
            "person": entry.spender.person,
            "surface": entry.spender.surface.value,
            "day": entry.at.astimezone(UTC).date().isoformat(),
        }[by]
    }


def _hit_name(group: HitGroup, by: Grouping) -> str | None:
    spender = group.spender
    of_hit = {"team": spender.team, "person": spender.person, "surface": spender.surface.value, "rung": Rung.CACHE}
    return of_hit[by] if by in of_hit else group.day.isoformat()


def _line_name(line: ReceiptLine, by: Grouping, entry: Entry) -> str | None:
    of_line = {"model": line.model, "stage": line.stage.value, "rung": line.rung}
    return of_line[by] if by in of_line else next(iter(_entry_names(entry, by)))
