"""Learn the weights of passages, units and answerability, and judge them on handbooks they were not learned on.

    python -m eval.training ../shared/data [--out retrieval/weights.json]

Linear models only: they carry over from one company's pages to another's where boosted ones do not, and they can be read.
Passages are ordered by a pairwise logistic model, units and answerability by plain logistic ones. The passages that the unit
model learns from are ranked by weights learned on the other handbooks, so that it sees the mistakes that it will meet.
Paraphrases of one question always stand on the same side of a split, since splits are made between handbooks.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import LogisticRegression

from app.bootstrap import build_counter
from app.home import prepare_home
from app.settings import Settings, load_settings
from eval.calibration.logistic import fit_logistic, named_weights
from eval.training.examples import Example, LabelledQuestion, build_examples, load_questions
from indexing.language import ENGLISH
from indexing.tokens import TokenCounter
from retrieval.answerability import ANSWERABLE_FEATURES, answerable_features
from retrieval.compression import compress
from retrieval.ranking import PASSAGE_FEATURES, rank_candidates
from retrieval.retriever import Candidates, Evidence
from retrieval.selection import SelectionSettings, select_passages
from retrieval.unit_scoring import UNIT_FEATURES, unit_features
from retrieval.weights import Weights

HANDBOOKS: Final = ("handbook-18f", "handbook-gitlab", "guides-18f")
BUDGETS_TOKENS: Final = (250, 350, 500, 700)
BUDGET_TOKENS: Final = 500
_HARD_NEGATIVES: Final = 30
_PASSAGE_C: Final = 0.03
_UNIT_C: Final = 0.01
_ANSWERABLE_C: Final = 0.3
_FOREIGN_WEIGHT: Final = 0.3
_KEPT_ANSWERABLE: Final = 0.9
"""The share of answerable questions that must stay answered; the bias is set to it."""

_RANK_BY_FUSION: Final = Weights({"fused": 1.0}, {"log_passage_rank": -1.0}, 0.0, {}, 0.0)
_SETTINGS: Final = SelectionSettings()


def fit_passages(examples: Sequence[Example]) -> dict[str, float]:
    """Learn to put passages with evidence before the best of those without: logistic regression on differences of features."""
    scale = np.concatenate([example.features for example in examples]).std(axis=0) + 1e-9
    differences: list[NDArray[np.float64]] = []
    weights: list[NDArray[np.float64]] = []
    for example in examples:
        relevant = example.relevant
        good, bad = np.flatnonzero(relevant), np.flatnonzero(~relevant)[:_HARD_NEGATIVES]
        for one in good:
            differences.append((example.features[one] - example.features[bad]) / scale)
            weights.append(np.full(len(bad), 1.0 / (len(good) * len(bad))) if len(bad) else np.empty(0))
    rows, row_weights = np.concatenate(differences), np.concatenate(weights)
    model = LogisticRegression(C=_PASSAGE_C, fit_intercept=False, max_iter=3000)
    model.fit(
        np.concatenate([rows, -rows]),
        np.concatenate([np.ones(len(rows)), np.zeros(len(rows))]),
        sample_weight=np.concatenate([row_weights, row_weights]),
    )
    return named_weights(PASSAGE_FEATURES, model.coef_[0] / scale)


def fit_units(examples: Sequence[Example], passage_weights: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], float]:
    """Learn which units of the selected passages belong to the evidence; `passage_weights` rank each example's candidates."""
    rows: list[tuple[float, ...]] = []
    labels: list[bool] = []
    for example, weights in zip(examples, passage_weights, strict=True):
        evidence = ranked_evidence(example.found, Weights(weights, {}, 0.0, {}, 0.0))
        passages = select_passages(evidence, _SETTINGS)
        gold = frozenset[tuple[str, int]]().union(*(way for ways in example.needed for way in ways))
        of_passages = unit_features(evidence.terms, passages, [evidence.analysed[passage.chunk.id] for passage in passages])
        for passage, features in zip(passages, of_passages, strict=True):
            rows += features
            labels += [(passage.chunk.id, position) in gold for position in range(len(features))]
    return fit_logistic(UNIT_FEATURES, np.array(rows), np.array(labels), _UNIT_C)


