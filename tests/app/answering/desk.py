"""A service over documents in memory, with an answer cache, that tests ask, edit and watch."""

import json
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.access.callers import Caller
from app.answering.measuring import Measuring
from app.answering.naive_prompt import NaiveBaseline
from app.answering.service import AnswerService
from app.answers.answers import Answer, Answered
from app.answers.codec import JsonAnswers
from app.answers.conversation import Conversation
from app.answers.questions import Question
from app.caching.cache import AnswerCache, CacheSettings
from app.caching.flights import Flights
from app.caching.memory import Memory
from app.caching.rules.calibration import Band, Calibration
from app.caching.rules.keys import CacheKeys
from app.caching.selecting import HitTally
from app.costs.budgets import Limit, RestraintShares
from app.costs.hits import HitBook
from app.costs.ledger import Spender, Surface
from app.costs.pricing import Price, Usage
from app.generation.accounting import Accounts
from app.generation.endpoints import Completion, Endpoint, Finish, Prompt, Rungs, TextListener
from app.generation.errors import GenerationError
from app.ladder.climb import Ladder, LadderSettings
from indexing.chunking import chunk_document
from indexing.documents import EVERYONE, AccessScope, Document
from indexing.embedding import Embedder, EmbedderSpec
from indexing.language import ENGLISH
from retrieval.context import ContextSettings
from retrieval.leasing import IndexHandle, OpenGeneration
from retrieval.lexicon import lexicon_rarity
from retrieval.passages import Query
from retrieval.retriever import Retriever
from retrieval.weights import Weights
from tests.fakes.answer_store import FakeAnswerStore
from tests.fakes.chunk_index import FakeChunkIndexStore, FakePassageSearcher
from tests.fakes.embedder import FakeEmbedder
from tests.fakes.ledger import FakeLedger
from tests.indexing.pages import document
from tests.retrieval.finding import COUNTER, CountedLexicon

TENANT = "acme"
WEIGHTS = Weights({"coverage_with_headings": 1.0}, {"coverage": 10.0}, -1.0, {}, 50.0)
ABSTAINING = replace(WEIGHTS, answerable_bias=-50.0)

SURE = Calibration({}, 5.0, (Band(0.0, 100_000, 100_000),))
"""What is proposed, and no rule drops, is right: it is served on the evidence."""

LIKELY = Calibration({}, 5.0, (Band(0.0, 1_000, 900),))
"""It is right nine times in ten: a model must verify it."""


class Embedding:
    """Counts the questions that it embeds, and takes any of them for what the test says."""

    def __init__(self, model: Embedder | None = None) -> None:
        self._model = model or FakeEmbedder(64)
        self.asked: list[str] = []
        self.vectors: dict[str, NDArray[np.float32]] = {}

    @property
    def spec(self) -> EmbedderSpec:
        return self._model.spec

    def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._model.embed_documents(texts)

    def embed_query(self, text: str) -> NDArray[np.float32]:
        self.asked.append(text)
        known = self.vectors.get(text)
        return self._model.embed_query(text) if known is None else known


class Model:
    """Says what the test wants to a verifying prompt, and cites the first unit word for word where an answer is wanted."""

    def __init__(self, verdict: str | GenerationError = "yes") -> None:
        self.verdict = verdict
        self.verified: list[Prompt] = []
        self.answered: list[Prompt] = []
        self.during: Callable[[], None] = lambda: None
        self.garbles = False

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:  # noqa: ARG002 - the port's
        self.during()
        if self.garbles:
            text = "Certainly! Twenty-five days"
        elif prompt.wants_json:
            self.answered.append(prompt)
            found = re.search(r"\[1\] (.+?)(?= \[2\]|\n)", prompt.user)
            assert found, prompt.user
            text = json.dumps({"sentences": [{"text": found.group(1), "units": [1]}]})
        else:
            self.verified.append(prompt)
            if isinstance(self.verdict, GenerationError):
                raise self.verdict
            text = self.verdict
        on_text(text)
        return Completion(text, Finish.STOP, Usage(100, 1))


