"""The extractive rung: the units that answer, word for word, without any model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from app.answers.answers import Draft, DraftSentence
from indexing.documents import UnitKind
from indexing.language.question_form import QuestionForm
from retrieval.analysis import AnalysedUnit
from retrieval.answerability import answer_probability
from retrieval.passages import Context, ContextUnit
from retrieval.retriever import Evidence
from retrieval.weights import Weights


@dataclass(frozen=True, slots=True)
class ExtractionSettings:
    """How long an extractive answer may be, and how sure it must be.

    `min_probability` in [0, 1]: below it Farthing abstains. `max_units` are the most units chosen for their own sake;
    `max_list_items` the most items of one list that follow when one of them is chosen; `max_tokens` bounds the whole, save that
    the best unit always stands. A unit must have `min_share` of the best one's score to be chosen.
    """

    min_probability: float = 0.5
    max_units: int = 5
    max_list_items: int = 8
    max_tokens: int = 160
    min_share: float = 0.15


DEFAULT_EXTRACTION: Final = ExtractionSettings()

_TELLING_WORDS: Final = 4
"""A sentence or item with fewer words answers only as a part of a list that was asked for."""


def extract(
    evidence: Evidence, context: Context, weights: Weights, settings: ExtractionSettings = DEFAULT_EXTRACTION
) -> Draft | None:
    """Answer from the context's units, verbatim, or not at all.

    The best units come first in thought and in reading order on paper; each brings what introduces it, and where a list is
    wanted, the rest of its list.

    Returns:
        The draft, each sentence resting on its own unit; `None` when the evidence does not carry an answer.
    """
    if answer_probability(evidence, context, weights) < settings.min_probability:
        return None
    chosen = _choose(evidence, context, settings)
    ordered = [unit for number, unit in enumerate(context.units) if number in chosen]
    return Draft(tuple(DraftSentence(_analysed(evidence, unit).text, (unit,)) for unit in ordered))


def _choose(evidence: Evidence, context: Context, settings: ExtractionSettings) -> set[int]:
    """The numbers of the context's units that make the answer."""
    units = context.units
    by_score = sorted(range(len(units)), key=lambda number: -units[number].score)
    by_score = [number for number in by_score if _tells(evidence, units[number])] or by_score
    best = units[by_score[0]].score
    chosen: set[int] = set()
    used = own = 0
    for number in by_score:
        if own == settings.max_units or units[number].score < settings.min_share * best:
            break
        if number in chosen:
            own += 1
            continue
        alone = _with_introduction(units, number) - chosen
        group = alone | _items_beside(evidence, units, number, settings.max_list_items) - chosen
        if not chosen and _tokens(evidence, units, group) > settings.max_tokens:
            group = _fitting(evidence, units, alone, group, settings.max_tokens)
        cost = _tokens(evidence, units, group)
        if chosen and used + cost > settings.max_tokens:
            continue
        chosen |= group
        used += cost
        own += 1
    return chosen


def _with_introduction(units: Sequence[ContextUnit], number: int) -> set[int]:
    unit = units[number]
    lead_in = unit.chunk.units[unit.position].lead_in
    return {number, *(other for other, one in enumerate(units) if _same_chunk(one, unit) and one.position == lead_in)}


def _items_beside(evidence: Evidence, units: Sequence[ContextUnit], number: int, max_items: int) -> set[int]:
    """Of a list that is asked for, the items that the context has; nothing for other questions."""
    if evidence.terms.form is not QuestionForm.LIST:
        return set()
    unit = units[number]
    own = unit.chunk.units[unit.position]
    head = own.lead_in if own.kind is UnitKind.ITEM else unit.position
    items = [other for other, one in enumerate(units) if _same_chunk(one, unit) and _hangs_on(one, head)]
    return set(items[:max_items])


def _fitting(evidence: Evidence, units: Sequence[ContextUnit], alone: set[int], group: set[int], max_tokens: int) -> set[int]:
    """The best unit with what introduces it, and of its list the first items that leave the answer short enough."""
    fitting = set(alone)
    for number in sorted(group - alone):
        if _tokens(evidence, units, {*fitting, number}) > max_tokens:
            break
        fitting.add(number)
    return fitting


def _tokens(evidence: Evidence, units: Sequence[ContextUnit], numbers: Iterable[int]) -> int:
    return sum(_analysed(evidence, units[number]).tokens for number in numbers)


def _tells(evidence: Evidence, unit: ContextUnit) -> bool:
    """Whether a unit says something by itself: a few words do not, and neither does a sentence that only introduces."""
    kind = unit.chunk.units[unit.position].kind
    if kind in {UnitKind.TABLE, UnitKind.CODE}:
        return True
    own = _analysed(evidence, unit)
    short = own.word_count < _TELLING_WORDS and evidence.terms.form is not QuestionForm.LIST
    return not short and not own.text.endswith(":")


def _hangs_on(unit: ContextUnit, head: int | None) -> bool:
    own = unit.chunk.units[unit.position]
    return own.kind is UnitKind.ITEM and own.lead_in == head


def _same_chunk(one: ContextUnit, other: ContextUnit) -> bool:
    return one.chunk.id == other.chunk.id


def _analysed(evidence: Evidence, unit: ContextUnit) -> AnalysedUnit:
    return evidence.analysed[unit.chunk.id].units[unit.position]
