import json
from pathlib import Path

import numpy as np
import pytest

from eval.training import learning as training
from eval.training.examples import Example, LabelledQuestion
from eval.training.learning import fit_answerable, fit_passages, fit_units, learn, retention
from indexing.documents import Document
from retrieval.answerability import ANSWERABLE_FEATURES, answer_probability
from retrieval.compression import compress
from retrieval.passages import Query
from retrieval.ranking import PASSAGE_FEATURES, passage_features
from retrieval.selection import SelectionSettings, select_passages
from retrieval.unit_scoring import UNIT_FEATURES
from retrieval.weights import Weights
from tests.indexing.pages import document
from tests.retrieval.finding import COUNTER, SCOPE, make_retriever

ANIMALS = ["zebra", "lion", "goose", "mouse", "horse", "tiger", "rabbit", "camel"]


def _pages() -> list[Document]:
    return [
        document(
            f"# The {animal}\n\nSome introduction without facts. The {animal} weighs {n + 3} stones. Nothing else is known.\n\n"
            f"# Food\n\nIt eats grass and sleeps under trees of kind {n}.",
            title=f"All about the {animal}",
            path=f"{animal}.md",
        )
        for n, animal in enumerate(ANIMALS)
    ]


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    """A question for each animal, whose evidence is the second sentence of the animal's page."""
    retriever, embedder = make_retriever(_pages())
    made = []
    for animal in ANIMALS:
        question = f"How many stones does the {animal} weigh?"
        found = retriever.find(Query(question), embedder.embed_query(question), SCOPE)
        gold = next(one.chunk for one in found.candidates if f"The {animal} weighs" in one.chunk.text)
        position = next(n for n in range(len(gold.units)) if "weighs" in gold.unit_text(n))
        rows = np.array(passage_features(found.terms, found.candidates, found.analysed))
        made.append(Example(LabelledQuestion(animal, question, ()), found, rows, ((frozenset({(gold.id, position)}),),)))
    return made


def test_relevant_are_the_candidates_that_hold_evidence(examples: list[Example]) -> None:
    for example in examples:
        assert example.relevant.shape == (len(example.found.candidates),)
        assert example.relevant.sum() == 1


def test_passages_with_evidence_learn_to_come_first(examples: list[Example]) -> None:
    weights = fit_passages(examples)
    assert tuple(weights) == PASSAGE_FEATURES
    row = np.array([weights[name] for name in PASSAGE_FEATURES])
    for example in examples:
        scores = example.features @ row
        assert scores.argmax() == np.flatnonzero(example.relevant)[0]


def test_units_of_evidence_learn_to_be_likelier_and_are_kept(examples: list[Example]) -> None:
    weights, bias = fit_units(examples, [fit_passages(examples)] * len(examples))
    assert tuple(weights) == UNIT_FEATURES
    assert np.isfinite(bias)
    learned = learn({"one": examples[:4], "two": examples[4:]})
    (kept, tokens), nothing = retention(examples, learned, COUNTER, [30, 0])
    assert kept == 1.0
    assert 0 < tokens <= 30
    assert nothing == (0.0, 0.0)


def test_the_bias_keeps_the_stated_share_answerable(examples: list[Example]) -> None:
    retriever, embedder = make_retriever(_pages())
    strangers = []
    for question in ("Quantum chromodynamics?", "Parental leave in Norway?", "Yacht insurance?"):
        found = retriever.find(Query(question), embedder.embed_query(question), SCOPE)
        rows = np.array(passage_features(found.terms, found.candidates, found.analysed))
        strangers.append(Example(LabelledQuestion(question, question, ()), found, rows, ()))
    learned = learn({"all": examples})
    answerable, bias = fit_answerable(examples, strangers[:1], strangers[1:], learned, COUNTER)
    assert tuple(answerable) == ANSWERABLE_FEATURES
    complete = Weights(learned.passage, learned.unit, learned.unit_bias, answerable, bias)

    def probability(example: Example) -> float:
        evidence = training.ranked_evidence(example.found, complete)
        context = compress(evidence, select_passages(evidence, SelectionSettings()), complete, COUNTER, training.BUDGET_TOKENS)
        return answer_probability(evidence, context, complete)

    assert sum(probability(example) >= 0.5 for example in examples) >= 7
    assert max(map(probability, strangers)) < min(sorted(map(probability, examples))[1:])


def test_what_is_written_is_what_the_service_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = Weights({"cosine": 1.5}, {"first": -0.5}, 0.25, {"best_cosine": 2.0}, -1.0)
    training._write(tmp_path / "weights.json", weights, {"here": 3})
    assert json.loads((tmp_path / "weights.json").read_text(encoding="utf-8"))["questions"] == {"here": 3}
    monkeypatch.setattr("retrieval.weights.files", lambda _package: tmp_path)
    from retrieval.weights import shipped_weights  # noqa: PLC0415 - the uncached function is called below

    assert shipped_weights.__wrapped__() == weights
