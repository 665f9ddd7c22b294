"""The arms of an experiment: what each would send for a question, all on the same stored retrieval."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from app.answers.answers import Answer
from app.answers.questions import Question
from eval.arms.baselines import NaivePipeline
from eval.arms.naive_answers import NaiveAnswerer, PlainAnswer
from eval.arms.packing import WholePassages
from eval.arms.workbench import Workbench
from eval.datasets.cases import Case
from eval.errors import EvalError
from eval.measures.measures import ANSWER_MEASURES, PLAIN_ANSWER_MEASURES
from indexing.language.question_form import QuestionForm
from indexing.tokens import TokenCounter
from retrieval.context import ContextSettings
from retrieval.passages import Passage, Query
from retrieval.retriever import Evidence
from retrieval.selection import SelectionSettings, select_passages

FARTHING: Final = "farthing"
NO_COMPRESSION: Final = "no-compression"
SMALLER_K: Final = "smaller-k"
NAIVE: Final = "naive-512-top5"
LLAMAINDEX: Final = "llamaindex-default"
ARMS: Final = (FARTHING, SMALLER_K, NO_COMPRESSION, NAIVE, LLAMAINDEX)
"""All arms, in the order in which they are shown."""

_ENOUGH: Final = 30
"""More whole passages than any budget that is looked at can hold."""


class Asked:
    """One case with its stored retrieval, on which any number of settings can be tried."""

    def __init__(self, case: Case, vector: NDArray[np.float32], evidence: Evidence, search_ms: float) -> None:
        self.case = case
        self.vector = vector
        self.evidence = evidence
        self.search_ms = search_ms

    @cached_property
    def ranking(self) -> tuple[str, ...]:
        """The pages of all passages, best passage first."""
        return tuple(passage.chunk.document_path for passage in self.evidence.passages)

    @cached_property
    def top(self) -> tuple[Passage, ...]:
        """The best passages, near-duplicates dropped, before anything else is decided."""
        everything = SelectionSettings(max_score_gap=float("inf"), ceilings=dict.fromkeys(QuestionForm, _ENOUGH))
        return select_passages(self.evidence, everything)


def ask_retrieval(bench: Workbench, case: Case) -> Asked:
    """Embed and search one case's question. Raises what the product raises."""
    began = time.perf_counter()
    vector = bench.embedder.embed_query(case.question)
    evidence = bench.generation.retriever.retrieve(Query(case.question), vector, bench.caller.scope)
    return Asked(case, vector, evidence, _ms_since(began))


def whole_selection(evidence: Evidence, settings: ContextSettings, counter: TokenCounter) -> tuple[str, int]:
    """The passages that Farthing selects, sent whole: the text and its tokens."""
    return WholePassages(select_passages(evidence, settings.selection), evidence.analysed, counter).all()


@dataclass(frozen=True, slots=True)
class Sent:
    """What an arm sends for a case, how long that took, its whole ranking of pages, and, if it answers, the answer.

    `answer` is Farthing's; `plain` that of a model behind a naive pipeline.
    """

    context: str
    tokens: int
    ranking: tuple[str, ...]
    ms: float
    answer: Answer | None = None
    plain: PlainAnswer | None = None


class Arm(Protocol):
    """A way to make a context for a question."""

    @property
    def answer_measures(self) -> frozenset[str]:
        """The measures of answers that it is taken by; none when it only makes a context."""

    def send(self, asked: Asked) -> Sent:
        """Make the context for a case. Raises whatever goes wrong."""

    def configuration(self) -> Mapping[str, Any]:
        """What decides its results, for `run.json`."""


