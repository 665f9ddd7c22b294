from dataclasses import replace

import pytest

from indexing.documents import Document
from indexing.language.question_form import QuestionForm
from retrieval.passages import Passage
from retrieval.retriever import Evidence
from retrieval.selection import DEFAULT_CEILINGS, SelectionSettings, select_passages
from tests.indexing.pages import document
from tests.retrieval.finding import find

ALL = SelectionSettings(max_score_gap=1e9, duplicate_overlap=2.0)


def pages(count: int) -> list[Document]:
    return [document(f"# Leave {n}\n\nLeave rule {n} is about subject{n}.", path=f"{n}.md") for n in range(count)]


def with_scores(evidence: Evidence, *scores: float) -> Evidence:
    assert len(scores) == len(evidence.passages)
    passages = tuple(replace(passage, score=score) for passage, score in zip(evidence.passages, scores, strict=True))
    return replace(evidence, passages=passages)


def ranks(passages: tuple[Passage, ...]) -> list[int]:
    return [passage.rank for passage in passages]


def test_every_form_of_question_has_a_ceiling() -> None:
    assert set(DEFAULT_CEILINGS) == set(QuestionForm)
    assert all(ceiling >= 1 for ceiling in DEFAULT_CEILINGS.values())


def test_passages_too_far_behind_the_best_are_left_out() -> None:
    evidence = with_scores(find("leave rule", *pages(4)), 10.0, 8.0, 7.9, 3.0)
    assert ranks(select_passages(evidence, replace(ALL, max_score_gap=2.0))) == [1, 2]
    assert ranks(select_passages(evidence, replace(ALL, max_score_gap=0.0))) == [1]
    assert ranks(select_passages(evidence, ALL)) == [1, 2, 3, 4]


@pytest.mark.parametrize("ceiling", [1, 3, 50])
def test_the_ceiling_is_that_of_the_questions_form(ceiling: int) -> None:
    evidence = find("When is leave?", *pages(6))
    assert evidence.terms.form is QuestionForm.NUMBER
    settings = replace(ALL, ceilings={**dict.fromkeys(QuestionForm, 2), QuestionForm.NUMBER: ceiling})
    assert ranks(select_passages(evidence, settings)) == list(range(1, min(ceiling, 6) + 1))


def test_the_same_text_elsewhere_is_passed_over_and_does_not_count() -> None:
    same = [document("# Leave\n\nTake leave early.", path=f"copy-{n}.md") for n in range(3)]
    evidence = find("leave", *same, *pages(2))
    chosen = select_passages(evidence, replace(ALL, ceilings=dict.fromkeys(QuestionForm, 3)))
    assert sorted(passage.chunk.text for passage in chosen) == [
        "Leave rule 0 is about subject0.",
        "Leave rule 1 is about subject1.",
        "Take leave early.",
    ]
    assert ranks(chosen) == sorted(ranks(chosen))


def test_nearly_the_same_words_are_passed_over_from_the_stated_overlap_on() -> None:
    words = [f"subject{number}" for number in range(19)]
    one, other = f"Leave {' '.join(words)} first.", f"Leave {' '.join(words)} zebra."
    evidence = find("leave subject3", f"# A\n\n{one}", f"# A\n\n{other}")
    shared = 20 / 22
    assert len(select_passages(evidence, replace(ALL, duplicate_overlap=shared - 0.01))) == 1
    assert len(select_passages(evidence, replace(ALL, duplicate_overlap=shared + 0.01))) == 2


def test_short_passages_may_share_all_their_terms() -> None:
    evidence = find("leave days", "# A\n\nLeave: 5 days.", "# B\n\nDays: 5, leave.")
    assert len(select_passages(evidence, replace(ALL, duplicate_overlap=0.5))) == 2


def test_nothing_found_selects_nothing() -> None:
    assert select_passages(find("leave"), SelectionSettings()) == ()
