"""The ladder on a scripted model: what a correct, grounded answer costs beside the naive prompt on the strong model.

    python -m eval.benchmarks.ladder --data ../shared/data [--small openai/gpt-5-mini] [--strong openai/gpt-5] [--slips 0.0]
        [--seed 0]

Models are oracles (`eval.replay.oracle`): right when the whole gold evidence is in their prompt, inventing otherwise, also where
the documents hold no answer; as a judge wrong in one of twenty verdicts. Tokens are counted, and priced as the two models are
listed; hidden reasoning tokens are in no arm's figure, and nothing is cached. `--slips` are the questions that are too hard for
the small oracle: it invents although the evidence is there; only then is the strong one worth something.
The naive arm cites nothing, so its figure is dollars per correct answer. Exit status 1 when on handbook-18f farthing costs more
than a tenth of it per correct, grounded answer.
"""

import argparse
import json
import statistics
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from app.answers.answers import Answer, Answered
from app.answers.questions import Question
from app.bootstrap import build_counter, build_prices, build_service
from app.costs.pricing import PriceBook, dollars
from app.costs.receipts import Receipt
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, Rungs, TextListener
from app.settings import load_settings
from eval.arms.arms import NAIVE, ask_retrieval, build_arm
from eval.arms.workbench import Workbench, open_workbench
from eval.datasets.cases import Case, load_dataset
from eval.measures.answers import is_correct, shown_answer
from eval.measures.costs import cost_per_answer, cost_per_good_answer
from eval.replay.oracle import Oracle, OracleSettings
from indexing.planning import NoProgress
from indexing.tokens import TokenCounter

TARGET_SHARE: Final = Decimal("0.1")
JUDGED_ON: Final = "handbook-18f"
HANDBOOKS: Final = (JUDGED_ON, "handbook-gitlab")
_COLUMNS: Final = (
    "arm", "per answer", "per good", "good", "correct only", "wrong", "answered unanswerable", "abstained, answerable",
    "abstained, unanswerable", "answered by", "sentences judged", "overhead, p50",
)  # fmt: skip
_CONTEXT_TOKENS: Final = 128_000
_MAX_OUTPUT_TOKENS: Final = 500


@dataclass(frozen=True, slots=True)
class Result:
    """What one arm made of one case: `rung` answered, `None` for an abstention; the money, and what was judged."""

    answerable: bool
    rung: str | None
    correct: bool
    good: bool
    cost_usd: Decimal | None
    overhead_ms: float | None


class Watched:
    """`Generator` over an oracle that counts the sentences that were written, and those that were judged."""

    def __init__(self, oracle: Oracle) -> None:
        self._oracle = oracle
        self.written = 0
        self.judged = 0

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """As the oracle."""
        completion = self._oracle.generate(prompt, max_output_tokens, on_text)
        if prompt.wants_json:
            reply = json.loads(completion.text) if completion.finish is Finish.STOP else {}
            self.written += len(reply.get("sentences", ()))
            self.judged += len(reply.get("supported", ()))
        return completion


def ask_farthing(bench: Workbench, rungs: Rungs) -> list[Result]:
    """Ask the product every question, with these models."""
    service = build_service(bench.own_settings, bench.embedder, lambda: bench.context_settings, rungs, bench.ledger)
    with closing(service):
        service.warm_up()
        answers = [service.ask(Question(case.question), bench.caller) for case in bench.dataset.cases]
    return [_result(case, answer) for case, answer in zip(bench.dataset.cases, answers, strict=True)]


def ask_naive(bench: Workbench) -> list[Result]:
    """Have the strong model of the bench answer the naive prompt for every question."""
    arm = build_arm(NAIVE, bench)
    results = []
    for case in bench.dataset.cases:
        plain = arm.send(ask_retrieval(bench, case)).plain
        assert plain is not None
        correct = case.answerable and is_correct(case, plain.text)
        results.append(Result(case.answerable, NAIVE, correct, correct, plain.cost_usd, None))
    return results


def _result(case: Case, answer: Answer) -> Result:
    receipt = answer.receipt
    if not isinstance(answer, Answered):
        return Result(case.answerable, None, False, False, receipt.cost_usd, _overhead_ms(receipt))
    correct = case.answerable and is_correct(case, shown_answer(answer.text))
    good = correct and answer.groundedness == 1.0
    return Result(case.answerable, answer.rung, correct, good, receipt.cost_usd, _overhead_ms(receipt))


def _overhead_ms(receipt: Receipt) -> float:
    """The time that was not spent waiting for a model."""
    return receipt.ms - sum(line.ms for line in receipt.lines if line.model is not None)


