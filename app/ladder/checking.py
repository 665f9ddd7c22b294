"""A model's reply against the units that it cites: each sentence with its verdict."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.generation.prompting import Reply, ReplySentence, Statement
from app.grounding import Check, Readings, Source, Support, check_sentence
from indexing.documents import PREFACE
from indexing.language import Language
from retrieval.lexicon import Rarity
from retrieval.passages import Context, ContextUnit
from retrieval.retriever import Evidence

_BARE: Final = re.compile(r"\W+$")
_JUDGED_SUPPORTED: Final = Check(Support.SUPPORTED, "a model judged that the cited units say it")
_JUDGED_UNSUPPORTED: Final = Check(Support.UNSUPPORTED, "a model judged that the cited units do not say it")


@dataclass(frozen=True, slots=True)
class CheckedSentence:
    """A sentence, the units that it cites, and what the ground check makes of it. Without units it is unsupported."""

    text: str
    units: tuple[ContextUnit, ...]
    quotes: tuple[str, ...]
    check: Check


def check_reply(reply: Reply, context: Context, evidence: Evidence, rarity: Rarity, question: str) -> list[CheckedSentence]:
    """Check each sentence of a reply to a question. A number that points to no unit makes its sentence unsupported.

    A bare `Yes.` or `No.` at the beginning claims nothing that can be looked up: it is one with the sentence after it.
    """
    checked, readings = [], Readings(evidence.language)
    for sentence in _claims(reply.sentences, readings.language):
        numbers = dict.fromkeys(sentence.units)
        units = tuple(context.units[number - 1] for number in numbers if 1 <= number <= len(context.units))
        quotes = tuple(evidence.analysed[unit.chunk.id].units[unit.position].text for unit in units)
        if len(units) < len(numbers) or not units:
            check = Check(Support.UNSUPPORTED, "it cites a unit that was not among those sent" if numbers else "it cites nothing")
        else:
            cited = [_source(unit, quote) for unit, quote in zip(units, quotes, strict=True)]
            check = check_sentence(sentence.text, cited, rarity, readings, question)
        checked.append(CheckedSentence(sentence.text, units, quotes, check))
    return checked


def unsure_statements(checked: Sequence[CheckedSentence]) -> list[Statement]:
    """The sentences that a judge should decide, in order."""
    return [Statement(one.text, one.quotes) for one in checked if one.check.support is Support.UNSURE]


def judged(checked: Sequence[CheckedSentence], verdicts: Sequence[bool]) -> list[CheckedSentence]:
    """The sentences with a judge's verdicts in place of "unsure", in order."""
    decided: Iterator[bool] = iter(verdicts)
    return [
        replace(one, check=_JUDGED_SUPPORTED if next(decided) else _JUDGED_UNSUPPORTED)
        if one.check.support is Support.UNSURE
        else one
        for one in checked
    ]


def _claims(sentences: Sequence[ReplySentence], language: Language) -> Sequence[ReplySentence]:
    match sentences:
        case [answer, opened, *others] if _BARE.sub("", answer.text) in language.words_of("answers", "bare"):
            return [ReplySentence(f"{answer.text} {opened.text}", (*answer.units, *opened.units)), *others]
    return sentences


def _source(unit: ContextUnit, quote: str) -> Source:
    """A unit with what it stands under: title, headings, and what introduces it."""
    chunk, lead_in = unit.chunk, unit.chunk.units[unit.position].lead_in
    introduction = () if lead_in is None else (chunk.preface if lead_in == PREFACE else chunk.unit_text(lead_in),)
    return Source(quote, (chunk.title, *chunk.heading_path, *introduction))
