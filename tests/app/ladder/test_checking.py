"""Replies against the units they cite, with the question that they answer."""

import pytest

from app.generation.prompting import Reply, ReplySentence
from app.grounding import Support
from app.ladder.checking import CheckedSentence, check_reply
from retrieval.context import ContextSettings
from retrieval.lexicon import lexicon_rarity
from retrieval.weights import Weights
from tests.retrieval.finding import COUNTER, CountedLexicon, find

WEIGHTS = Weights({"coverage_with_headings": 1.0}, {"coverage": 10.0}, -1.0, {}, 50.0)
PAGE = "# Leave\n\nInterns have 12 days of paid leave. Unused days of leave expire in March."


def checked(question: str, *sentences: ReplySentence) -> list[CheckedSentence]:
    evidence = find(question, PAGE)
    context = ContextSettings(500).make_context(evidence, WEIGHTS, COUNTER)
    rarity = lexicon_rarity(CountedLexicon([passage.chunk for passage in evidence.passages]))
    return check_reply(Reply(sentences), context, evidence, rarity, question)


@pytest.mark.parametrize(
    ("bare", "units", "support"),
    [("No.", (), Support.SUPPORTED), ("Yes", (2,), Support.SUPPORTED), ("No.", (9,), Support.UNSUPPORTED)],
)
def test_a_bare_yes_or_no_is_one_with_what_it_opens(bare: str, units: tuple[int, ...], support: Support) -> None:
    own = ReplySentence("Interns have 12 days of paid leave.", (1,)), ReplySentence("Unused days of leave expire in March.", (2,))
    first, second = checked("Do interns have 13 days of paid leave?", ReplySentence(bare, units), *own)
    assert (first.text, first.check.support) == (f"{bare} {own[0].text}", support)
    assert (second.text, second.check.support) == (own[1].text, Support.SUPPORTED)


def test_a_bare_no_alone_is_only_doubted() -> None:
    (only,) = checked("Do interns have 13 days of paid leave?", ReplySentence("No.", (1,)))
    assert only.check.support is Support.UNSURE


def test_the_question_may_give_names_and_no_numbers() -> None:
    question = "Do interns at Acme have 13 days of paid leave?"
    (named,) = checked(question, ReplySentence("At Acme interns have 12 days of paid leave.", (1,)))
    (numbered,) = checked(question, ReplySentence("Interns have 13 days of paid leave.", (1,)))
    assert (named.check.support, numbered.check.support) == (Support.UNSURE, Support.UNSUPPORTED)
