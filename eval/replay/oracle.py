"""A scripted model that knows a dataset's answers: right when the gold evidence is in its prompt, inventing otherwise.

It measures what selection, compression, the ladder and the ground check are worth, apart from any one model's skill. Tokens,
prices and every step are the product's own; only the wording of the answers is the dataset's.
"""

import json
import random
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from app.answering.naive_prompt import INSTRUCTIONS
from app.costs.pricing import Usage
from app.generation.endpoints import Completion, Finish, Prompt, TextListener
from eval.datasets.cases import Case
from eval.datasets.quotes import missing_quotes, normalised, normalised_quote
from eval.measures.answers import is_correct
from indexing.language.words import words
from indexing.tokens import TokenCounter

_MAX_SENTENCES: Final = 4
_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"'(])")
_NAIVE_CONTEXT, _NAIVE_QUESTION, _NAIVE_END = re.split(r"\{context\}|\{question\}", INSTRUCTIONS)
_UNITS: Final = re.compile(r"<units>\n(.*)\n</units>", re.DOTALL)
_QUESTION: Final = "\nQuestion: "
_STATEMENT: Final = re.compile(r"^\d+\. (.*)$")
_QUOTE: Final = "   > "
_NUMBER: Final = re.compile(r"\d+")
_NAME: Final = re.compile(r"(?<=[a-z,] )[A-Z][a-z]{2,}")
_FACT: Final = re.compile(r"\d[\d,.]*\d|\d|[A-Z][\w&-]*[A-Z]\w*|(?<=[a-z,] )[A-Z]\w+")
_ALTERED_SHARE: Final = 0.5
_WORD: Final = re.compile(r"\s*\S+\s*")


@dataclass(frozen=True, slots=True)
class OracleSettings:
    """How well an oracle does, as shares in [0, 1].

    `invents` is how often it invents where the evidence is not in its prompt; else it says so. `slips` are the questions that
    are too hard for it: it invents although the evidence is there, in whatever context. `misjudges` is how often its verdict as
    a judge is wrong. `seed` decides which.
    """

    invents: float = 1.0
    slips: float = 0.0
    misjudges: float = 0.05
    seed: str = "0"


class Oracle:
    """`Generator` that plays a model on the questions of one dataset. The same prompt gets the same reply.

    Right answers cite the units that hold the gold quotes, and those with what else they name. An invention is, by turns, the
    gold answer with its numbers and names changed, citing the unit that shares most words with it, or another question's answer,
    citing units at random. It is never correct by accident.
    """

    def __init__(self, cases: Sequence[Case], counter: TokenCounter, settings: OracleSettings) -> None:
        self._by_question = {case.question.strip(): case for case in cases}
        self._answerable = [case for case in cases if case.answerable]
        self._names = sorted({name for case in self._answerable for name in _NAME.findall(case.answer)})
        self._by_sentence: dict[str, list[Case]] = {}
        for case in self._answerable:
            own = sentences_of(case.answer)
            for sentence in {*own, " ".join(own[:2])}:  # a bare "No." is judged with what it opens
                self._by_sentence.setdefault(_folded(sentence), []).append(case)
        self._counter = counter
        self._settings = settings

    def generate(self, prompt: Prompt, max_output_tokens: int, on_text: TextListener) -> Completion:
        """Answer a question, in JSON or for the naive prompt in plain text, or judge statements."""
        text = self._write(prompt)
        finish = Finish.STOP
        while self._counter.count(text) > max_output_tokens:
            text, finish = "".join(_WORD.findall(text)[:-1]), Finish.LENGTH
        on_text(text)
        read = self._counter.count(prompt.system) + self._counter.count(prompt.user)
        return Completion(text, finish, Usage(read, self._counter.count(text)))

    def _write(self, prompt: Prompt) -> str:
        draw = random.Random(f"{self._settings.seed}|{prompt.system}|{prompt.user}")  # noqa: S311 - no secret hangs on it
        if prompt.user.startswith(_NAIVE_CONTEXT) and prompt.user.endswith(_NAIVE_END):
            return self._answer_plainly(prompt.user, draw)
        if found := _UNITS.search(prompt.user):
            return self._answer(prompt.user.rpartition(_QUESTION)[2], found[1], draw)
        return self._judge(prompt.user, draw)

    def _answer(self, question: str, block: str, draw: random.Random) -> str:
        case, units = self._by_question[question.strip()], numbered_units(block)
        cited = units_that_hold(case.quotes, units) if case.answerable else None
        if cited and not self._slips_on(case):
            return _reply([(sentence, _also(sentence, cited, units)) for sentence in sentences_of(case.answer)])
        if draw.random() >= self._settings.invents:
            return json.dumps({"insufficient": True})
        text, altered = self._invent(case, draw)
        random_units = draw.sample(range(1, len(units) + 1), min(2, len(units)))
        return _reply([(one, _closest(one, units) if altered else random_units) for one in sentences_of(text)])

    def _answer_plainly(self, user: str, draw: random.Random) -> str:
        context, _, question = user[len(_NAIVE_CONTEXT) :].rpartition(_NAIVE_QUESTION)
        case = self._by_question[question.removesuffix(_NAIVE_END).strip()]
        held = case.answerable and not missing_quotes(case.quotes, context)
        if held and not self._slips_on(case):
            return case.answer
        return self._invent(case, draw)[0] if draw.random() < self._settings.invents else "The context does not say."

    def _slips_on(self, case: Case) -> bool:
        draw = random.Random(f"{self._settings.seed}|{case.id}")  # noqa: S311 - no secret hangs on it
        return draw.random() < self._settings.slips

    def _invent(self, case: Case, draw: random.Random) -> tuple[str, bool]:
        """Something wrong, and whether it is the gold answer with other numbers and names."""
        if case.answerable and draw.random() < _ALTERED_SHARE:
            text = _NUMBER.sub(lambda found: str(int(found[0]) + draw.randint(1, 9)), case.answer)
            text = _NAME.sub(lambda found: draw.choice([name for name in self._names if name != found[0]] or ["Nobody"]), text)
            if text != case.answer and not is_correct(case, text):
                return text, True
        wrong = [one for one in self._answerable if one is not case and not (case.answerable and is_correct(case, one.answer))]
        return (draw.choice(wrong).answer if wrong else "Nobody knows."), False

    def _judge(self, user: str, draw: random.Random) -> str:
        verdicts = [
            self._is_gold(statement, quotes) != (draw.random() < self._settings.misjudges)
            for statement, quotes in _statements(user.split("\n"))
        ]
        return json.dumps({"supported": verdicts})

    def _is_gold(self, statement: str, quotes: str) -> bool:
        """Whether a statement is a sentence of a gold answer under the evidence for that answer."""
        held = normalised(quotes)
        cases = self._by_sentence.get(_folded(statement), ())
        return any(_overlap(normalised_quote(quote), held) for case in cases for quote in case.quotes)


