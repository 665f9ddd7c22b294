"""The features of passages, units and answerability, and the file of weights that names them."""

import json
import math
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing.documents import Chunk
from indexing.language import ENGLISH
from retrieval.analysis import analyse_chunk, analyse_query
from retrieval.answerability import ANSWERABLE_FEATURES, answer_probability, answerable_features
from retrieval.candidates import gather_candidates
from retrieval.compression import compress
from retrieval.passages import Context, Passage
from retrieval.ranking import PASSAGE_FEATURES, passage_features, rank_candidates
from retrieval.search import Found, SearchResult
from retrieval.unit_scoring import UNIT_FEATURES, score_units, unit_features
from retrieval.weights import Weights, shipped_weights
from tests.contracts.corpus import make_chunk
from tests.retrieval.finding import COUNTER, CountedLexicon, find

NO_WEIGHTS = Weights({}, {}, 0.0, {}, 0.0)
_TEXTS = st.lists(st.sampled_from(["travel", "leave", "42", "Who", "...", "per diem", "x" * 400]), min_size=1, max_size=6)


def test_the_weights_file_names_every_feature_once_and_no_other() -> None:
    content = json.loads(files("retrieval").joinpath("weights.json").read_text(encoding="utf-8"))
    shipped = shipped_weights()
    for part, names, weights in (
        ("passage", PASSAGE_FEATURES, shipped.passage),
        ("unit", UNIT_FEATURES, shipped.unit),
        ("answerable", ANSWERABLE_FEATURES, shipped.answerable),
    ):
        assert len(set(names)) == len(names)
        assert set(content[part]["weights"]) == set(names), f"learn again: {content['made_by']}"
        assert all(math.isfinite(weight) for weight in weights.values())
    assert math.isfinite(shipped.unit_bias)
    assert math.isfinite(shipped.answerable_bias)
    assert shipped_weights() is shipped


def _finite(rows: list[tuple[float, ...]], width: int) -> bool:
    return all(len(row) == width and all(map(math.isfinite, row)) for row in rows)


@given(
    question=st.sampled_from(["", "???", "the of", "How many travel days?", "leave " * 200, "7"]),
    texts=st.lists(_TEXTS.map(" ".join), max_size=5, unique=True),
    lists=st.sampled_from(["both", "dense", "words", "zero words", "one each"]),
)
@settings(max_examples=150, deadline=None)
def test_features_are_finite_whatever_was_found(question: str, texts: list[str], lists: str) -> None:
    chunks = [make_chunk(text, document=f"p{number % 2}.md", ordinal=number) for number, text in enumerate(texts)]
    dense = tuple(Found(chunk.id, 0.5 - number) for number, chunk in enumerate(chunks) if lists != "words")
    words = tuple(Found(chunk.id, 0.0 if lists == "zero words" else 9.0 - number) for number, chunk in enumerate(chunks))
    if lists == "one each":
        dense, words = dense[:1], words[1:]
    elif lists == "dense":
        words = ()
    query = analyse_query(question, CountedLexicon(chunks), ENGLISH)
    candidates = gather_candidates(SearchResult(dense, words), {chunk.id: chunk for chunk in chunks})
    analysed = [analyse_chunk(candidate.chunk, COUNTER, ENGLISH) for candidate in candidates]
    assert _finite(passage_features(query, candidates, analysed), len(PASSAGE_FEATURES))
    passages = rank_candidates(query, candidates, analysed, shipped_weights())
    assert [passage.rank for passage in passages] == list(range(1, len(candidates) + 1))
    assert all(one.score >= other.score for one, other in pairwise(passages))
    assert {passage.cosine is None for passage in passages if passage.chunk.id not in {row.chunk_id for row in dense}} <= {True}
    assert all(0 <= passage.coverage <= 1 + 1e-9 for passage in passages)
    by_id = {candidate.chunk.id: one for candidate, one in zip(candidates, analysed, strict=True)}
    of_passages = [by_id[passage.chunk.id] for passage in passages]
    for rows, chunk in zip(unit_features(query, passages, of_passages), of_passages, strict=True):
        assert len(rows) == len(chunk.units)
        assert _finite(rows, len(UNIT_FEATURES))
    units = score_units(query, passages, of_passages, shipped_weights())
    assert [(unit.chunk.id, unit.position) for unit in units] == [
        (passage.chunk.id, position) for passage in passages for position in range(len(passage.chunk.units))
    ]
    assert all(0 < unit.score < 1 for unit in units)


