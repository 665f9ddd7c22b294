import math

from app.caching.rules.agreement import FEATURES, Cited, Proposal, agreement
from indexing.documents import Document
from indexing.language import ENGLISH
from retrieval.passages import Query
from retrieval.retriever import Evidence
from tests.indexing.pages import document
from tests.retrieval.finding import find

LEAVE = "# Leave\n\nParental leave lasts twelve weeks for employees."
VOUCHERS = "# Vouchers\n\nThe travel desk reviews a voucher in five days."


def pages() -> list[Document]:
    return [document(LEAVE, path="leave.md"), document(VOUCHERS, path="vouchers.md")]


def cite(evidence: Evidence, path: str) -> Cited:
    chunk = next(passage.chunk for passage in evidence.passages if passage.chunk.document_path == path)
    return Cited(chunk.unit_id(0), chunk.unit_text(0), (chunk.title, *chunk.heading_path))


def feature(values: tuple[float, ...], name: str) -> float:
    return values[FEATURES.index(name)]


def test_evidence_that_begins_with_the_cited_unit_agrees() -> None:
    evidence = find("how many weeks of parental leave", *pages())
    agrees = agreement(Proposal(Query("parental leave length"), (cite(evidence, "leave.md"),)), evidence)
    assert agrees.best_rank == 1
    assert agrees.disagreements == ()
    assert feature(agrees.features, "log_best_rank") == 0.0
    assert feature(agrees.features, "score_gap") == 0.0
    assert feature(agrees.features, "share_in_top_8") == 1.0


def test_the_rank_is_that_of_the_best_cited_unit_and_the_gap_its_distance_from_the_first() -> None:
    evidence = find("how many weeks of parental leave", *pages())
    second = agreement(Proposal(Query("voucher review"), (cite(evidence, "vouchers.md"),)), evidence)
    assert second.best_rank == 2
    gap = evidence.passages[0].score - evidence.passages[1].score
    assert feature(second.features, "score_gap") == min(gap, 20.0)
    both = agreement(Proposal(Query("voucher review"), (cite(evidence, "vouchers.md"), cite(evidence, "leave.md"))), evidence)
    assert both.best_rank == 1


def test_a_cited_unit_that_is_not_found_any_more_disagrees() -> None:
    evidence = find("how many weeks of parental leave", *pages())
    gone = Proposal(Query("parental leave length"), (Cited("no such unit", "Parental leave.", ()),))
    agrees = agreement(gone, evidence)
    assert agrees.best_rank is None
    assert feature(agrees.features, "log_best_rank") == math.log(9)
    assert feature(agrees.features, "share_in_top_8") == 0.0
    assert len(agrees.disagreements) == 1


def test_cited_units_below_the_third_passage_disagree() -> None:
    closer = [document(f"# Leave {n}\n\nParental leave lasts {n} weeks.", path=f"{n}.md") for n in range(3)]
    evidence = find("parental leave lasts weeks", *closer, document(VOUCHERS + " Leave it.", path="vouchers.md"))
    agrees = agreement(Proposal(Query("voucher review"), (cite(evidence, "vouchers.md"),)), evidence)
    assert agrees.best_rank == 4
    assert agrees.disagreements


def test_words_are_explained_by_the_cited_text_its_headings_the_old_question_and_aliases() -> None:
    evidence = find("how long is maternity PLL for an employee, in weeks of leave", *pages())
    cited = cite(evidence, "leave.md")
    assert agreement(Proposal(Query("parental leave length"), (cited,)), evidence).unexplained == ("long", "maternity")
    assert agreement(Proposal(Query("long maternity leave"), (cited,)), evidence).unexplained == ()
    assert feature(agreement(Proposal(Query("leave"), (cited,)), evidence).features, "unexplained_words") == 2.0


def test_an_unexplained_name_or_number_disagrees() -> None:
    for question, word in (("is parental leave in Tock", "tock"), ("parental leave for 40 hours", "40")):
        evidence = find(question, *pages())
        agrees = agreement(Proposal(Query("parental leave length"), (cite(evidence, "leave.md"),)), evidence)
        assert agrees.unexplained_names == (word,)
        assert agrees.disagreements == (f"evidence: nothing cited speaks of {word!r}",)


def test_nothing_found_disagrees() -> None:
    evidence = find("leave", *pages())
    empty = Evidence(evidence.query, evidence.terms, (), {}, ENGLISH)
    assert agreement(Proposal(Query("leave"), (cite(evidence, "leave.md"),)), empty).disagreements


def test_a_name_with_an_apostrophe_is_a_name_too() -> None:
    evidence = find("Who approves parental leave for O'Brien?", *pages())
    agrees = agreement(Proposal(Query("parental leave length"), (cite(evidence, "leave.md"),)), evidence)
    assert agrees.unexplained_names == ("obrien",)
    assert agrees.disagreements == ("evidence: nothing cited speaks of 'obrien'",)