def fit_answerable(
    answerable: Sequence[Example],
    unanswerable: Sequence[Example],
    foreign: Sequence[Example],
    weights: Weights,
    counter: TokenCounter,
) -> tuple[dict[str, float], float]:
    """Learn to tell answerable from unanswerable questions; the bias keeps `_KEPT_ANSWERABLE` of the former above one half.

    The three groups weigh alike, however many they are, save that questions asked of another company's pages count less.
    """
    groups = ((answerable, 1.0), (unanswerable, 1.0), (foreign, _FOREIGN_WEIGHT))
    rows = np.array([_answerable_row(example, weights, counter) for group, _ in groups for example in group])
    labels = np.array([group is answerable for group, _ in groups for _ in group])
    row_weights = np.concatenate([np.full(len(group), 100.0 * weight / len(group)) for group, weight in groups])
    learned, _ = fit_logistic(ANSWERABLE_FEATURES, rows, labels, _ANSWERABLE_C, row_weights)
    odds = rows[: len(answerable)] @ np.array([learned[name] for name in ANSWERABLE_FEATURES])
    return learned, round(-float(np.quantile(odds, 1.0 - _KEPT_ANSWERABLE)), 4)


def retention(
    examples: Sequence[Example], weights: Weights, counter: TokenCounter, budgets_tokens: Sequence[int]
) -> list[tuple[float, float]]:
    """For each budget, the share of questions whose whole evidence is in the compressed context, and its mean tokens."""
    kept = np.zeros((len(budgets_tokens), len(examples)))
    tokens = np.zeros_like(kept)
    for column, example in enumerate(examples):
        evidence = ranked_evidence(example.found, weights)
        passages = select_passages(evidence, _SETTINGS)
        for row, budget in enumerate(budgets_tokens):
            context = compress(evidence, passages, weights, counter, budget)
            held = {(unit.chunk.id, unit.position) for unit in context.units}
            kept[row, column] = all(any(way <= held for way in ways) for ways in example.needed)
            tokens[row, column] = context.tokens
    return list(zip(kept.mean(axis=1).tolist(), tokens.mean(axis=1).tolist(), strict=True))


def learn(examples: Mapping[str, Sequence[Example]]) -> Weights:
    """Passage and unit weights from all examples, by handbook."""
    flat = [example for own in examples.values() for example in own]
    by_others = {
        name: fit_passages([example for other, own in examples.items() if other != name or len(examples) == 1 for example in own])
        for name in examples
    }
    unit, bias = fit_units(flat, [by_others[name] for name, own in examples.items() for _ in own])
    return Weights(fit_passages(flat), unit, bias, {}, 0.0)


def learn_without(examples: Mapping[str, Sequence[Example]]) -> dict[str, Weights]:
    """For each handbook the weights that are learned from all others; unanswerable questions play no part."""
    answerable = {name: [one for one in own if one.needed] for name, own in examples.items()}
    return {name: learn({other: own for other, own in answerable.items() if other != name}) for name in answerable}


def find_examples(data: Path, name: str) -> list[Example]:
    """All questions over one handbook, searched in its pages; the index is kept in a home of its own.

    Raises:
        DatasetError: A page has changed under an authored question, or no page can be indexed.
    """
    return build_examples(data / name / "docs", load_questions(data, name), _home_of(name))


def ranked_evidence(found: Candidates, weights: Weights) -> Evidence:
    """What was found, in the order that `weights` give it."""
    passages = rank_candidates(found.terms, found.candidates, found.analysed, weights)
    by_id = {candidate.chunk.id: chunk for candidate, chunk in zip(found.candidates, found.analysed, strict=True)}
    return Evidence(found.query, found.terms, tuple(passages), by_id, ENGLISH)


