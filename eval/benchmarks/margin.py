"""What compression wins over fewer whole passages at the same tokens, and over five windows of 512 tokens.

    python -m eval.benchmarks.margin --data ../shared/data

Evidence retention at rising budgets on two handbooks, each and both together, with 95 % paired bootstrap intervals over their
questions. Three tables: the questions as they stand, with the shipped weights, which have seen both handbooks; the same with
weights learned without the handbook that they are judged on; and, with the latter, all labelled questions in all their forms
(`eval.training`), which tells smaller differences from chance. There each question counts once, by the mean over its forms.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.home import prepare_home
from app.settings import load_settings
from eval.arms.baselines.naive_512 import Naive512
from eval.arms.packing import WholePassages
from eval.arms.workbench import Workbench, open_workbench
from eval.datasets.cases import load_dataset
from eval.datasets.quotes import normalised, normalised_quote
from eval.measures.intervals import Interval, bootstrap
from eval.training.examples import Example
from eval.training.learning import HANDBOOKS, find_examples, learn_without, ranked_evidence
from indexing.language.question_form import QuestionForm
from indexing.planning import NoProgress
from retrieval.passages import Query
from retrieval.retriever import Candidates
from retrieval.selection import SelectionSettings, select_passages
from retrieval.weights import Weights, shipped_weights

JUDGED: Final = ("handbook-18f", "handbook-gitlab")
BUDGETS_TOKENS: Final = (150, 200, 225, 250, 275, 300, 350, 400, 500, 700)
MOST_TOKENS: Final = 500
ABOVE_NAIVE: Final = 0.10
_RIVAL: Final = SelectionSettings(max_score_gap=math.inf, ceilings=dict.fromkeys(QuestionForm, 30))
"""Whole passages by rank, near-duplicates dropped, more than any of the budgets holds."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question with what was found for it, and its evidence as `normalised_quote` gives it; forms of one share the `id`."""

    id: str
    text: str
    words: tuple[str, ...]
    found: Candidates

    def held_by(self, context: str) -> float:
        """1 when the context holds the whole evidence, else 0."""
        letters = normalised(context)
        return float(all(words in letters for words in self.words))


@dataclass(frozen=True, slots=True)
class Point:
    """One handbook at one budget: mean tokens and evidence retention, and for each question the gain over both rivals."""

    tokens: float
    retention: float
    over_smaller_k: Sequence[float]
    over_naive: Sequence[float]

    @property
    def beats_naive(self) -> bool:
        """Whether it stays within the tokens and is far enough above the windows, the interval above zero."""
        gain = _interval(self.over_naive)
        return self.tokens <= MOST_TOKENS and gain.value >= ABOVE_NAIVE and gain.low > 0


def as_they_stand(bench: Workbench) -> Iterator[Labelled]:
    """The answerable questions of the dataset."""
    for case in bench.dataset.cases:
        if case.answerable:
            vector = bench.embedder.embed_query(case.question)
            found = bench.generation.retriever.find(Query(case.question), vector, bench.caller.scope)
            yield Labelled(case.id, case.question, tuple(map(normalised_quote, case.quotes)), found)


def in_all_forms(examples: Sequence[Example]) -> Iterator[Labelled]:
    """The questions that weights are learned from."""
    for example in examples:
        if example.needed:
            question = example.question
            yield Labelled(question.id, question.text, tuple(words for _, words in question.evidence), example.found)


def measure(bench: Workbench, windows: Naive512, questions: Sequence[Labelled], weights: Weights) -> list[Point]:
    """The curve of one handbook, in the order of `BUDGETS_TOKENS`."""
    tokens: list[list[float]] = [[] for _ in BUDGETS_TOKENS]
    held: list[list[float]] = [[] for _ in BUDGETS_TOKENS]
    rival: list[list[float]] = [[] for _ in BUDGETS_TOKENS]
    naive = []
    for one in questions:
        naive.append(one.held_by(windows.context(one.text, bench.embedder.embed_query(one.text)).text))
        evidence = ranked_evidence(one.found, weights)
        whole = WholePassages(select_passages(evidence, _RIVAL), evidence.analysed, bench.counter)
        for at, budget in enumerate(BUDGETS_TOKENS):
            context = replace(bench.context_settings, budget_tokens=budget).make_context(evidence, weights, bench.counter)
            tokens[at].append(context.tokens)
            held[at].append(one.held_by(context.text))
            rival[at].append(one.held_by(whole.within(context.tokens)[0]))
    names = [one.id for one in questions]
    return [
        Point(_mean(spent), _mean(_by_question(names, own)), _gains(names, own, other), _gains(names, own, naive))
        for spent, own, other in zip(tokens, held, rival, strict=True)
    ]


def _gains(names: Sequence[str], own: Sequence[float], other: Sequence[float]) -> list[float]:
    return _by_question(names, [mine - theirs for mine, theirs in zip(own, other, strict=True)])


def _by_question(names: Sequence[str], values: Sequence[float]) -> list[float]:
    """The mean over the forms of each question."""
    forms: dict[str, list[float]] = defaultdict(list)
    for name, value in zip(names, values, strict=True):
        forms[name].append(value)
    return [_mean(own) for own in forms.values()]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _table(title: str, by_handbook: Mapping[str, Sequence[Point]]) -> Table:
    table = Table(
        title=f"{title}\nevidence retention at mean tokens: points over smaller-k at the same tokens / over naive-512-top5"
    )
    for column in ("budget", *by_handbook, "together, over smaller-k", "meets all"):
        table.add_column(column)
    for budget, *points in zip(BUDGETS_TOKENS, *by_handbook.values(), strict=True):
        together = _interval([one for point in points for one in point.over_smaller_k])
        meets = together.low > 0 and all(point.beats_naive for point in points)
        cells = [
            f"{point.retention:.1%} at {point.tokens:.0f}: "
            f"{_points(_interval(point.over_smaller_k))} / {_points(_interval(point.over_naive))}"
            for point in points
        ]
        table.add_row(str(budget), *cells, _points(together), "yes" if meets else "no")
    return table


def _points(interval: Interval) -> str:
    return f"{100 * interval.value:+.1f} ({100 * interval.low:+.1f} to {100 * interval.high:+.1f})"


def _interval(values: Sequence[float]) -> Interval:
    interval = bootstrap(list(values))
    if interval is None:
        raise ValueError("there must be an answerable question")
    return interval


def main() -> None:
    """Learn, measure both handbooks, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds " + ", ".join(HANDBOOKS))
    arguments = parser.parse_args()
    settings = load_settings()
    prepare_home(settings.home)
    examples = {name: find_examples(arguments.data, name) for name in HANDBOOKS}
    unseen = learn_without(examples)
    tables: dict[str, dict[str, list[Point]]] = defaultdict(dict)
    for name in JUDGED:
        with open_workbench(settings, load_dataset(arguments.data / name), NoProgress()) as bench:
            windows = Naive512(bench.pages, bench.embed_texts, bench.counter)
            main_questions = list(as_they_stand(bench))
            tables["shipped weights"][name] = measure(bench, windows, main_questions, shipped_weights())
            tables["weights learned without the handbook"][name] = measure(bench, windows, main_questions, unseen[name])
            all_forms = list(in_all_forms(examples[name]))
            tables["the same weights, all forms of all labelled questions"][name] = measure(
                bench, windows, all_forms, unseen[name]
            )
    console = Console(width=180)
    for title, by_handbook in tables.items():
        console.print(_table(title, by_handbook))


if __name__ == "__main__":
    main()
