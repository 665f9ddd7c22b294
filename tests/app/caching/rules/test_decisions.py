import pytest

from app.caching.rules.agreement import Cited, Proposal
from app.caching.rules.calibration import Band, Calibration
from app.caching.rules.decisions import HitDecision, Judgement, Standing, judge, standing, wrong_after
from app.costs.confidence import share_at_least
from retrieval.passages import Query
from retrieval.retriever import Evidence
from tests.indexing.pages import document
from tests.retrieval.finding import find

PAGES = [
    document("# Leave\n\nParental leave lasts twelve weeks for employees.", path="leave.md"),
    document("# Vouchers\n\nThe travel desk reviews a voucher in five days.", path="vouchers.md"),
]
SURE = Calibration({}, 3.0, (Band(0.0, 1_000, 1_000),))
FAIR = Calibration({}, 3.0, (Band(0.0, 100, 85),))
POOR = Calibration({}, 3.0, (Band(0.0, 100, 50),))


def judged(old: str, new: str, calibration: Calibration, verifier: float | None = None) -> Judgement:
    evidence = find(new, *PAGES)
    return judge(Proposal(Query(old), (cited(evidence),)), evidence, calibration, 0.01, verifier)


def cited(evidence: Evidence) -> Cited:
    chunk = next(passage.chunk for passage in evidence.passages if passage.chunk.document_path == "leave.md")
    return Cited(chunk.unit_id(0), chunk.unit_text(0), (chunk.title, *chunk.heading_path))


def test_what_the_bound_supports_is_served() -> None:
    judgement = judged("parental leave duration", "how many weeks does parental leave last", SURE)
    assert judgement.decision is HitDecision.SERVE
    assert judgement.reasons == ()
    assert judgement.probability == pytest.approx(0.952574, abs=1e-6)
    assert judgement.lower_bound == pytest.approx(0.997009, abs=1e-6)


def test_what_it_does_not_support_goes_to_the_verifier_or_is_dropped() -> None:
    old, new = "parental leave duration", "how many weeks does parental leave last"
    assert judged(old, new, FAIR, verifier=0.03).decision is HitDecision.VERIFY
    without = judged(old, new, FAIR)
    assert without.decision is HitDecision.DROP
    assert without.reasons[0].startswith("bound: right in at least 77.")


def test_a_verifier_is_not_asked_what_it_cannot_settle() -> None:
    old, new = "parental leave duration", "how many weeks does parental leave last"
    assert judged(old, new, POOR, verifier=0.03).decision is HitDecision.DROP
    assert judged(old, new, POOR, verifier=0.009).decision is HitDecision.VERIFY


def test_an_unexplained_word_is_never_served_unverified() -> None:
    old, new = "parental leave duration", "how many weeks does parental leave last for detailees"
    assert judged(old, new, SURE).decision is HitDecision.DROP
    assert judged(old, new, SURE).reasons == ("unexplained: detailees",)
    assert judged(old, new, SURE, verifier=0.03).decision is HitDecision.VERIFY


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("parental leave of 3 weeks for employees", "five weeks of leave when a parent", "number"),
        ("parental leave duration", "is parental leave entered in Tock", "evidence"),
    ],
)
def test_what_a_rule_drops_is_not_even_verified(old: str, new: str, rule: str) -> None:
    judgement = judged(old, new, SURE, verifier=0.0)
    assert judgement.decision is HitDecision.DROP
    assert {reason.split(":")[0] for reason in judgement.reasons} == {rule}
    assert judgement.probability is None
    assert judgement.lower_bound is None


def test_wrong_after_is_bayes_rule() -> None:
    assert wrong_after(0.75, 0.03) == pytest.approx(0.25 * 0.03 / (0.75 * 0.97 + 0.25 * 0.03))
    assert wrong_after(1.0, 0.03) == 0.0
    assert wrong_after(0.0, 0.03) == 1.0
    assert wrong_after(0.0, 0.0) == 0.0


def test_a_calibration_stands_by_its_best_bound_and_falls_back_by_itself() -> None:
    sure = Calibration({}, 0.0, (Band(0.0, 1_000, 800), Band(0.5, 500, 500)))
    assert standing(sure, 0.01, None) == Standing(share_at_least(500, 500), serves=True, verifies=False)
    assert standing(sure, 0.01, 0.03).verifies
    wrong = sure
    for _ in range(5):
        wrong = wrong.observe(0.9, right=False)
    assert not standing(wrong, 0.01, None).serves
    assert standing(wrong, 0.01, 0.03).verifies
    for _ in range(3):
        wrong = wrong.observe_passed(right=False)
    assert not standing(wrong, 0.01, 0.03).verifies
