import json
import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.settings import Settings
from eval.arms.arms import ARMS
from eval.errors import DatasetError, EvalError, RunError
from eval.runs.run import Run, read_outcomes, run_dataset, write_run
from indexing.embedding import Embedder
from indexing.planning import NoProgress

Write = Callable[..., Path]
NO_ANSWERS = ("smaller-k", "no-compression", "naive-512-top5", "llamaindex-default")


def test_run_json_has_the_promised_form(finished: Run) -> None:
    run = json.loads(json.dumps(finished.content))
    assert run["dataset"] == "office"
    assert run["cases"] == 31
    assert set(run["arms"]) == set(ARMS)
    own = run["arms"]["farthing"]
    for measure in ("evidence_retention", "answer_correct", "groundedness"):
        assert set(own[measure]) == {"mean", "low", "high"}
    assert set(own["context_tokens"]) == {"mean", "p50", "p95"}
    assert set(own["latency_ms"]) == {"p50", "p95", "p99"}
    assert isinstance(own["abstained_answerable"], float)
    assert isinstance(own["abstained_unanswerable"], float)
    assert isinstance(own["cost_usd_per_answer"], str)
    assert set(own["by_type"]) == {"number", "unanswerable"}
    assert set(run["paired"]) == {f"farthing-{name}" for name in NO_ANSWERS}
    assert set(run["paired"]["farthing-smaller-k"]["evidence_retention"]) == {"mean", "low", "high"}
    for key in ("configuration", "versions", "weights_hash", "prompt_hashes", "data_hash", "excluded"):
        assert key in run


def test_one_page_a_question_is_found_whole(finished: Run) -> None:
    own = finished.content["arms"]["farthing"]
    assert own["evidence_retention"]["mean"] > 0.8
    assert own["context_tokens"]["mean"] > 20


@pytest.mark.parametrize("name", NO_ANSWERS)
def test_arms_that_do_not_answer_have_no_answer_figures(finished: Run, name: str) -> None:
    figures = finished.content["arms"][name]
    for measure in ("answer_correct", "token_f1", "groundedness", "citation_precision", "abstained_answerable", "answer_tokens"):
        assert figures[measure] is None
    assert figures["cost_usd_per_correct_grounded_answer"] is None
    assert Decimal(figures["cost_usd_per_answer"]) > 0
    assert figures["cost_basis"] == "the priced prompt"


def test_smaller_k_never_spends_more_than_farthing(finished: Run) -> None:
    tokens = {(o.arm, o.case_id): o.values["context_tokens"] for o in finished.outcomes}
    pairs = [(tokens["farthing", case.id], tokens["smaller-k", case.id]) for case in finished.cases]
    assert all(own is not None and rival is not None and rival <= own for own, rival in pairs)


def test_a_second_run_embeds_no_document_and_measures_the_same(
    finished: Run, office: Path, settings: Settings, embedder: Embedder
) -> None:
    before = len(embedder.embedded)  # type: ignore[attr-defined] # the fake keeps count
    again = run_dataset(settings, office, NoProgress(), embedder=embedder)
    assert len(embedder.embedded) == before  # type: ignore[attr-defined] # as above
    for name in ARMS:
        first, second = finished.content["arms"][name], again.content["arms"][name]
        assert {k: v for k, v in first.items() if k not in {"latency_ms", "intervals"}} == {
            k: v for k, v in second.items() if k not in {"latency_ms", "intervals"}
        }


def test_a_case_that_raises_counts_as_failed_and_is_listed(
    office: Path, settings: Settings, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = embedder.embed_query

    def broken(text: str) -> object:
        if "gym" in text:
            raise RuntimeError("the model is away")
        return real(text)

    monkeypatch.setattr(embedder, "embed_query", broken)
    run = run_dataset(settings, office, NoProgress(), ("farthing", "smaller-k"), embedder=embedder).content
    for name in ("farthing", "smaller-k"):
        assert run["arms"][name]["failed"] == [{"id": "q-gym", "error": "RuntimeError: the model is away"}]
        assert run["arms"][name]["evidence_retention"]["mean"] <= 0.97
    assert run["arms"]["farthing"]["cost_usd_per_answer"] is None


def test_limit_and_arms(office: Path, settings: Settings, embedder: Embedder) -> None:
    run = run_dataset(settings, office, NoProgress(), ("naive-512-top5",), limit=3, embedder=embedder)
    assert run.content["cases"] == 3
    assert list(run.content["arms"]) == ["naive-512-top5"]
    assert run.content["paired"] == {}


def test_an_unknown_arm_is_refused(office: Path, settings: Settings) -> None:
    with pytest.raises(EvalError, match=r"no arm 'nobody'.*farthing"):
        run_dataset(settings, office, NoProgress(), ("nobody",))


def test_quotes_that_are_on_no_page_are_refused_before_anything_is_embedded(
    write_dataset: Write, settings: Settings, embedder: Embedder
) -> None:
    row = {"id": "a", "question": "q", "answer": "a", "type": "t", "evidence": [{"doc": "gym.md", "quote": "never written"}]}
    before = len(embedder.embedded)  # type: ignore[attr-defined] # the fake keeps count
    with pytest.raises(DatasetError, match=r"questions\.jsonl:1: its quote is not on the page gym\.md: 'never written'"):
        run_dataset(settings, write_dataset([row]), NoProgress(), embedder=embedder)
    assert len(embedder.embedded) == before  # type: ignore[attr-defined] # as above


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "srcset"}]


def test_the_files_of_a_run(finished: Run, tmp_path: Path) -> None:
    write_run(finished, tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    page = _Loads()
    page.feed(html)
    assert "script" not in page.tags
    assert page.links == []
    assert not re.search(r"url\(|@import|https?://", html)
    assert page.tags.count("svg") == 2
    assert "smaller-k" in html
    content, outcomes = read_outcomes(tmp_path / "out")
    assert content["dataset"] == "office"
    assert len(outcomes) == len(finished.outcomes)
    assert read_outcomes(tmp_path / "out" / "run.json")[1] == outcomes


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b"], ids=ascii)
def test_a_run_is_read_back_whatever_stands_between_the_words_of_an_answer(finished: Run, tmp_path: Path, separator: str) -> None:
    spoken = [replace(outcome, answer=f"Ask{separator}Ada.") for outcome in finished.outcomes]
    write_run(replace(finished, outcomes=spoken), tmp_path)
    assert len(read_outcomes(tmp_path)[1]) == len(spoken)


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not hold a run"):
        read_outcomes(tmp_path)


def test_text_of_documents_and_questions_is_escaped(
    write_dataset: Write, settings: Settings, embedder: Embedder, tmp_path: Path
) -> None:
    attack = "<img src=x onerror=alert(1)>"
    folder = write_dataset([])
    (folder / "docs" / "gym.md").write_text(f"# Gym\n\n`{attack}` opens at seven in the morning.\n", encoding="utf-8")
    row = {"id": attack, "question": f"When {attack}?", "answer": attack, "must_include": ["nothing of it"], "type": attack}
    rows = [
        {**row, "evidence": [{"doc": "gym.md", "quote": "opens at seven in the morning."}]},
        {**row, "id": "b", "evidence": []},
    ]
    (folder / "questions.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    write_run(run_dataset(settings, folder, NoProgress(), ("farthing",), embedder=embedder), tmp_path / "out")
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<img" not in html
    assert "&lt;img src=x" in html
