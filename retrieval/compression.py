"""The units that answer, under a budget, in reading order: none is cut, and none stands without its lead-in."""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from indexing.documents import PREFACE, UnitKind
from indexing.language import Language
from indexing.tokens import TokenCounter
from retrieval.analysis import AnalysedChunk
from retrieval.passages import Context, ContextUnit, Passage
from retrieval.rendering import headings_above, needs_preface, render
from retrieval.retriever import Evidence
from retrieval.unit_scoring import score_units
from retrieval.weights import Weights

_JOIN_TOKENS: Final = 1
"""What the line break or space around a unit costs."""

_NEIGHBOUR_LOG_ODDS: Final = 0.3
"""How much likelier a unit becomes when the one beside it is chosen.

Source: on the questions of `eval.training` in all their forms, with weights learned on other handbooks, 0.3 keeps 0.2 to 0.7
points more evidence than 0 at 450 and 500 tokens, and 1 keeps less.
"""

_CERTAIN: Final = 60.0

_MISSES: Final = 12
"""After so many units in a row that do not fit, the budget counts as full."""


@dataclass(frozen=True, slots=True)
class _Pool:
    """The units to choose from, flat: passages in the order of their rank, the units of each in reading order."""

    units: Sequence[ContextUnit]
    analysed: Sequence[AnalysedChunk]  # of the unit's chunk, one for each unit
    first_of_chunk: Mapping[str, int]
    document_order: Mapping[str, int]
    language: Language


def compress(
    evidence: Evidence,
    passages: Sequence[Passage],
    weights: Weights,
    counter: TokenCounter,
    budget_tokens: int,
) -> Context:
    """Pack the units that most likely answer the question into the budget.

    Units are taken from the likeliest down, each with what it cannot be read without: the introduction of its list, the head of
    its table, the sentence before when it opens with a pronoun or connective, the next one when that limits it ("unless",
    "except", "only if"). Where that does not fit, the unit is passed over. Tables and code blocks are units and come whole. The
    headings above a run of units are printed once. When the words tell the units of a passage apart no more, its rank decides,
    and so it comes whole.

    Args:
        evidence: What retrieval found.
        passages: The selected passages, best first.
        weights: The learned weights.
        counter: Counts the packed text.
        budget_tokens: The most tokens that the context may have, headings included.

    Returns:
        The context, documents in the order of their best passage, units of one document in reading order. Empty when nothing
        fits.
    """
    pool = _pool(evidence, passages, weights)
    groups = _fill(pool, budget_tokens)
    context = _pack(pool, groups, evidence, counter)
    while context.tokens > budget_tokens:  # the parts were counted one by one; together they may be a few tokens more
        groups.pop()  # a whole group, so that no unit loses what it cannot be read without
        context = _pack(pool, groups, evidence, counter)
    return context


def _pack(pool: _Pool, groups: Sequence[set[int]], evidence: Evidence, counter: TokenCounter) -> Context:
    units = tuple(pool.units[index] for index in _reading_order(pool, set[int]().union(*groups)))
    text = render(units, evidence.analysed)
    return Context(units, text, counter.count(text))


def _pool(evidence: Evidence, passages: Sequence[Passage], weights: Weights) -> _Pool:
    of_passages = [evidence.analysed[passage.chunk.id] for passage in passages]
    units = score_units(evidence.terms, passages, of_passages, weights)
    first_of_chunk: dict[str, int] = {}
    document_order: dict[str, int] = {}
    for index, unit in enumerate(units):
        first_of_chunk.setdefault(unit.chunk.id, index)
        document_order.setdefault(unit.chunk.document_id, len(document_order))
    analysed = [evidence.analysed[unit.chunk.id] for unit in units]
    return _Pool(units, analysed, first_of_chunk, document_order, evidence.language)


