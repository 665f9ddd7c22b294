"""Questions that a model writes about a section: what it is told, and how its reply is read."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from app.bootstrap import build_counter, build_ledger, build_prices, build_rungs
from app.costs.ledger import Ledger
from app.generation.endpoints import Endpoint, Prompt, Rungs
from app.generation.errors import GenerationError
from app.grounding import Readings, Source, Support, check_sentence
from app.settings import Settings
from eval.arms.billed_model import BilledModel, Versions, best_rung
from eval.datasets.quotes import missing_quotes, normalised_quote
from eval.datasets.sentences import split_sentences
from indexing.documents import PREFACE, Chunk
from indexing.language import Language, language
from indexing.plain_text import plain_text
from indexing.tokens import TokenCounter
from retrieval.lexicon import Rarity

_REPLY_TOKENS: Final = 600
_VERSION_DIGITS: Final = 12
_BETWEEN: Final = "---\n"

_Text = Annotated[str, Field(min_length=1, max_length=600)]
_Units = Annotated[list[int], Field(max_length=20)]


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A question one fact apart. Without an answer and quotes, the section does not answer it."""

    question: str
    answer: str
    quotes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WrittenQuestion:
    """A question with its answer and the units that prove it, as a reader sees them. `model` is who wrote it."""

    question: str
    answer: str
    quotes: tuple[str, ...]
    paraphrases: tuple[str, ...]
    near_misses: tuple[NearMiss, ...]
    model: str


class _NearMiss(BaseModel):
    model_config = ConfigDict(extra="ignore")

    question: _Text
    answer: _Text | None = None
    units: _Units = []


class _Reply(BaseModel):
    """`paraphrase` and `near_miss` are extras: what is wrong with them takes nothing from the question."""

    model_config = ConfigDict(extra="ignore")

    question: _Text
    answer: _Text
    units: _Units
    paraphrase: Any = None
    near_miss: Any = None


class QuestionWriter:
    """Has a model write a question about a section, in one short call that stands in the ledger. Used by one thread."""

    def __init__(
        self, rung: str, endpoints: Sequence[Endpoint], ledger: Ledger, counter: TokenCounter, prices: str, language: Language
    ) -> None:
        prompt = hashlib.sha256(_content().encode()).hexdigest()[:_VERSION_DIGITS]
        self._model = BilledModel(rung, endpoints, ledger, counter, Versions(prices, prompt))
        self._language = language

    @property
    def cost_usd(self) -> Decimal | None:
        """What all calls so far have cost; `None` as soon as one of them is unknown."""
        return self._model.cost_usd

    def write(self, chunk: Chunk, heading: str, rarity: Rarity) -> WrittenQuestion | None:
        """Have a question written.

        Args:
            chunk: The section.
            heading: The question that its heading makes: what the ledger's entry is about.
            rarity: The rarity of terms over the documents.

        Returns:
            `None` when no endpoint answered, and when the reply cannot be read, cites what was not sent, or says what the cited
            units do not.

        Raises:
            BudgetExhaustedError: A limit leaves no room for the call.
            LedgerError: Nothing can be set aside, or what was spent cannot be written down.
        """
        try:
            completion, receipt = self._model.ask(heading, question_prompt(chunk), _REPLY_TOKENS)
        except GenerationError:  # the log says why
            return None
        model = receipt.lines[-1].model or self._model.name
        return read_question(completion.text, chunk, rarity, model, self._language)


@contextmanager
def open_question_writer(settings: Settings, rungs: Rungs | None = None) -> Iterator[QuestionWriter | None]:
    """A writer with the strong model, else the small one; `None` where no model is configured. `rungs` replaces the settings'.

    Raises:
        HomeError: The home cannot be used safely.
        PriceFileError: The price file cannot be used.
    """
    rungs = build_rungs(settings) if rungs is None else rungs
    rung, endpoints = best_rung(rungs)
    if not endpoints:
        yield None
        return
    with closing(build_ledger(settings)) as ledger:
        yield QuestionWriter(
            rung, endpoints, ledger, build_counter(), build_prices(settings).version, language(settings.language)
        )


