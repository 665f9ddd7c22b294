"""The extractive rung: the units that answer, word for word, without any model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.answering.answers import Draft, DraftSentence
from indexing.documents import UnitKind
from retrieval.analysis import AnalysedUnit
from retrieval.answerability import answer_probability
from retrieval.passages import Context, ContextUnit
from retrieval.question_form import QuestionForm
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
        group = _with_list(evidence, units, number, settings.max_list_items) - chosen
        cost = sum(_analysed(evidence, units[one]).tokens for one in group)
        if chosen and used + cost > settings.max_tokens:
            continue
        chosen |= group
        used += cost
        own += 1
    return chosen


def _with_list(evidence: Evidence, units: Sequence[ContextUnit], number: int, max_items: int) -> set[int]:
    """A unit with its introduction; of a list that is asked for, with the items beside it as far as the context has them."""
    unit = units[number]
    lead_in = unit.chunk.units[unit.position].lead_in
    wanted = {number}
    wanted |= {other for other, one in enumerate(units) if _same_chunk(one, unit) and one.position == lead_in}
    if evidence.terms.form is QuestionForm.LIST:
        is_item = unit.chunk.units[unit.position].kind is UnitKind.ITEM
        head = lead_in if is_item else unit.position
        items = [other for other, one in enumerate(units) if _same_chunk(one, unit) and _hangs_on(one, head)]
        wanted |= set(items[:max_items])
    return wanted


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
