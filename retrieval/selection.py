"""How many passages a question needs: decided by the shape of the scores and the kind of question, not by a constant."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from indexing.language.question_form import QuestionForm
from retrieval.passages import Passage
from retrieval.retriever import Evidence

WIDE: Final = 20
NARROW: Final = 8

DEFAULT_CEILINGS: Final[Mapping[QuestionForm, int]] = {
    QuestionForm.LIST: WIDE,
    QuestionForm.COMPARISON: WIDE,
    QuestionForm.PROCEDURE: WIDE,
    QuestionForm.NUMBER: NARROW,
    QuestionForm.CONTACT: NARROW,
    QuestionForm.YES_NO: NARROW,
    QuestionForm.DEFINITION: NARROW,
    QuestionForm.FACT: NARROW,
}
"""The most passages by form of question.

Source: on the 463 main questions of `eval.training`, with weights learned on other handbooks, 8 for the narrow forms keeps as
much evidence as 20. `farthing tune` tries others.
"""

_TELLING_TERMS: Final = 8
"""Passages with fewer terms may share them all and still say different things."""


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """What `farthing tune` may change.

    `max_score_gap` is how far a passage's score may stay behind the best one's; `ceilings` is the most passages by form of
    question; `duplicate_overlap` in [0, 1] is the share of terms that two passages have in common, from which on the worse one
    is dropped.
    """

    max_score_gap: float = 6.0
    ceilings: Mapping[QuestionForm, int] = field(default_factory=lambda: DEFAULT_CEILINGS)
    duplicate_overlap: float = 0.95


def select_passages(evidence: Evidence, settings: SelectionSettings) -> tuple[Passage, ...]:
    """Choose the passages whose units may go into the context.

    The best passage is always chosen; then, in order, those whose score is near enough to it, up to the ceiling for this form of
    question. A passage that says what a better one has said is passed over, and does not count.

    Returns:
        Passages in the order of their rank; empty only when nothing was found.
    """
    ceiling = settings.ceilings[evidence.terms.form]
    chosen: list[Passage] = []
    for passage in evidence.passages:
        if len(chosen) == ceiling or evidence.passages[0].score - passage.score > settings.max_score_gap:
            break
        if not any(_repeats(evidence, passage, better, settings.duplicate_overlap) for better in chosen):
            chosen.append(passage)
    return tuple(chosen)


def _repeats(evidence: Evidence, passage: Passage, better: Passage, overlap: float) -> bool:
    """Whether `passage` says nothing that `better` does not: the same terms under the same headings."""
    own, other = evidence.analysed[passage.chunk.id], evidence.analysed[better.chunk.id]
    if passage.chunk.text == better.chunk.text:
        return True
    shared = len(own.body & other.body)
    return len(own.body) >= _TELLING_TERMS and shared >= overlap * len(own.body | other.body)
