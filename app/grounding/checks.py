"""Whether a sentence is supported by the units that it cites: what disagrees first, then how much of it stands there."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final

from app.grounding.evidence import Reading, Readings, Source
from app.grounding.facts import missing_fact, replaced_fact, separated_names
from app.grounding.wording import different_wording, reversed_wording
from indexing.language import Language
from retrieval.lexicon import Rarity

MIN_COVERAGE: Final = 0.95
MIN_BIGRAMS: Final = 0.5
"""What a sentence needs to be supported.

Source:
    Set on four conversations of MTRAG's rated answers, judged on the five others: `python -m eval.benchmarks.groundedness`.
"""

MAX_SUPPORT: Final = 4
"""A sentence rests on at most so many of the units that it cites: in a long context, every word stands somewhere."""

_SHOWN_TERMS: Final = 3
_MARKER: Final = re.compile(r"\s*(?:(?:\d{1,3}[.)]|[-*•])\s+)?")
_AFTER_ANSWER: Final = re.compile(r"(?:[,.:;!]| [-–—])\s+")  # noqa: RUF001 - dashes are meant


class Support(StrEnum):
    """The three outcomes. Only what is unsure may go to a judge."""

    SUPPORTED = "supported"
    UNSURE = "unsure"
    UNSUPPORTED = "unsupported"


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one sentence. `reason` is one short sentence for people."""

    support: Support
    reason: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What a verdict is made of.

    `contradiction` and `doubt` say what disagrees, or are `None`; there is no doubt beside a contradiction. `coverage` is the
    share of the sentence's content, weighted by rarity, that stands in its support, `bigrams` the share of its neighbouring
    pairs, both in [0, 1]. `uncovered` are its terms that do not stand there, the rarest first.
    """

    verbatim: bool
    contradiction: str | None
    doubt: str | None
    coverage: float
    bigrams: float
    uncovered: tuple[str, ...]


def check_sentence(sentence: str, cited: Sequence[Source], rarity: Rarity, readings: Readings, question: str = "") -> Check:
    """Say whether the units that a sentence cites support it. Their order does not matter.

    A name may be repeated from the `question` that the sentence answers without being refuted by that; it is not supported by it
    either. Numbers, dates, times and codes must stand in what is cited: the asker may be wrong about them.

    A sentence that is a unit word for word, or all of them in order, is supported. One that cites nothing, that has a number,
    date, code or name which no cited unit has, or that puts another one or a `not` where a unit says the same otherwise, is
    unsupported. Of the rest, what is wholly covered and agrees in negation, modality and exceptions is supported.
    """
    return decide(find(sentence, cited, rarity, readings, question))


def find(sentence: str, cited: Sequence[Source], rarity: Rarity, readings: Readings, question: str = "") -> Findings:
    """Compare a sentence with what it cites."""
    if not cited:
        return Findings(verbatim=False, contradiction="it cites no unit", doubt=None, coverage=0.0, bigrams=0.0, uncovered=())
    claim = _claim(sentence, readings.language)
    if _is_verbatim(sentence, cited) or _is_verbatim(claim, cited):
        return Findings(verbatim=True, contradiction=None, doubt=None, coverage=1.0, bigrams=1.0, uncovered=())
    own = Reading(claim, readings.language)
    weights = rarity(sorted(own.terms))
    read = [readings.source(source) for source in cited]
    support = _support(own, read, weights)
    units = [unit for unit, _ in support]
    everything = [part for both in read for part in both]
    known = [part for both in support for part in both]
    contradiction = (
        missing_fact(own, everything, readings.of(question))
        or replaced_fact(own, units, certain=True)
        or reversed_wording(own, units, certain=True)
    )
    doubt = None
    if contradiction is None:
        doubt = _doubt(own, units, known, everything)
        if doubt is None and not readings.language.has_vocabulary:
            doubt = "the small words of its language are not known here"
    found = frozenset[str]().union(*(part.terms for part in known))
    total = math.fsum(weights[term] for term in own.terms)
    pairs = list(pairwise(own.content))
    return Findings(
        verbatim=False,
        contradiction=contradiction,
        doubt=doubt,
        coverage=math.fsum(weights[term] for term in own.terms & found) / total if total else 0.0,
        bigrams=sum(any(pair in part.bigrams for part in known) for pair in pairs) / len(pairs) if pairs else 0.0,
        uncovered=tuple(sorted(own.terms - found, key=lambda term: (-weights[term], term))),
    )


def decide(findings: Findings) -> Check:
    """The verdict on what was found, and why."""
    if findings.verbatim:
        return Check(Support.SUPPORTED, "it is, word for word, what it cites")
    if findings.contradiction is not None:
        return Check(Support.UNSUPPORTED, findings.contradiction)
    if findings.doubt is not None:
        return Check(Support.UNSURE, findings.doubt)
    if findings.coverage < MIN_COVERAGE:
        shown = ", ".join(repr(term) for term in findings.uncovered[:_SHOWN_TERMS])
        return Check(Support.UNSURE, f"not in the cited units: {shown}" if shown else "it says nothing that can be looked up")
    if findings.bigrams < MIN_BIGRAMS:
        return Check(Support.UNSURE, "its words are in the cited units, but not beside each other")
    return Check(Support.SUPPORTED, "its words are in the cited units, and nothing disagrees")


def _doubt(own: Reading, units: Sequence[Reading], known: Sequence[Reading], everything: Sequence[Reading]) -> str | None:
    """What disagrees perhaps. `units` are the support, `known` they and what they stand under, `everything` all that is cited."""
    if own.terms and own.terms.isdisjoint(frozenset[str]().union(*(unit.terms for unit in units))):
        return "its words are only in the headings of what it cites"
    return (
        missing_fact(own, known)
        or replaced_fact(own, units, certain=False)
        or reversed_wording(own, units, certain=False)
        or separated_names(own, everything)
        or different_wording(own, units)
    )


def _support(
    own: Reading, read: Sequence[tuple[Reading, Reading]], weights: Mapping[str, float]
) -> list[tuple[Reading, Reading]]:
    """The units that hold most of a sentence, each chosen for what the ones before it leave open."""
    left = sorted(read, key=lambda both: (both[0].keys, both[1].keys))  # so that equal ones are taken in the same order
    support: list[tuple[Reading, Reading]] = []
    open_terms = own.terms
    while left and len(support) < MAX_SUPPORT:
        gains = [math.fsum(weights[term] for term in open_terms & (unit.terms | above.terms)) for unit, above in left]
        best = max(range(len(left)), key=gains.__getitem__)
        if support and not gains[best]:
            break
        support.append(left.pop(best))
        open_terms -= support[-1][0].terms | support[-1][1].terms
    return support


def _claim(sentence: str, language: Language) -> str:
    """A sentence without what is no part of a claim: the mark of a list, and the answer's first word to a question."""
    start = match.end() if (match := _MARKER.match(sentence)) else 0
    for word in language.words_of("answers", "bare"):
        if sentence.startswith(word, start) and (after := _AFTER_ANSWER.match(sentence, start + len(word))):
            return sentence[after.end() :]
    return sentence[start:]


def _is_verbatim(sentence: str, cited: Sequence[Source]) -> bool:
    """Whether a sentence is one of the units, or all of them and no more. A part is not enough: an exception may be lost."""
    text, quotes = _fold(sentence), sorted((_fold(source.text) for source in cited), key=lambda quote: (-len(quote), quote))
    if text in quotes:
        return True
    for quote in quotes:
        if quote not in text:
            return False
        text = text.replace(quote, " ", 1)
    return not text.strip()


def _fold(text: str) -> str:
    return " ".join(text.split())