def test_without_weights_everything_ties_and_keeps_its_order() -> None:
    chunks = [make_chunk(f"travel {number}", document=f"p{number}.md") for number in range(6)]
    dense = tuple(Found(chunk.id, 0.5) for chunk in sorted(chunks, key=lambda chunk: chunk.id))
    candidates = gather_candidates(SearchResult(dense, ()), {chunk.id: chunk for chunk in chunks})
    analysed = [analyse_chunk(candidate.chunk, COUNTER, ENGLISH) for candidate in candidates]
    passages = rank_candidates(analyse_query("travel", CountedLexicon(chunks), ENGLISH), candidates, analysed, NO_WEIGHTS)
    assert [passage.chunk.id for passage in passages] == [candidate.chunk.id for candidate in candidates]


def test_an_unnamed_feature_counts_nothing_and_huge_weights_do_not_overflow() -> None:
    evidence = find("travel days", "# Travel\n\nTen days.", "# Food\n\nEat.")
    analysed = [evidence.analysed[passage.chunk.id] for passage in evidence.passages]
    plain = score_units(evidence.terms, evidence.passages, analysed, NO_WEIGHTS)
    assert {unit.score for unit in plain} == {0.5}
    named = Weights({}, {"nobody": 1e9}, 0.0, {}, 0.0)
    assert score_units(evidence.terms, evidence.passages, analysed, named) == plain
    for bias in (1e308, -1e308):
        extreme = score_units(evidence.terms, evidence.passages, analysed, Weights({}, {}, bias, {}, 0.0))
        assert all(0.0 <= unit.score <= 1.0 for unit in extreme)


def _context(question: str, *pages: str) -> tuple[float, tuple[float, ...]]:
    evidence = find(question, *pages)
    context = compress(evidence, evidence.passages, shipped_weights(), COUNTER, 200)
    return answer_probability(evidence, context, shipped_weights()), answerable_features(evidence, context)


def test_answerability_is_a_probability_and_falls_when_the_subject_is_missing() -> None:
    pages = ["# Parental leave\n\nParental leave lasts 26 weeks for everybody.", "# Travel\n\nBook trains early."]
    near, row = _context("How many weeks does parental leave last?", *pages)
    far, other = _context("Quantum chromodynamics lattice spacing?", *pages)
    assert 0 <= far < near <= 1
    assert len(row) == len(other) == len(ANSWERABLE_FEATURES)
    assert all(map(math.isfinite, (*row, *other)))


def test_nothing_found_is_certainly_no_answer() -> None:
    nothing = find("travel")
    assert nothing.passages == ()
    assert answer_probability(nothing, Context((), "", 0), shipped_weights()) == 0.0
    something = find("travel", "Travel early.")
    assert answer_probability(something, Context((), "", 0), shipped_weights()) == 0.0
    assert all(map(math.isfinite, answerable_features(something, Context((), "", 0))))


@pytest.mark.parametrize("question", ["", "???"])
def test_a_question_without_terms_has_finite_answerability(question: str) -> None:
    probability, row = _context(question, "# A\n\nText one.", "# B\n\nText two.")
    assert 0 <= probability <= 1
    assert all(map(math.isfinite, row))


def test_a_passage_whose_heading_names_the_subject_comes_first() -> None:
    filler = [f"# Topic {number}\n\nSomething about matter {number}." for number in range(8)]
    evidence = find("parental leave length", "# Parental leave length\n\nIt is 26 weeks.", *filler)
    first: Passage = evidence.passages[0]
    chunk: Chunk = first.chunk
    assert chunk.text == "It is 26 weeks."
