"""With models configured, arms answer with them: what that costs is measured, stands in the ledger, and says who judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from app.bootstrap import build_counter
from app.bootstrap.ledger import open_ledger_reader
from app.costs.ledger import Entry, Outcome, Surface
from app.costs.pricing import Price
from app.generation.endpoints import Completion, Endpoint, Prompt, Rungs, TextListener
from app.generation.errors import EndpointUnavailableError
from app.settings import Settings
from eval.arms.naive_answers import NaiveAnswerer
from eval.arms.workbench import open_workbench
from eval.datasets.cases import load_dataset
from eval.replay.oracle import Oracle, OracleSettings
from eval.runs.run import Run, run_dataset
from indexing.embedding import Embedder
from indexing.planning import NoProgress

PRICE = Price(Decimal(1), Decimal(10))
SOME_ARMS = ("farthing", "smaller-k", "naive-512-top5")


class Away:
    """A model that never answers."""

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        on_text("")
        raise EndpointUnavailableError(f"it is away, with {max_output_tokens} tokens for {len(prompt.user)} characters")


def rungs(office: Path) -> Rungs:
    oracle = Oracle(load_dataset(office).cases, build_counter(), OracleSettings(misjudges=0.0))
    small, strong = (Endpoint(name, name, oracle, PRICE, 100_000, 500) for name in ("mini", "max"))
    return Rungs((small,), (strong,))


@contextmanager
def entries_written(settings: Settings, office: Path) -> Iterator[list[Entry]]:
    """The entries of the ledger beside the office's index that are written meanwhile."""
    written: list[Entry] = []
    home = settings.home / "eval" / load_dataset(office).docs_hash[:16]
    began = datetime.now(UTC)
    yield written
    with open_ledger_reader(settings.model_copy(update={"home": home})) as reader:
        written += reader.entries(began, datetime.now(UTC) + timedelta(days=1))


@pytest.fixture(scope="module")
def measured(office: Path, settings: Settings, embedder: Embedder) -> tuple[Run, list[Entry]]:
    with entries_written(settings, office) as written:
        run = run_dataset(settings, office, NoProgress(), SOME_ARMS, embedder=embedder, rungs=rungs(office))
    return run, written


def test_the_naive_arm_answers_with_the_strong_model(measured: tuple[Run, list[Entry]]) -> None:
    content = measured[0].content
    naive = content["arms"]["naive-512-top5"]

    assert content["configuration"]["arms"]["naive-512-top5"]["model"] == "max"
    assert naive["cost_basis"] == "billed"
    assert naive["answer_correct"]["mean"] > 0.5
    assert Decimal(naive["cost_usd_per_correct_answer"]) > Decimal(naive["cost_usd_per_answer"]) > 0
    assert naive["groundedness"] is None
    assert naive["cost_usd_per_correct_grounded_answer"] is None
    assert content["arms"]["smaller-k"]["cost_basis"] == "the priced prompt"
    assert content["arms"]["smaller-k"]["answer_correct"] is None


def test_farthing_answers_with_the_small_one_and_is_billed(measured: tuple[Run, list[Entry]]) -> None:
    own = measured[0].content["arms"]["farthing"]

    assert own["correct_grounded_answers"] >= 20
    assert own["answer_tokens"] > 0
    assert Decimal(own["cost_usd_per_correct_grounded_answer"]) > 0


def test_the_run_says_what_made_its_figures(measured: tuple[Run, list[Entry]], finished: Run) -> None:
    configuration = measured[0].content["configuration"]

    assert configuration["models"] == {"small": ["mini"], "strong": ["max"]}
    assert configuration["groundedness"] == "ground check and judge mini"
    assert finished.content["configuration"]["groundedness"] == "word for word"
    assert set(measured[0].content["prompt_hashes"]) >= {"answer.md", "judge.md", "repair.md"}


def test_every_cent_of_the_run_is_in_the_ledger(measured: tuple[Run, list[Entry]]) -> None:
    run, written = measured
    billed = sum((o.cost_usd for o in run.outcomes if o.arm != "smaller-k" and o.cost_usd), Decimal(0))

    assert sum((entry.receipt.cost_usd or Decimal(0) for entry in written), Decimal(0)) == billed
    assert {entry.spender.surface for entry in written} == {Surface.EVAL}
    assert sum(entry.outcome is Outcome.WORK for entry in written) == len(run.cases)


def test_a_model_that_is_away_fails_the_case_and_the_call_is_written_down(
    office: Path, settings: Settings, embedder: Embedder
) -> None:
    away = Rungs((Endpoint("mini", "mini", Away(), PRICE, 100_000, 500),))
    with entries_written(settings, office) as written:
        run = run_dataset(settings, office, NoProgress(), ("naive-512-top5",), 2, embedder, away).content

    assert run["arms"]["naive-512-top5"]["answer_correct"]["mean"] == 0
    assert run["arms"]["naive-512-top5"]["failed"][0]["error"].startswith("EndpointUnavailableError: it is away")
    assert run["arms"]["naive-512-top5"]["cost_usd_per_answer"] is None
    assert [entry.outcome for entry in written] == [Outcome.WORK] * 2


def test_without_a_model_nobody_can_answer(office: Path, settings: Settings, embedder: Embedder) -> None:
    with (
        open_workbench(settings, load_dataset(office), NoProgress(), embedder) as bench,
        pytest.raises(ValueError, match="no model is configured"),
    ):
        NaiveAnswerer(bench)
