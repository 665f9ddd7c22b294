"""What becomes of a cached answer that was proposed for a new question."""

from dataclasses import dataclass
from enum import StrEnum

from app.caching.rules.agreement import Agreement, Proposal, agreement
from app.caching.rules.calibration import Calibration
from app.caching.rules.differences import differences
from indexing.language import Language
from retrieval.retriever import Evidence


class HitDecision(StrEnum):
    """Serve it as it is, let the small model verify it first, or drop it."""

    SERVE = "serve"
    VERIFY = "verify"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict, why in words where it is not to serve, and how likely the proposal is right.

    `probability` is what the mix of features says and `lower_bound` what labelled questions support, in [0, 1]; both are `None`
    when a rule dropped the proposal before.
    """

    decision: HitDecision
    reasons: tuple[str, ...]
    probability: float | None = None
    lower_bound: float | None = None


def judge(
    proposal: Proposal, evidence: Evidence, calibration: Calibration, max_wrong_share: float, verifier_wrong_share: float | None
) -> Judgement:
    """Decide about one proposal.

    Args:
        proposal: A cached answer whose cited units all exist, and may be read by the caller.
        evidence: What was found for the new question, in the caller's rights.
        calibration: Says how likely it is right.
        max_wrong_share: The share of wrong answers, in [0, 1], that is put up with.
        verifier_wrong_share: The share of calls in which the verifying model errs, or `None` where there is no model.
    """
    found = differences(proposal.question, evidence.query, evidence.language)
    if found:
        return Judgement(HitDecision.DROP, found)
    agrees = agreement(proposal, evidence)
    if agrees.disagreements:
        return Judgement(HitDecision.DROP, agrees.disagreements)
    probability = calibration.probability(agrees.features)
    bound = calibration.lower_bound(probability)
    unsure = _doubts(agrees, bound, max_wrong_share) or _unread(evidence.language)
    if not unsure:
        return Judgement(HitDecision.SERVE, (), probability, bound)
    if _may_verify(calibration, probability, max_wrong_share, verifier_wrong_share):
        return Judgement(HitDecision.VERIFY, unsure, probability, bound)
    return Judgement(HitDecision.DROP, unsure, probability, bound)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a calibration allows at best: the highest bound that it supports, in [0, 1], and what may come of the likeliest."""

    bound: float
    serves: bool
    verifies: bool


def standing(calibration: Calibration, max_wrong_share: float, verifier_wrong_share: float | None) -> Standing:
    """What may come of the likeliest proposals; arguments as of `judge`. Where it is nothing, only the same words are a hit."""
    bound = calibration.lower_bound(1.0)
    verifies = any(_may_verify(calibration, band.lowest, max_wrong_share, verifier_wrong_share) for band in calibration.bands)
    return Standing(bound, bound >= 1.0 - max_wrong_share, verifies)


def _may_verify(calibration: Calibration, probability: float, max_wrong_share: float, verifier_wrong_share: float | None) -> bool:
    """Whether what the model lets pass, of proposals as likely as this or likelier, is right often enough."""
    if verifier_wrong_share is None or not calibration.trusts_verifier(max_wrong_share):
        return False
    return wrong_after(calibration.share_from(probability), verifier_wrong_share) <= max_wrong_share


def wrong_after(right_share: float, verifier_wrong_share: float) -> float:
    """The share of wrong answers among those that a verifier lets through.

    Args:
        right_share: The share of right ones among those it is shown.
        verifier_wrong_share: The share of its calls in which it errs, alike for right and wrong ones.

    Source:
        Bayes' rule.
    """
    let_through = right_share * (1.0 - verifier_wrong_share) + (1.0 - right_share) * verifier_wrong_share
    return (1.0 - right_share) * verifier_wrong_share / let_through if let_through else 0.0


def _unread(language: Language) -> tuple[str, ...]:
    """Where the rules cannot read the questions, what they did not find proves nothing."""
    return () if language.has_vocabulary else (f"language: no words of {language.code!r} are known here",)


def _doubts(agrees: Agreement, bound: float, max_wrong_share: float) -> tuple[str, ...]:
    """Why the proposal cannot be served on the evidence alone."""
    if agrees.unexplained:
        return (f"unexplained: {', '.join(agrees.unexplained)}",)
    if bound < 1.0 - max_wrong_share:
        return (f"bound: right in at least {bound:.1%} of such cases, and {1.0 - max_wrong_share:.1%} are needed",)
    return ()
