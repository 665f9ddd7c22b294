"""Reports from the ledger's tables: added up by the database, so that a million entries take seconds."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, FromClause, Row

from app.adapters.sql.database import LedgerDatabase
from app.adapters.sql.money import from_pico
from app.adapters.sql.schema import CACHE_HITS, ENTRIES, ENTRY_LINES, FEEDBACK, QUESTION_TEXTS, from_us, to_us
from app.costs.errors import UnknownEntryError
from app.costs.hits import HitSum
from app.costs.ledger import Entry, Outcome, Spender, Surface
from app.costs.measured import SUFFIX, MeasuredPair
from app.costs.receipts import NaivePrompt, Receipt, ReceiptLine, Stage
from app.costs.reports import Grouping, Summary, Verdict, add_hits_to
from app.costs.rungs import Rung

_PAGE: Final = 1_000
_DAY_US: Final = 86_400_000_000
_HALF: Final = 10**6
"""Sums are taken of millions and of the rest apart: a sum of 64-bit amounts may need more than 64 bits."""

_WHOLLY_GROUNDED: Final = 1.0
_LINE_GROUPS: Final = {"model": ENTRY_LINES.c.model, "stage": ENTRY_LINES.c.stage, "rung": ENTRY_LINES.c.rung}
_ENTRY_GROUPS: Final = {
    "team": ENTRIES.c.team,
    "person": ENTRIES.c.person,
    "surface": ENTRIES.c.surface,
    "rung": ENTRIES.c.last_rung,
    "day": ENTRIES.c.at_us // _DAY_US,
}
_HIT_GROUPS: Final = {
    "team": CACHE_HITS.c.team,
    "person": CACHE_HITS.c.person,
    "surface": CACHE_HITS.c.surface,
    "rung": sa.literal(Rung.CACHE),
    "day": CACHE_HITS.c.day,
}


class SqlLedgerReader:
    """`LedgerReader` over SQLite or PostgreSQL. Safe to use from several threads."""

    def __init__(self, database: LedgerDatabase, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read a database, which the caller closes. `clock` dates what people say."""
        self._database = database
        self._clock = clock

    def summary(self, since: datetime, until: datetime, by: Grouping | None) -> Sequence[Summary]:
        """Add up the entries from `since` up to, not including, `until`, and the cache hits of all days that this touches.

        What a row holds stands with `Summary`.

        Raises:
            LedgerError: It cannot be read.
        """
        within = sa.and_(ENTRIES.c.at_us >= to_us(since), ENTRIES.c.at_us < to_us(until))
        with self._database.reading() as connection:
            if by in _LINE_GROUPS:
                lines = _LINE_GROUPS[by]
                rows = {row.name: row for row in connection.execute(_of_lines(lines, within))}
                owners = _entry_groups(by, lines, within)
                figures = {row.name: row for row in connection.execute(_of_entries(*owners, within, money=by == "rung"))}
                summaries = [_merged(name, rows.get(name), figures.get(name)) for name in {**rows, **figures}]
            else:
                group = _ENTRY_GROUPS[by] if by else sa.null()
                found = connection.execute(_of_entries(group, ENTRIES, within, money=True, whole=by is None))
                summaries = [_merged(_name(row.name, by), row, row) for row in found]
            if by is None or by in _HIT_GROUPS:
                group = _HIT_GROUPS[by] if by else sa.null()
                summaries = add_hits_to(summaries, _hits(connection, group, since, until))
        if by == "day":
            return sorted(summaries, key=lambda row: row.name or "")
        return sorted(summaries, key=lambda row: (-row.spent_usd, row.name is None, row.name or ""))

    def hits(self, since: datetime, until: datetime) -> Mapping[str, HitSum]:
        """The cache hits that `summary` counts in, by kind.

        Raises:
            LedgerError: It cannot be read.
        """
        with self._database.reading() as connection:
            return {str(kind): found for kind, found in _hits(connection, CACHE_HITS.c.kind, since, until).items()}

    def entries(self, since: datetime, until: datetime) -> Iterator[Entry]:
        """The entries from `since` up to, not including, `until`, in the order of their time, then of their writing.

        They are read a page at a time, so that a slow reader keeps nobody waiting.

        Raises:
            LedgerError: It cannot be read.
        """
        place = sa.tuple_(ENTRIES.c.at_us, ENTRIES.c.number)
        after = (to_us(since), 0)
        statement = (
            sa.select(ENTRIES, QUESTION_TEXTS.c.question)
            .outerjoin(QUESTION_TEXTS, QUESTION_TEXTS.c.entry_number == ENTRIES.c.number)
            .where(ENTRIES.c.at_us < to_us(until))
            .order_by(ENTRIES.c.at_us, ENTRIES.c.number)
            .limit(_PAGE)
        )
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(statement.where(place > after)).all()
                lines = _lines(connection, [row.number for row in rows])
            yield from (_entry(row, lines[row.number]) for row in rows)
            if len(rows) < _PAGE:
                return
            after = (rows[-1].at_us, rows[-1].number)

    def measured_pairs(self, since: datetime, until: datetime) -> Sequence[MeasuredPair]:
        """The pairs that were measured from `since` up to, not including, `until`, in the order of their writing.

        Raises:
            LedgerError: It cannot be read.
        """
        naive, answer = ENTRIES.alias(), ENTRIES.alias()
        statement = (
            sa.select(answer.c.id, answer.c.cost_pico_usd, naive.c.cost_pico_usd.label("naive_pico_usd"))
            .join(answer, answer.c.id == sa.func.substr(naive.c.id, 1, sa.func.length(naive.c.id) - len(SUFFIX)))
            .where(naive.c.at_us >= to_us(since), naive.c.at_us < to_us(until))
            .where(naive.c.outcome == Outcome.WORK.value, naive.c.id.endswith(SUFFIX), naive.c.last_rung.is_not(None))
            .where(naive.c.cost_pico_usd.is_not(None), answer.c.cost_pico_usd.is_not(None))
            .order_by(naive.c.number)
        )
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return [MeasuredPair(row.id, from_pico(row.cost_pico_usd), from_pico(row.naive_pico_usd)) for row in rows]

    def add_feedback(self, answer_id: str, verdict: Verdict, person: str | None, comment: str | None) -> None:
        """Write down what somebody says of an answer. The last verdict on an answer counts.

        Raises:
            UnknownEntryError: No entry has this id.
            LedgerError: It cannot be written.
        """
        with self._database.writing() as connection:
            number = connection.execute(sa.select(ENTRIES.c.number).where(ENTRIES.c.id == answer_id)).scalar()
            if number is None:
                raise UnknownEntryError(
                    f"The ledger has no answer {answer_id!r}. Give the id as it stands on the answer's receipt."
                )
            connection.execute(
                sa.insert(FEEDBACK).values(
                    entry_number=number, at_us=to_us(self._clock()), verdict=verdict.value, person=person, comment=comment
                )
            )

    def last_verdict(self, answer_id: str) -> Verdict | None:
        """What was said last of an answer; `None` where nobody said anything. Raises `LedgerError` when it cannot be read."""
        said = sa.select(FEEDBACK.c.verdict).join(ENTRIES, ENTRIES.c.number == FEEDBACK.c.entry_number)
        with self._database.reading() as connection:
            verdict = connection.execute(said.where(ENTRIES.c.id == answer_id).order_by(FEEDBACK.c.number.desc())).scalar()
        return None if verdict is None else Verdict(verdict)