def sentences_of(answer: str) -> list[str]:
    """A gold answer as sentences, at most four: what is more stays with the last."""
    parts = _SENTENCE_END.split(" ".join(answer.split()))
    return [*parts[: _MAX_SENTENCES - 1], " ".join(parts[_MAX_SENTENCES - 1 :])] if len(parts) > _MAX_SENTENCES else parts


def numbered_units(block: str) -> list[str]:
    """The units of a prompt, in order. What stands above the first belongs to it, other headings to the unit before."""
    units: list[str] = []
    above, rest = "", block
    while (at := rest.find(mark := f"[{len(units) + 1}] ")) >= 0:
        before, rest = rest[:at], rest[at + len(mark) :]
        if units:
            units[-1] += before
        else:
            above = before
        units.append("")
    if units:
        units[-1] += rest
        units[0] = above + units[0]
    return units


def units_that_hold(quotes: Sequence[str], units: Sequence[str]) -> list[int] | None:
    """The numbers, from 1, of the units that hold the quotes; `None` unless every quote is there whole, over units or in one."""
    parts = [normalised(unit) for unit in units]
    ends = list(accumulate(map(len, parts)))
    held = "".join(parts)
    cited: set[int] = set()
    for quote in map(normalised_quote, quotes):
        start = held.find(quote)
        if start < 0:
            return None
        cited.update(range(bisect_right(ends, start) + 1, bisect_right(ends, start + len(quote) - 1) + 2))
    return sorted(cited)


def _closest(text: str, units: Sequence[str]) -> list[int]:
    """The number of the unit that shares most words with a text."""
    wanted = set(words(text))
    return [1 + max(range(len(units)), key=lambda number: len(wanted.intersection(words(units[number]))))] if units else []


def _also(sentence: str, cited: Sequence[int], units: Sequence[str]) -> list[int]:
    """The units cited, and for each name or number of a sentence that stands in none of them the first unit that has it."""
    numbers = list(cited)
    for fact in dict.fromkeys(_FACT.findall(sentence)):
        holding = [number for number, unit in enumerate(units, start=1) if fact in unit]
        if holding and not set(holding) & set(numbers):
            numbers.append(holding[0])
    return numbers


def _reply(sentences: Iterable[tuple[str, Sequence[int]]]) -> str:
    return json.dumps({"sentences": [{"text": text, "units": list(units)} for text, units in sentences]}, ensure_ascii=False)


def _statements(lines: Iterable[str]) -> list[tuple[str, str]]:
    """The statements of a judge's prompt, each with its quotes."""
    found: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith(_QUOTE) and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.removeprefix(_QUOTE)}")
        elif statement := _STATEMENT.match(line):
            found.append((statement[1], ""))
    return found


def _overlap(quote: str, held: str) -> bool:
    """Whether a quote, or a quarter of it, stands in what is held: a judge sees only the units, not the headings between."""
    step = max(12, len(quote) // 4)
    return any(quote[start : start + step] in held for start in range(0, max(1, len(quote) - step + 1), step))


def _folded(text: str) -> str:
    return " ".join(words(text))