def _fill(pool: _Pool, budget_tokens: int) -> list[set[int]]:
    """The units taken, likeliest first, each with the companions that were not there yet."""
    groups: list[set[int]] = []
    chosen: set[int] = set()
    headings: set[tuple[str, ...]] = set()
    prefaces: set[str] = set()
    seen_texts: set[str] = set()
    used = misses = 0
    queue = _Queue(pool)
    while misses < _MISSES and (index := queue.pop()) is not None:
        if index in chosen or _text(pool, index) in seen_texts:
            continue
        wanted = _with_companions(pool, index) - chosen
        chunk, analysed = pool.units[index].chunk, pool.analysed[index]
        above = headings_above(chunk)
        with_preface = chunk.id not in prefaces and needs_preface(pool.units[one] for one in wanted)
        cost = sum(_unit_tokens(pool, one) for one in wanted)
        cost += sum(
            tokens + _JOIN_TOKENS
            for heading, tokens in zip(above, analysed.heading_tokens, strict=True)
            if heading not in headings
        )
        cost += analysed.preface_tokens + _JOIN_TOKENS if with_preface else 0
        if used + cost > budget_tokens:
            misses += 1
            continue
        misses = 0
        used += cost
        chosen |= wanted
        groups.append(wanted)
        headings.update(above)
        seen_texts.update(_text(pool, one) for one in wanted)
        if with_preface:
            prefaces.add(chunk.id)
        queue.favour_neighbours(wanted)
    return groups


class _Queue:
    """The units, likeliest first, ties in reading order; those beside a chosen one become likelier: evidence comes in runs."""

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._odds = [_log_odds(unit.score) for unit in pool.units]
        self._heap = [(-odds, index) for index, odds in enumerate(self._odds)]
        heapq.heapify(self._heap)

    def pop(self) -> int | None:
        """The likeliest unit that is left; `None` after the last."""
        while self._heap:
            odds, index = heapq.heappop(self._heap)
            if -odds == self._odds[index]:  # else it was favoured since, and stands in the queue once more
                self._odds[index] = -math.inf
                return index
        return None

    def favour_neighbours(self, chosen: Iterable[int]) -> None:
        """Raise the units right before and after the chosen ones in their chunks."""
        for index in chosen:
            for beside in (index - 1, index + 1):
                inside = 0 <= beside < len(self._odds) and self._pool.units[beside].chunk.id == self._pool.units[index].chunk.id
                if inside and self._odds[beside] > -math.inf:
                    self._odds[beside] += _NEIGHBOUR_LOG_ODDS
                    heapq.heappush(self._heap, (-self._odds[beside], beside))


def _log_odds(probability: float) -> float:
    return math.log(probability / (1.0 - probability)) if 0.0 < probability < 1.0 else math.copysign(_CERTAIN, probability - 0.5)


def _is_caveat(pool: _Pool, index: int) -> bool:
    return pool.language.pattern("passages", "caveat").search(_text(pool, index)) is not None


def _with_companions(pool: _Pool, index: int) -> set[int]:
    """A unit and the units of its chunk without which it must not be read."""
    unit = pool.units[index]
    first = pool.first_of_chunk[unit.chunk.id]
    last = first + len(unit.chunk.units) - 1
    wanted: set[int] = set()
    waiting = [index]
    if index < last and unit.chunk.units[index + 1 - first].kind is UnitKind.SENTENCE and _is_caveat(pool, index + 1):
        waiting.append(index + 1)
    while waiting:
        current = waiting.pop()
        if current in wanted:
            continue
        wanted.add(current)
        own = unit.chunk.units[current - first]
        if own.lead_in is not None and own.lead_in != PREFACE:
            waiting.append(first + own.lead_in)
        if (
            current > first
            and own.kind is UnitKind.SENTENCE
            and pool.language.pattern("passages", "opener").match(_text(pool, current))
        ):
            waiting.append(current - 1)
    return wanted


def _reading_order(pool: _Pool, chosen: Iterable[int]) -> list[int]:
    def place(index: int) -> tuple[int, int, int]:
        unit = pool.units[index]
        return pool.document_order[unit.chunk.document_id], unit.chunk.ordinal, unit.position

    return sorted(chosen, key=place)


def _text(pool: _Pool, index: int) -> str:
    return pool.analysed[index].units[pool.units[index].position].text


def _unit_tokens(pool: _Pool, index: int) -> int:
    return pool.analysed[index].units[pool.units[index].position].tokens + _JOIN_TOKENS