def measure(bench: Workbench, table: Table) -> tuple[Decimal | None, Decimal | None]:
    """Run all arms, a row each; dollars per good answer of farthing with both models, and of the naive arm."""
    arms = {
        "farthing, small and strong": bench.rungs,
        "farthing, small alone": Rungs(bench.rungs.small),
        "farthing, extractive alone": Rungs(),
    }
    figures = [_row(name, ask_farthing(bench, rungs), rungs, table) for name, rungs in arms.items()]
    naive = _row(f"{NAIVE} on the strong model", ask_naive(bench), None, table)
    table.add_section()
    return figures[0], naive


def _row(name: str, results: Sequence[Result], rungs: Rungs | None, table: Table) -> Decimal | None:
    costs = [result.cost_usd for result in results]
    per_good = cost_per_good_answer(costs, sum(result.good for result in results))
    ended = Counter(result.rung for result in results)
    answerable = [result for result in results if result.answerable]
    unanswerable = [result for result in results if not result.answerable]
    overheads = [result.overhead_ms for result in results if result.overhead_ms is not None]
    table.add_row(
        name,
        dollars(cost_per_answer(costs)),
        dollars(per_good),
        str(sum(result.good for result in results)),
        str(sum(result.correct and not result.good for result in results)),
        str(sum(result.rung is not None and not result.correct for result in answerable)),
        str(sum(result.rung is not None for result in unanswerable)),
        str(sum(result.rung is None for result in answerable)),
        str(sum(result.rung is None for result in unanswerable)),
        ", ".join(f"{rung} {count / len(results):.0%}" for rung, count in ended.most_common() if rung and rungs is not None),
        _judged_share(rungs),
        f"{statistics.median(overheads):.0f} ms" if overheads else "-",
    )
    return per_good


def _judged_share(rungs: Rungs | None) -> str:
    """Of the sentences that the models wrote since this was last asked."""
    watched = [one.generator for rung in (rungs.small, rungs.strong) for one in rung] if rungs else []
    written = judged = 0
    for generator in watched:
        assert isinstance(generator, Watched)
        written, judged = written + generator.written, judged + generator.judged
        generator.written = generator.judged = 0
    return f"{judged / written:.0%}" if written else "-"


def _oracles(cases: Sequence[Case], counter: TokenCounter, prices: PriceBook, options: argparse.Namespace) -> Rungs:
    def endpoint(model: str, settings: OracleSettings) -> Endpoint:
        price = prices.price(model)
        if price is None:
            sys.exit(f"{prices.version} has no price of {model}")
        generator = Watched(Oracle(cases, counter, settings))
        return Endpoint(model, model, generator, price, _CONTEXT_TOKENS, _MAX_OUTPUT_TOKENS)

    small = endpoint(options.small, OracleSettings(slips=options.slips, seed=f"small {options.seed}"))
    return Rungs((small,), (endpoint(options.strong, OracleSettings(seed=f"strong {options.seed}")),))


def main() -> int:
    """Run, print, judge."""
    options = _arguments()
    settings, counter = load_settings(endpoints=()), build_counter()
    prices = build_prices(settings)
    console = Console(width=200)
    held = True
    for name in HANDBOOKS:
        dataset = load_dataset(options.data / name)
        rungs = _oracles(dataset.cases, counter, prices, options)
        with open_workbench(settings, dataset, NoProgress(), rungs=rungs) as bench:
            answerable = sum(case.answerable for case in bench.dataset.cases)
            title = f"{name}: {answerable} answerable questions, {len(bench.dataset.cases) - answerable} not"
            table = Table(title=title)
            for column in _COLUMNS:
                table.add_column(column)
            farthing, naive = measure(bench, table)
        console.print(table)
        share = farthing / naive if farthing is not None and naive else None
        console.print(
            f"farthing per correct, grounded answer: {'unknown' if share is None else f'{share:.1%}'} of the naive prompt's"
        )
        held = held and (name != JUDGED_ON or (share is not None and share <= TARGET_SHARE))
    slips = f"too hard for the small one: {options.slips:.0%}; " if options.slips else ""
    console.print(f"models: {options.small}, {options.strong}; {slips}prices: {prices.version}; tokens: {counter.name}")
    return 0 if held else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help=f"the folder that holds {' and '.join(HANDBOOKS)}")
    parser.add_argument("--small", default="openai/gpt-5-mini", help="provider/model")
    parser.add_argument("--strong", default="openai/gpt-5", help="provider/model")
    parser.add_argument("--slips", type=float, default=0.0, help="the share of questions that are too hard for the small model")
    parser.add_argument("--seed", default="0", help="decides what is invented, misjudged and too hard")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