class Library:
    """`GenerationSource` over documents in memory."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._store = FakeChunkIndexStore()
        self._documents: dict[str, Sequence[Document]] = {}
        self._serving: str | None = None

    def publish(self, documents: Sequence[Document]) -> str:
        """Index documents as a new generation, which serves from now on."""
        name = f"g{len(self._documents) + 1}"
        chunks = [chunk for page in documents for chunk in chunk_document(page, COUNTER, ENGLISH)]
        index = self._store.create(name, Path(), self._embedder.spec.dimension)
        index.upsert(chunks, self._embedder.embed_documents([chunk.embedding_text for chunk in chunks]))
        index.commit()
        self._documents[name] = documents
        self._serving = name
        return name

    def current(self) -> str | None:
        return self._serving

    def open(self, generation: str) -> OpenGeneration:
        searcher = FakePassageSearcher(self._store, generation, self._embedder.spec.dimension)
        chunks = [chunk for chunk, _ in self._store.points(generation, self._embedder.spec.dimension).values()]
        lexicon = CountedLexicon(chunks)
        return OpenGeneration(
            id=generation,
            searcher=searcher,
            retriever=Retriever(searcher, lexicon, COUNTER, WEIGHTS, ENGLISH),
            labels=frozenset(label for page in self._documents[generation] for label in page.labels),
            rarity=lexicon_rarity(lexicon),
            close=searcher.close,
        )

    def close(self) -> None:
        pass


class Desk:
    """A service and everything behind it. Several desks over one store, library and ledger stand for several processes."""

    def __init__(
        self,
        *pages: Document | str,
        store: Any = None,
        model: Model | None = None,
        calibration: Calibration = LIKELY,
        limits: Sequence[Limit] = (),
        like: "Desk | None" = None,
        weights: Weights = WEIGHTS,
        policy: str = "policy",
        extractive_from: float = 0.0,
        check_every_s: float = 0.0,
        embedder: Embedder | None = None,
        turns: AbstractContextManager[object] | None = None,
        **cache: Any,
    ) -> None:
        self.store: Any = store or (like.store if like else FakeAnswerStore())
        self.embedder = Embedding(embedder)
        self.library: Library = like.library if like else Library(self.embedder)
        self.ledger: FakeLedger = like.ledger if like else FakeLedger(limits)
        self.settings = ContextSettings(200)
        self.model = model
        if pages:
            self.publish(*pages)
        rungs = Rungs((Endpoint("mini", "mini", model, Price(Decimal(1), Decimal(10)), 10_000, 400),)) if model else Rungs()
        plain = {"ttl_s": 3600.0, "abstention_ttl_s": 60.0, "max_wrong_share": 0.01}
        own = CacheSettings(**{**plain, "verifier_wrong_share": 0.03 if model else None, **cache})
        self.cache = AnswerCache(self.store, JsonAnswers(), lambda: calibration, own)
        self.book = HitBook(self.ledger)
        flights = Flights(self.store if model else None)
        self.memory = Memory(
            self.cache, flights, HitTally(self.store), self.book, policy, self.store.close, ENGLISH, rungs.cheapest
        )
        self.accounts = Accounts(self.ledger, RestraintShares(0.8, 0.9, 0.97), "prices")
        self.service = AnswerService(
            index=IndexHandle(self.library, self._fail, check_every_s),
            embedder=self.embedder,
            counter=COUNTER,
            language=ENGLISH,
            weights=weights,
            context_settings=lambda: self.settings,
            memory=self.memory,
            ladder=Ladder(rungs, LadderSettings(1_500, extractive_from, judge=False), weights, COUNTER),
            accounts=self.accounts,
            baseline=NaiveBaseline(COUNTER, Price(Decimal(1), Decimal(10)), 100),
            measuring=Measuring(0.0, lambda *_: None, rungs, self.ledger, "prices", COUNTER),  # type: ignore[arg-type] # draws nothing
            max_question_characters=2_000,
            turns=turns,
        )

    def publish(self, *pages: Document | str) -> str:
        """Index pages, and nothing else; a string is a page of its own for everybody."""
        return self.library.publish(
            [page if isinstance(page, Document) else document(page, path=f"page-{n}.md") for n, page in enumerate(pages)]
        )

    def ask(self, text: str, *labels: str, conversation: Conversation | None = None, person: str | None = None) -> Answer:
        return self.service.ask(Question(text, conversation), Caller(scope(*labels), Spender(Surface.HTTP, person)))

    def quick(self, text: str, *labels: str, conversation: Conversation | None = None) -> dict[str, Any] | None:
        found = self.quick_bytes(text, *labels, conversation=conversation)
        return json.loads(found) if found is not None else None

    def quick_bytes(self, text: str, *labels: str, conversation: Conversation | None = None) -> bytes | None:
        return self.service.quick(Question(text, conversation), Caller(scope(*labels), Spender(Surface.HTTP, "ada")))

    def computed(self, text: str, *labels: str, **more: Any) -> bool:
        """Ask, and say whether the question had to be searched for."""
        before = len(self.embedder.asked)
        self.ask(text, *labels, **more)
        return len(self.embedder.asked) > before

    def keys(self, text: str, *labels: str, background: str = "") -> CacheKeys:
        return self.memory.keys(Query(text, background), scope(*labels), self.settings)

    @staticmethod
    def _fail(generation: str, error: Exception) -> None:
        raise AssertionError(generation) from error


def scope(*labels: str) -> AccessScope:
    """What somebody with these labels may read; without any, what everybody may."""
    return AccessScope(TENANT, frozenset(labels or (EVERYONE,)))


def page(name: str, text: str, *labels: str) -> Document:
    """A page of a path, for those with one of the labels."""
    return document(text, path=f"{name}.md", labels=labels or (EVERYONE,))


def said(answer: Answer) -> str:
    """What an answer cites."""
    return " ".join(one.quote for one in answer.citations) if isinstance(answer, Answered) else ""


def near(vector: NDArray[np.float32], seed: str, distance: float = 0.05) -> NDArray[np.float32]:
    """A vector close to another one, of length 1; each seed's own."""
    noise = np.random.default_rng(int.from_bytes(sha256(seed.encode()).digest()[:4], "big")).normal(size=len(vector))
    moved = vector + (distance * noise / np.linalg.norm(noise)).astype(np.float32)
    return (moved / np.linalg.norm(moved)).astype(np.float32)
