"""On which rung a question begins: decided by what retrieval saw, before any model is paid."""

from dataclasses import dataclass
from typing import Final

from app.answering.answers import Draft
from retrieval.answerability import answer_probability
from retrieval.passages import Context
from retrieval.question_form import QuestionForm
from retrieval.retriever import Evidence
from retrieval.weights import Weights

CACHE: Final = "cache"
EXTRACTIVE: Final = "extractive"
SMALL: Final = "small"
SMALL_WIDE: Final = "small-wide"
STRONG: Final = "strong"
ABSTAIN: Final = "abstain"

_WIDE_FORMS: Final = frozenset({QuestionForm.LIST, QuestionForm.COMPARISON})


@dataclass(frozen=True, slots=True)
class Route:
    """Where to begin, and why. `answerable` is the probability, in [0, 1], that the evidence holds an answer at all."""

    first: str
    reason: str
    answerable: float


def choose_first_rung(
    evidence: Evidence, context: Context, verbatim: Draft | None, weights: Weights, extractive_from: float
) -> Route:
    """Choose the rung to begin on.

    Args:
        evidence: What retrieval found.
        context: The compressed context.
        verbatim: The extractive draft, `None` when the evidence does not carry one.
        weights: The learned weights.
        extractive_from: The probability of an answer from which on the verbatim units are enough; above 1, they never are.
    """
    answerable = answer_probability(evidence, context, weights)
    form = evidence.terms.form
    if verbatim is not None and _says_it_alone(verbatim, evidence) and answerable >= extractive_from:
        return Route(
            EXTRACTIVE, f"one unit holds every word of the question, and an answer is {answerable:.0%} likely", answerable
        )
    if form in _WIDE_FORMS and len({unit.chunk.id for unit in context.units}) > 1:
        return Route(SMALL_WIDE, f"a {form.value} question draws on several sections", answerable)
    return Route(SMALL, f"the compressed context answers with a probability of {answerable:.0%}", answerable)


def _says_it_alone(verbatim: Draft, evidence: Evidence) -> bool:
    """Whether a single sentence of the draft, with its headings, covers the whole question."""
    for sentence in verbatim.sentences:
        unit = sentence.units[0]
        analysed = evidence.analysed[unit.chunk.id]
        own = analysed.units[unit.position]
        if evidence.terms.coverage(own.term_set | own.lead | analysed.heads) >= 1.0:
            return True
    return False
