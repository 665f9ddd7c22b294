"""Whether an answer is right, and whether it cites what the gold evidence says."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from app.answers.answers import Citation
from eval.datasets.cases import Case, Quote
from eval.datasets.quotes import normalised, normalised_quote
from indexing.language.words import words
from indexing.plain_text import plain_text

TOKEN_F1_THRESHOLD: Final = 0.5
"""Where a dataset names no `must_include`, an answer counts as correct from this token F1 on, or when it holds the whole gold
answer."""

_MARK: Final = re.compile(r"\s*\[\d+\]")
_ARTICLES: Final = frozenset({"a", "an", "the"})
_SHINGLE_WORDS: Final = 5


def shown_answer(text: str) -> str:
    """An answer as a reader sees it, without its citation marks."""
    return plain_text(_MARK.sub("", text))


def is_correct(case: Case, answer: str) -> bool:
    """Whether an answer, as `shown_answer` gives it, holds all that it must.

    A case that names nothing is judged by its gold answer, as `TOKEN_F1_THRESHOLD` says.
    """
    if case.must_include:
        return all(includes(answer, phrase) for phrase in case.must_include)
    return includes(answer, case.answer) or token_f1(answer, case.answer) >= TOKEN_F1_THRESHOLD


def includes(answer: str, phrase: str) -> bool:
    """Whether the words of a phrase stand in an answer one after the other, whatever marks and case.

    The last word may be inflected ("26 week" is in "26 weeks"), and numbers stand alone: "6" is in neither "26" nor "60".
    """
    wanted = " ".join(words(plain_text(phrase)))
    if not wanted:
        return phrase.strip() in answer
    ending = "" if wanted[-1].isdigit() else "(?:e?s|e?d|ing)?"
    return re.search(rf"(?<!\S){re.escape(wanted)}{ending}(?!\S)", " ".join(words(answer))) is not None


def token_f1(answer: str, gold: str) -> float:
    """The harmonic mean of the shares of words that answer and gold have in common, articles apart; 0 to 1.

    Source:
        Rajpurkar et al., SQuAD (2016), section 6.1.
    """
    own, wanted = _telling(answer), _telling(gold)
    shared = (own & wanted).total()
    return 2 * shared / (own.total() + wanted.total()) if shared else 0.0


def citation_precision(citations: Sequence[Citation], evidence: Sequence[Quote]) -> float | None:
    """The share of the cited units that overlap a gold quote of the same page; `None` without citations."""
    if not citations:
        return None
    return sum(any(_overlaps(citation, quote) for quote in evidence) for citation in citations) / len(citations)


def _overlaps(citation: Citation, quote: Quote) -> bool:
    """One holds the other, or they share a run of words."""
    if citation.document != quote.doc:
        return False
    unit, gold = normalised(citation.quote), normalised_quote(quote.text)
    return bool(unit) and (unit in gold or gold in unit or bool(_shingles(citation.quote) & _shingles(quote.text)))


def _shingles(text: str) -> set[tuple[str, ...]]:
    run = words(plain_text(text))
    return {tuple(run[start : start + _SHINGLE_WORDS]) for start in range(len(run) - _SHINGLE_WORDS + 1)}


def _telling(text: str) -> Counter[str]:
    return Counter(word for word in words(plain_text(text)) if word not in _ARTICLES)
