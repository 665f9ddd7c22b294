"""Which rung a question begins on, and which it may climb to: decided by what retrieval saw, before any model is paid."""

from dataclasses import dataclass
from typing import Final

from app.answers.answers import Draft
from app.costs.rungs import Rung
from retrieval.answerability import answer_probability
from retrieval.passages import Context
from retrieval.retriever import Evidence
from retrieval.weights import Weights

WIDE_FROM: Final = 0.75
STRONG_FROM: Final = 0.9
"""When a failed draft is worth another call, by the probability that the evidence holds an answer.

Below `WIDE_FROM` nothing is: there is probably no answer. From `STRONG_FROM` on, the compressed context very likely held one, so
that more context does not help but a better model may. Between them more context may help.

Source:
    `eval/benchmarks/ladder.py`, gpt-5-mini and gpt-5, three draws. A correct, grounded answer shall cost at most a tenth of what
    the naive prompt on the strong model pays for a correct one. On handbook-gitlab it cost 10.0 % with 0.7, 9.6 % with 0.75 and
    9.1 % with 0.8 when this was chosen; with the ground check as it is now, 0.75 costs 9.2 % there and, judged on handbook-18f,
    8.4 %. Climbing after every failed draft cost 31 % there, for 5 more of 141 answers. From 0.9 on, a wide context saved none of
    4 failed drafts; with a small model that fails one question in ten, the strong one saved 9 of 28.
"""


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

    The probability of an answer weighs how much of the question the best passages cover, by how far the best leads, how near
    it is in meaning, and how well the best unit scores. No kind of question gains by beginning on the wide context.

    Args:
        evidence: What retrieval found.
        context: The compressed context.
        verbatim: The extractive draft, `None` when the evidence does not carry one.
        weights: The learned weights.
        extractive_from: The probability of an answer from which on the verbatim units are enough; above 1, they never are.
    """
    answerable = answer_probability(evidence, context, weights)
    if verbatim is not None and answerable >= extractive_from:
        return Route(Rung.EXTRACTIVE, f"the evidence holds an answer with a probability of {answerable:.0%}", answerable)
    return Route(Rung.SMALL, f"the compressed context answers with a probability of {answerable:.0%}", answerable)


def why_not_climb(rung: str, answerable: float) -> str | None:
    """Why a rung is not worth asking after a draft that failed; `None` when it is."""
    if rung == Rung.SMALL_WIDE and answerable >= STRONG_FROM:
        return f"the compressed context held the answer with a probability of {answerable:.0%}"
    if answerable < (WIDE_FROM if rung == Rung.SMALL_WIDE else STRONG_FROM):
        return f"an answer is only {answerable:.0%} likely to be there"
    return None