def main() -> None:
    """Learn from all handbooks, print how weights learned on the others do on each, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder that holds " + ", ".join(HANDBOOKS))
    parser.add_argument("--out", type=Path, default=Path("retrieval/weights.json"))
    arguments = parser.parse_args()
    console, counter = Console(width=160), build_counter()
    found: dict[str, list[Example]] = {}
    foreign: list[Example] = []
    for name, other in zip(HANDBOOKS, (*HANDBOOKS[1:], HANDBOOKS[0]), strict=True):
        console.print(f"indexing and searching {name}")
        found[name] = find_examples(arguments.data, name)
        strangers = [LabelledQuestion(one.id, one.text, ()) for one in load_questions(arguments.data, other)][::4]
        foreign += build_examples(arguments.data / name / "docs", strangers, _home_of(name))
    answerable = {name: [one for one in own if one.needed] for name, own in found.items()}
    unanswerable = [one for own in found.values() for one in own if not one.needed]
    console.print(_judgement(answerable, counter))
    learned = learn(answerable)
    every = [example for own in answerable.values() for example in own]
    weights, bias = fit_answerable(every, unanswerable, foreign, learned, counter)
    complete = Weights(learned.passage, learned.unit, learned.unit_bias, weights, bias)
    for title, examples in (("answerable", every), ("unanswerable", unanswerable), ("asked of another company", foreign)):
        share = np.mean([_answers(example, complete, counter) for example in examples])
        console.print(f"answered, of {len(examples)} {title}: {share:.1%}")
    _write(arguments.out, complete, {name: len(own) for name, own in answerable.items()})
    console.print(f"wrote {arguments.out}")


def _judgement(answerable: Mapping[str, Sequence[Example]], counter: TokenCounter) -> Table:
    """Evidence retention on each handbook, by weights that were learned on the others, beside plain rank fusion."""
    table = Table(title="evidence retention on handbooks that were not learned from (all forms of their questions)")
    for column in ("handbook", "questions", "weights", *(f"{budget} tokens" for budget in BUDGETS_TOKENS)):
        table.add_column(column)
    unseen = learn_without(answerable)
    for name, own in answerable.items():
        for title, weights in (("rank fusion", _RANK_BY_FUSION), ("learned", unseen[name])):
            cells = retention(own, weights, counter, BUDGETS_TOKENS)
            table.add_row(name, str(len(own)), title, *(f"{kept:.1%} at {tokens:.0f}" for kept, tokens in cells))
    return table


def _home_of(name: str) -> Settings:
    """Settings whose home holds the index of one handbook."""
    settings = load_settings(home=prepare_home(load_settings().home) / "training" / name)
    prepare_home(settings.home)
    return settings


def _answerable_row(example: Example, weights: Weights, counter: TokenCounter) -> tuple[float, ...]:
    evidence = ranked_evidence(example.found, weights)
    context = compress(evidence, select_passages(evidence, _SETTINGS), weights, counter, BUDGET_TOKENS)
    return answerable_features(evidence, context)


def _answers(example: Example, weights: Weights, counter: TokenCounter) -> bool:
    row = _answerable_row(example, weights, counter)
    return weights.answerable_bias + sum(weights.answerable[n] * v for n, v in zip(ANSWERABLE_FEATURES, row, strict=True)) >= 0.0


def _write(out: Path, weights: Weights, questions: Mapping[str, int]) -> None:
    content = {
        "made_by": "python -m eval.training ../shared/data",
        "questions": questions,
        "passage": {"weights": weights.passage},
        "unit": {"weights": weights.unit, "bias": weights.unit_bias},
        "answerable": {"weights": weights.answerable, "bias": weights.answerable_bias},
    }
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