def question_prompt(chunk: Chunk) -> Prompt:
    """The prompt for a question about a section, whose units are numbered from 1."""
    system, _, user = _content().partition(_BETWEEN)
    page = " > ".join(plain_text(part).strip() for part in (chunk.title, *chunk.heading_path))
    units = "\n".join(f"[{number}] {text}" for number, text in enumerate(_unit_texts(chunk), start=1))
    return Prompt(system.strip(), Template(user).substitute(page=page, units=units).strip())


def read_question(text: str, chunk: Chunk, rarity: Rarity, model: str, language: Language) -> WrittenQuestion | None:
    """Read a model's reply and hold it against the section; `None` when it is not what was asked for, or not proved.

    A paraphrase or a near miss that is of no use is left out.
    """
    try:
        reply = _Reply.model_validate(from_json(text[text.find("{") : text.rfind("}") + 1]))
    except (ValueError, ValidationError):
        return None
    question, answer = _plain(reply.question), _plain(reply.answer)
    quotes = _proof(answer, question, reply.units, chunk, rarity, language)
    if not question or not quotes:
        return None
    paraphrase = _plain(reply.paraphrase) if isinstance(reply.paraphrase, str) else ""
    near_miss = _near_miss(reply.near_miss, chunk, rarity, language)
    return WrittenQuestion(
        question,
        answer,
        quotes,
        (paraphrase,) if _other(paraphrase, question) else (),
        (near_miss,) if near_miss and _other(near_miss.question, question) else (),
        model,
    )


def _near_miss(content: object, chunk: Chunk, rarity: Rarity, language: Language) -> NearMiss | None:
    try:
        reply = _NearMiss.model_validate(content)
    except ValidationError:
        return None
    question, answer = _plain(reply.question), _plain(reply.answer or "")
    if not answer:
        return NearMiss(question, "", ())
    quotes = _proof(answer, question, reply.units, chunk, rarity, language)
    return NearMiss(question, answer, quotes) if quotes else None


def _proof(answer: str, question: str, units: Sequence[int], chunk: Chunk, rarity: Rarity, language: Language) -> tuple[str, ...]:
    """The units that an answer cites; none when one is not there, or cannot be found again, or a sentence is unsupported."""
    texts, numbers = _unit_texts(chunk), dict.fromkeys(units)
    if not answer or not all(1 <= number <= len(texts) for number in numbers):
        return ()
    cited = [_source(chunk, number - 1, texts[number - 1]) for number in numbers]
    readings = Readings(language)
    verdicts = [check_sentence(sentence, cited, rarity, readings, question).support for sentence in split_sentences(answer)]
    quotes = [" ".join(source.text.split()) for source in cited]
    if Support.UNSUPPORTED in verdicts or not all(map(normalised_quote, quotes)) or missing_quotes(quotes, chunk.text):
        return ()
    return tuple(quotes)


def _source(chunk: Chunk, position: int, text: str) -> Source:
    lead_in = chunk.units[position].lead_in
    introduction = () if lead_in is None else (chunk.preface if lead_in == PREFACE else chunk.unit_text(lead_in),)
    return Source(text, (chunk.title, *chunk.heading_path, *introduction))


def _unit_texts(chunk: Chunk) -> list[str]:
    return [plain_text(chunk.unit_text(position)).strip() for position in range(len(chunk.units))]


def _other(text: str, question: str) -> bool:
    return bool(text) and text.casefold() != question.casefold()


def _plain(text: str) -> str:
    return " ".join(plain_text(text).split())


@cache
def _content() -> str:
    return files("eval.questions").joinpath("prompts", "question.md").read_text(encoding="utf-8")
