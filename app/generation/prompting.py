"""What models are told, and how what they reply is read: prompts are the Markdown files beside this module."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from string import Template
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from app.generation.endpoints import Prompt

_FOLDER: Final = "prompts"
_BETWEEN: Final = "---\n"
_VERSION_DIGITS: Final = 12

_MAX_SENTENCES: Final = 8
_MAX_SENTENCE_CHARACTERS: Final = 1_200
_MAX_REPLY_CHARACTERS: Final = 4_000

_MARK: Final = re.compile(r"\s*\[\d+(?:\s*,\s*\d+)*\]")
_IMAGE_OR_LINK: Final = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")


@dataclass(frozen=True, slots=True)
class ReplySentence:
    """A sentence of a model's reply and the numbers of the units that it cites, as the model gave them."""

    text: str
    units: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model replied. Without sentences it says that the units do not answer the question."""

    sentences: tuple[ReplySentence, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence to be judged, with the quotes that it cites."""

    text: str
    quotes: tuple[str, ...]


class _Sentence(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: Annotated[str, Field(min_length=1, max_length=_MAX_SENTENCE_CHARACTERS)]
    units: Annotated[list[int], Field(max_length=50)]


class _Reply(BaseModel):
    model_config = ConfigDict(extra="ignore")

    sentences: Annotated[list[_Sentence], Field(max_length=_MAX_SENTENCES)] = []
    insufficient: bool = False


class _Verdicts(BaseModel):
    supported: list[bool]


def prompt_hashes() -> dict[str, str]:
    """The version of each prompt: the first 12 hex digits of its SHA-256, by file name."""
    return {name: _version(content) for name, content in _contents().items()}


@cache
def prompts_version() -> str:
    """One version for all prompts together, as the ledger keeps it."""
    return _version("\0".join(f"{name}\0{content}" for name, content in _contents().items()))


def answer_prompt(units: str, question: str, state: str) -> Prompt:
    """The prompt for a draft. `units` are numbered; `state` is what was said before, empty for a question that stands alone."""
    before = f"Asked before: {state}" if state else ""
    return _fill("answer.md", {"units": units, "question": question, "state": before})


def repair_prompt(reply: str) -> Prompt:
    """The prompt that turns a reply that could not be read into one that can. It carries no units, so it is cheap."""
    return _fill("repair.md", {"reply": reply[:_MAX_REPLY_CHARACTERS]})


def judge_prompt(statements: Sequence[Statement]) -> Prompt:
    """The prompt that has several statements judged in one call."""
    parts = [
        "\n".join([f"{number}. {statement.text}", *(f"   > {' '.join(quote.split())}" for quote in statement.quotes)])
        for number, statement in enumerate(statements, start=1)
    ]
    return _fill("judge.md", {"statements": "\n".join(parts)})


def verify_prompt(old: str, answer: str, quotes: Sequence[str], question: str) -> Prompt:
    """The prompt that has a cached answer checked against a new question. One word is wanted."""
    shown = "\n".join(f"> {' '.join(quote.split())}" for quote in quotes)
    prompt = _fill("verify.md", {"old": old, "answer": answer, "quotes": shown, "question": question})
    return replace(prompt, wants_json=False)


def read_yes(text: str) -> bool:
    """Whether a one-word reply is a plain yes; anything else is a no."""
    return text.strip().strip(".!\"'").casefold() == "yes"


def read_reply(text: str, *, cut: bool = False) -> Reply | None:
    """Read a model's reply; `None` when it is not what was asked for.

    Marks such as `[1]`, links and images inside a sentence are taken out: citations are ours to write, and a model names no
    addresses. Of a reply that was `cut` by the length limit, the sentences that are whole are read.
    """
    try:
        content = from_json(_json_part(text), allow_partial=cut)
        if cut and isinstance(content, dict) and isinstance(content.get("sentences"), list):
            content = {"sentences": [one for one in content["sentences"] if _is_whole(one)]}
        reply = _Reply.model_validate(content)
    except (ValueError, ValidationError):
        return None
    sentences = [ReplySentence(plain, tuple(one.units)) for one in reply.sentences if (plain := _plain(one.text))]
    if not sentences and not reply.insufficient:
        return None
    return Reply(() if reply.insufficient else tuple(sentences))


def read_verdicts(text: str, count: int) -> list[bool] | None:
    """Read a judge's reply: one verdict for each of `count` statements, or `None` when it is not what was asked for."""
    try:
        verdicts = _Verdicts.model_validate(from_json(_json_part(text))).supported
    except (ValueError, ValidationError):
        return None
    return verdicts if len(verdicts) == count else None


class PartialReply:
    """The text of a reply while it arrives, so that it can be shown before the JSON around it is complete."""

    def __init__(self) -> None:
        self._raw = ""
        self._shown = ""

    def feed(self, piece: str) -> str:
        """Take in a piece, and give back what it adds to the text of the sentences; often nothing."""
        self._raw += piece
        try:
            content = from_json(_json_part(self._raw), allow_partial="trailing-strings")
        except ValueError:
            return ""
        text = " ".join(_texts(content))
        if not text.startswith(self._shown):
            return ""
        added, self._shown = text[len(self._shown) :], text
        return added


def _texts(content: Any) -> list[str]:
    sentences = content.get("sentences") if isinstance(content, dict) else None
    if not isinstance(sentences, list):
        return []
    return [one["text"] for one in sentences if isinstance(one, dict) and isinstance(one.get("text"), str)]


def _is_whole(sentence: Any) -> bool:
    return isinstance(sentence, dict) and bool(sentence.get("units")) and bool(sentence.get("text"))


def _json_part(text: str) -> str:
    """A reply without what some models put around the object: a fence, or a word before it."""
    start = text.find("{")
    inside = text[start:] if start >= 0 else text
    end = inside.rfind("}")
    return inside[: end + 1] if end >= 0 and "```" in inside[end:] else inside.rstrip()


def _plain(text: str) -> str:
    return " ".join(_MARK.sub("", _IMAGE_OR_LINK.sub(r"\1", text)).split())


@cache
def _contents() -> dict[str, str]:
    folder = files("app.generation").joinpath(_FOLDER)
    return {item.name: item.read_text(encoding="utf-8") for item in sorted(folder.iterdir(), key=lambda one: one.name)}


def _fill(name: str, values: Mapping[str, str]) -> Prompt:
    system, _, user = _contents()[name].partition(_BETWEEN)
    return Prompt(system.strip(), Template(user).substitute(values).strip())


def _version(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:_VERSION_DIGITS]