class FarthingArm:
    """The product as configured: its context by replay, its answer and latency by asking the service."""

    answer_measures = ANSWER_MEASURES

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._settings = bench.context_settings

    def send(self, asked: Asked) -> Sent:
        """The compressed context, and the service's answer with the time it took from question to answer."""
        context = self._settings.make_context(asked.evidence, self._bench.weights, self._bench.counter)
        began = time.perf_counter()
        answer = self._bench.service.ask(Question(asked.case.question), self._bench.caller)
        return Sent(context.text, context.tokens, asked.ranking, _ms_since(began), answer)

    def configuration(self) -> Mapping[str, Any]:
        """The settings of selection and compression."""
        return {"profile": self._bench.profile, **self._settings.to_json()}


class ReplayArm:
    """An arm that packs Farthing's own retrieval in another way."""

    answer_measures: frozenset[str] = frozenset()

    def __init__(self, pack: Callable[[Asked], tuple[str, int]], configuration: Mapping[str, Any]) -> None:
        self._pack = pack
        self._configuration = configuration

    def send(self, asked: Asked) -> Sent:
        """The context, with the time of search and packing."""
        began = time.perf_counter()
        text, tokens = self._pack(asked)
        return Sent(text, tokens, asked.ranking, asked.search_ms + _ms_since(began))

    def configuration(self) -> Mapping[str, Any]:
        """How it packs."""
        return self._configuration


class NaiveArm:
    """A naive pipeline with chunks of its own and the same vector of the question; a model answers where one is configured."""

    def __init__(self, pipeline: NaivePipeline, answerer: NaiveAnswerer | None) -> None:
        self._pipeline = pipeline
        self._answerer = answerer

    @property
    def answer_measures(self) -> frozenset[str]:
        """It cites nothing, so that only its text can be measured."""
        return PLAIN_ANSWER_MEASURES if self._answerer else frozenset()

    def send(self, asked: Asked) -> Sent:
        """The context, and the model's answer. Its time leaves the embedding of the question out."""
        began = time.perf_counter()
        question = asked.case.question
        found = self._pipeline.context(question, asked.vector)
        plain = self._answerer.answer(question, found.text) if self._answerer else None
        return Sent(found.text, found.tokens, found.ranking, _ms_since(began), plain=plain)

    def configuration(self) -> Mapping[str, Any]:
        """The pipeline's own, and the model that answers."""
        model = {"model": self._answerer.model} if self._answerer else {}
        return {**self._pipeline.configuration(), **model}


def build_arm(name: str, bench: Workbench) -> Arm:
    """Make an arm ready; naive pipelines cut and embed the documents now, as far as the cache does not know them.

    Raises:
        EvalError: There is no such arm.
    """
    if name == FARTHING:
        return FarthingArm(bench)
    if name == SMALLER_K:
        return ReplayArm(
            partial(_smaller_k, bench), {"passages": "whole, by rank", "tokens": "as farthing, question by question"}
        )
    if name == NO_COMPRESSION:
        settings = bench.context_settings
        return ReplayArm(
            lambda asked: whole_selection(asked.evidence, settings, bench.counter), {"passages": "whole, as selected by farthing"}
        )
    answerer = NaiveAnswerer(bench) if bench.rungs.strong or bench.rungs.small else None
    if name == NAIVE:
        from eval.arms.baselines.naive_512 import Naive512  # noqa: PLC0415 - LlamaIndex takes seconds to import

        return NaiveArm(Naive512(bench.pages, bench.embed_texts, bench.counter), answerer)
    if name == LLAMAINDEX:
        from eval.arms.baselines.llamaindex_default import LlamaIndexDefault  # noqa: PLC0415 - as above

        return NaiveArm(LlamaIndexDefault(bench.pages, bench.embed_texts, bench.counter), answerer)
    raise EvalError(f"There is no arm {name!r}. The arms are: {', '.join(ARMS)}.")


def _smaller_k(bench: Workbench, asked: Asked) -> tuple[str, int]:
    """Whole passages in the order of their rank, cut to the tokens of Farthing's context for the same question."""
    context = bench.context_settings.make_context(asked.evidence, bench.weights, bench.counter)
    return WholePassages(asked.top, asked.evidence.analysed, bench.counter).within(context.tokens)


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000