def _sums(column: ColumnElement[Any], label: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return sa.func.sum(column // _HALF).label(f"{label}_high"), sa.func.sum(column % _HALF).label(f"{label}_low")


def _count(condition: ColumnElement[bool], label: str) -> ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0).label(label)


def _tokens(table: sa.Table) -> list[ColumnElement[int]]:
    columns = (table.c.input_tokens, table.c.output_tokens, table.c.cached_input_tokens)
    return [sa.func.coalesce(sa.func.sum(column), 0).label(column.name) for column in columns]


def _of_lines(group: ColumnElement[Any], within: ColumnElement[bool]) -> sa.Select[Any]:
    """Money and tokens of lines, by a column of theirs."""
    unknown = sa.case((ENTRY_LINES.c.cost_pico_usd.is_(None), ENTRY_LINES.c.entry_number))
    return (
        sa.select(
            group.label("name"),
            *_sums(ENTRY_LINES.c.cost_pico_usd, "cost"),
            sa.func.count(sa.distinct(unknown)).label("unknown_cost"),
            *_tokens(ENTRY_LINES),
        )
        .join(ENTRIES, ENTRIES.c.number == ENTRY_LINES.c.entry_number)
        .where(within)
        .group_by(group)
    )


def _entry_groups(by: str, group: ColumnElement[Any], within: ColumnElement[bool]) -> tuple[ColumnElement[Any], FromClause]:
    """Which group entries belong to, and where they stand: their last rung, or else each model or stage they have a line of."""
    if by == "rung":
        return ENTRIES.c.last_rung, ENTRIES
    owners = (
        sa.select(ENTRY_LINES.c.entry_number, group.label("name"))
        .join(ENTRIES, ENTRIES.c.number == ENTRY_LINES.c.entry_number)
        .where(within)
        .distinct()
        .subquery()
    )
    return owners.c.name, owners.join(ENTRIES, ENTRIES.c.number == owners.c.entry_number)


def _of_entries(
    group: ColumnElement[Any], source: FromClause, within: ColumnElement[bool], *, money: bool, whole: bool = False
) -> sa.Select[Any]:
    """Everything about entries, by group; `money` with what they saved, which only whole entries have."""
    last = sa.select(sa.func.max(FEEDBACK.c.number)).group_by(FEEDBACK.c.entry_number)
    said = sa.select(FEEDBACK.c.entry_number, FEEDBACK.c.verdict).where(FEEDBACK.c.number.in_(last)).subquery()
    answered = ENTRIES.c.outcome == Outcome.ANSWERED.value
    right = sa.and_(answered, said.c.verdict == Verdict.RIGHT.value)
    saved = [*_sums(ENTRIES.c.saved_pico_usd, "saved")] if money else []
    statement = (
        sa.select(
            group.label("name"),
            sa.func.count().label("entries"),
            _count(answered, "answers"),
            _count(ENTRIES.c.outcome == Outcome.ABSTAINED.value, "abstentions"),
            _count(ENTRIES.c.outcome == Outcome.FAILED.value, "failed"),
            _count(ENTRIES.c.outcome == Outcome.LOST.value, "lost"),
            *_sums(ENTRIES.c.known_pico_usd, "cost"),
            _count(ENTRIES.c.cost_pico_usd.is_(None), "unknown_cost"),
            *saved,
            _count(ENTRIES.c.saved_pico_usd.is_(None), "unknown_saved"),
            *_tokens(ENTRIES),
            _count(sa.and_(answered, ENTRIES.c.input_tokens + ENTRIES.c.output_tokens == 0), "zero_token"),
            _count(sa.and_(answered, ENTRIES.c.last_rung == Rung.CACHE), "cached"),
            _count(right, "right"),
            _count(sa.and_(answered, said.c.verdict == Verdict.WRONG.value), "wrong"),
            _count(sa.and_(right, ENTRIES.c.groundedness >= _WHOLLY_GROUNDED), "good"),
            sa.func.avg(ENTRIES.c.groundedness).label("groundedness"),
        )
        .select_from(source.outerjoin(said, said.c.entry_number == ENTRIES.c.number))
        .where(within)
    )
    return statement if whole else statement.group_by(group)


def _hits(connection: Connection, group: ColumnElement[Any], since: datetime, until: datetime) -> dict[str | None, HitSum]:
    """The sums of the days that the time touches, by group."""
    first, last = (from_us(to_us(at)).date().isoformat() for at in (since, until - timedelta(microseconds=1)))
    named = sa.select(group.label("name"), CACHE_HITS).where(CACHE_HITS.c.day.between(first, last)).subquery()
    statement: sa.Select[Any] = sa.select(
        named.c.name,
        sa.func.sum(named.c.hits).label("hits"),
        *_sums(named.c.saved_pico_usd, "saved"),
        sa.func.sum(named.c.unknown_saved).label("unknown_saved"),
        sa.func.sum(named.c.abstained).label("abstained"),
    ).group_by(named.c.name)
    return {
        row.name: HitSum(int(row.hits), _total(row, "saved"), int(row.unknown_saved), int(row.abstained))
        for row in connection.execute(statement)
    }


def _total(row: Row[Any], label: str) -> Decimal:
    parts = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return from_pico(int(parts[f"{label}_high"] or 0) * _HALF + int(parts[f"{label}_low"] or 0))


def _merged(name: str | None, spent: Row[Any] | None, figures: Row[Any] | None) -> Summary:
    """One row of a report: money and tokens from one query, everything else from another, either of which may lack the group."""
    has_saved = figures is not None and "saved_high" in figures._fields
    return Summary(
        name=name,
        entries=figures.entries if figures else 0,
        answers=figures.answers if figures else 0,
        abstentions=figures.abstentions if figures else 0,
        failed=figures.failed if figures else 0,
        lost=figures.lost if figures else 0,
        spent_usd=_total(spent, "cost") if spent else Decimal(0),
        unknown_cost_entries=spent.unknown_cost if spent else 0,
        saved_usd=_total(figures, "saved") if figures and has_saved else None,
        unknown_saved_entries=figures.unknown_saved if figures else 0,
        input_tokens=int(spent.input_tokens) if spent else 0,
        output_tokens=int(spent.output_tokens) if spent else 0,
        cached_input_tokens=int(spent.cached_input_tokens) if spent else 0,
        zero_token_answers=figures.zero_token if figures else 0,
        cached_answers=figures.cached if figures else 0,
        right_answers=figures.right if figures else 0,
        wrong_answers=figures.wrong if figures else 0,
        good_answers=figures.good if figures else 0,
        groundedness=figures.groundedness if figures else None,
    )


def _name(value: Any, by: Grouping | None) -> str | None:
    if by == "day":
        return from_us(value * _DAY_US).date().isoformat()
    return None if value is None else str(value)


def _lines(connection: Connection, numbers: Sequence[int]) -> dict[int, list[ReceiptLine]]:
    statement = sa.select(ENTRY_LINES).where(ENTRY_LINES.c.entry_number.in_(numbers)).order_by(*ENTRY_LINES.primary_key.columns)
    lines = defaultdict(list)
    for row in connection.execute(statement):
        lines[row.entry_number].append(
            ReceiptLine(
                stage=Stage(row.stage),
                input_tokens=row.input_tokens,
                output_tokens=row.output_tokens,
                cost_usd=from_pico(row.cost_pico_usd),
                ms=row.ms,
                cached_input_tokens=row.cached_input_tokens,
                rung=row.rung,
                model=row.model,
                estimated=row.estimated,
            )
        )
    return lines


def _entry(row: Row[Any], lines: Sequence[ReceiptLine]) -> Entry:
    return Entry(
        id=row.id,
        at=from_us(row.at_us),
        spender=Spender(Surface(row.surface), row.person, row.team, row.api_key),
        question_hash=row.question_hash,
        question=row.question,
        outcome=Outcome(row.outcome),
        rung_path=tuple(json.loads(row.rung_path)),
        receipt=Receipt(
            tuple(lines),
            NaivePrompt(row.baseline_tokens, from_pico(row.baseline_pico_usd)),
            row.ms,
            tuple(json.loads(row.notes)),
        ),
        groundedness=row.groundedness,
        generation=row.generation,
        prices=row.prices,
        prompt=row.prompt,
        profile=row.profile,
    )
