"""Follow-ups: how much of the gain from the last turn alone to the written-out question the rules reach, without a model.

    python -m eval.benchmarks.followups --data ../shared/data [--budget 500]

Each conversation is held with the product: every earlier question is asked, and the state sent with the next one is made from the
question and the first citation of its answer. Then the follow-up is searched three ways: its own words alone; with that state, as
the rules decide; and written out by a person. Retention is the share of follow-ups whose whole evidence is in the context,
recall@8 the share of the evidence (quotes, or pages of MTRAG) in the eight best passages, or pages.
Questions are halved by a hash of their ids: rules and weights were chosen on one half, and the other is printed apart.
The second table asks what it costs that rules err: stand-alone questions come after a question that has nothing to do with them.
Pages are indexed under FARTHING_HOME/benchmarks; a second run embeds nothing. Exit status 1 when a share over all questions of a
set is under 70 %.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from rich.console import Console
from rich.table import Table

from app.answering.service import AnswerService
from app.answers.answers import Answered
from app.answers.conversation import Conversation, continue_from, resolve, stands_alone
from app.answers.questions import Question
from app.bootstrap import build_counter, build_embedder, build_generations, build_service, build_sources, open_sync_tools
from app.home import prepare_home
from app.settings import Settings, load_settings
from eval.benchmarks.sets.followups import (
    OTHER,
    TUNED,
    FollowUp,
    handbook_followups,
    mtrag_followups,
    mtrag_turns,
    write_mtrag_pages,
)
from eval.callers import eval_caller
from eval.datasets.cases import load_dataset
from eval.datasets.quotes import missing_quotes
from eval.measures.ranking import first_occurrences, recall_at
from indexing.embedding import Embedder
from indexing.language import ENGLISH
from indexing.planning import NoProgress
from indexing.sync import sync
from indexing.tokens import TokenCounter
from retrieval.context import ContextSettings
from retrieval.followups import embed_query
from retrieval.leasing import OpenGeneration
from retrieval.passages import Query
from retrieval.retriever import Evidence
from retrieval.weights import shipped_weights

TARGET_SHARE: Final = 0.7
CUTOFF: Final = 8
_CALLER: Final = eval_caller()


@dataclass(frozen=True, slots=True)
class Bench:
    """One indexed body of pages, with the product in front of it."""

    embedder: Embedder
    counter: TokenCounter
    generation: OpenGeneration
    service: AnswerService
    context_settings: ContextSettings

    def retrieve(self, query: Query) -> Evidence:
        """What is found for a query."""
        return self.generation.retriever.retrieve(query, embed_query(query, self.embedder.embed_query), _CALLER.scope)

    def converse(self, questions: Sequence[str]) -> Conversation | None:
        """Ask questions one after the other; the state after the last."""
        state: Conversation | None = None
        for question in questions:
            answer = self.service.ask(Question(question, state), _CALLER)
            title, path = "", tuple[str, ...]()
            if isinstance(answer, Answered):
                title, path = answer.citations[0].title, answer.citations[0].heading_path
            state = continue_from(question, title, path, self.counter)
        return state

    def retained(self, quotes: Sequence[str], evidence: Evidence) -> bool:
        """Whether the context holds the quotes whole."""
        context = self.context_settings.make_context(evidence, shipped_weights(), self.counter)
        return not missing_quotes(quotes, context.text)

    def measure(self, followup: FollowUp, query: Query) -> dict[str, float]:
        """The measures of one follow-up, searched in one way."""
        evidence = self.retrieve(query)
        if followup.pages:
            ranking = first_occurrences(passage.chunk.document_path for passage in evidence.passages)
            return {"recall@8, pages": recall_at(CUTOFF, ranking, followup.pages)}
        best = "\n".join(passage.chunk.text for passage in evidence.passages[:CUTOFF])
        return {
            "retention": float(self.retained(followup.quotes, evidence)),
            "recall@8, quotes": 1.0 - len(missing_quotes(followup.quotes, best)) / len(followup.quotes),
        }


@contextmanager
def open_bench(settings: Settings, docs: Path, embedder: Embedder, budget_tokens: int) -> Iterator[Bench]:
    """Index pages in the home of `settings`, as far as that has not been done, and open them."""
    prepare_home(settings.home)
    with open_sync_tools(settings, embedder) as tools:
        generation_id = sync(build_sources(settings, [docs], (), None), tools, NoProgress()).generation
    assert generation_id is not None
    counter, context_settings = build_counter(), ContextSettings(budget_tokens)
    with (
        closing(build_generations(settings, embedder, counter, shipped_weights())) as generations,
        closing(build_service(settings, embedder, lambda: context_settings)) as service,
    ):
        generation = generations.open(generation_id)
        try:
            yield Bench(embedder, counter, generation, service, context_settings)
        finally:
            generation.close()


def compare(bench: Bench, name: str, followups: Sequence[FollowUp], table: Table) -> list[float]:
    """Measure a set of follow-ups and add its rows; the shares of the gain over all of them."""
    states = {followup.id: bench.converse(followup.earlier) for followup in followups}
    queries: Mapping[str, Callable[[FollowUp], Query | None]] = {
        "alone": lambda one: Query(one.question),
        "resolved": lambda one: resolve(one.question, states[one.id], ENGLISH),
        "written out": lambda one: Query(one.written_out) if one.written_out else None,
    }
    measured = {
        (way, followup.id): bench.measure(followup, query)
        for way, make in queries.items()
        for followup in followups
        if (query := make(followup))
    }
    shares = []
    for half in (TUNED, OTHER, "all"):
        some = [followup for followup in followups if half in {followup.half, "all"}]
        dependent = sum(not stands_alone(followup.question, ENGLISH) for followup in some)
        for measure in measured["alone", some[0].id]:
            alone, resolved, written = (
                [measured[way, one.id][measure] for one in some if (way, one.id) in measured] for way in queries
            )
            share = _share(alone, resolved, written)
            shares += [share] if share is not None and half == "all" else []
            cells = (
                _mean(alone),
                _mean(resolved),
                _mean(written) if written else "",
                f"{share:.0%}" if share is not None else "",
            )
            table.add_row(name, half, f"{len(some)}", f"{dependent}", measure, *cells)
    return shares


def err(bench: Bench, name: str, questions: Sequence[tuple[str, tuple[str, ...]]], table: Table) -> None:
    """Ask stand-alone questions, with the quotes that answer them, after the question half a set away, and add a row."""
    away = len(questions) // 2
    alone, ruled, forced = [], [], []
    for position, (question, quotes) in enumerate(questions):
        state = bench.converse([questions[(position + away) % len(questions)][0]])
        assert state is not None
        alone.append(bench.retained(quotes, bench.retrieve(Query(question))))
        resolved = resolve(question, state, ENGLISH)
        ruled.append(alone[-1] if stands_alone(question, ENGLISH) else bench.retained(quotes, bench.retrieve(resolved)))
        forced.append(bench.retained(quotes, bench.retrieve(Query(question, state.text))))
    dependent = sum(not stands_alone(question, ENGLISH) for question, _ in questions)
    cells = (f"{dependent} ({dependent / len(questions):.1%})", _mean(alone), _mean(ruled), _mean(forced))
    table.add_row(name, f"{len(questions)}", *cells)


def main() -> int:
    """Run both tables over both bodies of pages."""
    options = _arguments()
    base = load_settings()
    home = prepare_home(base.home) / "benchmarks"
    prepare_home(home)
    embedder = build_embedder(base)
    gains = Table(title=f"follow-ups; contexts of at most {options.budget} tokens; no model is asked")
    for column in ("set", "half", "questions", "called dependent", "measure", "alone", "resolved", "written out", "of the gain"):
        gains.add_column(column)
    errors = Table(title="stand-alone questions after one that has nothing to do with them: evidence retention")
    for column in ("set", "questions", "called dependent", "alone", "as the rules decide", "if all were called dependent"):
        errors.add_column(column)

    data: Path = options.data
    shares: list[float] = []
    for name in ("handbook-18f", "handbook-gitlab"):
        settings = base.model_copy(update={"home": home / name})
        with open_bench(settings, data / name / "docs", embedder, options.budget) as bench:
            cases = [case for case in load_dataset(data / name).cases if case.answerable and case.type != "contextual_anaphora"]
            err(bench, name, [(case.question, tuple(case.quotes)) for case in cases], errors)
            followups = handbook_followups(data / name / "questions.jsonl")
            if followups:
                shares += compare(bench, f"{name} follow-ups", followups, gains)
                written = [(one.written_out or "", one.quotes) for one in followups]
                err(bench, f"{name} follow-ups, written out", written, errors)
    pages = home / "mtrag-pages"
    write_mtrag_pages(data, pages)
    with open_bench(base.model_copy(update={"home": home / "mtrag"}), pages, embedder, options.budget) as bench:
        shares += compare(bench, "mtrag follow-ups", mtrag_followups(data), gains)
        compare(bench, "mtrag-un later turns", mtrag_turns(data), gains)
    console = Console(width=160)
    console.print(gains)
    console.print(errors)
    return 0 if min(shares) >= TARGET_SHARE else 1


def _share(alone: Sequence[float], resolved: Sequence[float], written: Sequence[float]) -> float | None:
    """How much of the way from `alone` to `written` has been gone; `None` where there is no way to go."""
    if not written or np.mean(written) <= np.mean(alone):
        return None
    return float((np.mean(resolved) - np.mean(alone)) / (np.mean(written) - np.mean(alone)))


def _mean(values: Sequence[float]) -> str:
    return f"{np.mean(values):.1%}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, required=True, help="the folder that holds handbook-18f, handbook-gitlab, mtrag, groundedness-mtrag"
    )
    parser.add_argument("--budget", type=int, default=500, help="tokens of a context")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
