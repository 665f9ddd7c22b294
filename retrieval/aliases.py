"""Other names of what a question asks about: the long form of its acronyms, the acronyms of its long forms."""

from collections import Counter
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from indexing.aliases import capitals_key
from indexing.documents import AccessLabel
from indexing.language import Language
from indexing.language.words import words
from retrieval.lexicon import Lexicon

_MOST_TERMS: Final = 8
"""The longest name that is looked up; acronyms have no more letters."""

_MOST_NAMES: Final = 3
"""Of a name with several meanings, so many count: those that most pages define."""


@dataclass(frozen=True, slots=True)
class OtherName:
    """The query's terms `covers` count as found where all terms of the other name, `found_as`, stand. `text` is that name."""

    covers: frozenset[str]
    found_as: frozenset[str]
    text: str


def other_names(text: str, lexicon: Lexicon, labels: AbstractSet[AccessLabel], language: Language) -> tuple[OtherName, ...]:
    """The other names of what a text names, as far as documents with one of the labels define them.

    An acronym that the corpus mostly writes as an ordinary word, such as CAP or FAR, counts only where the text has its capitals.
    """
    own = language.terms(text)
    spans = (own[start:end] for start in range(len(own)) for end in range(start + 1, min(start + _MOST_TERMS, len(own)) + 1))
    names = {" ".join(span) for span in spans}
    known = lexicon.aliases(names, labels)
    keyed = [(alias, *alias.keys(language)) for alias in known]
    ordinary = _ordinary_words({acronym for _, acronym, _ in keyed}, lexicon) if known else frozenset()
    spelled = {form for word in words(text) for form in (word, word.removesuffix("'s"), word.removesuffix("s"))}
    counts: Counter[str] = Counter()
    found: list[OtherName] = []
    for alias, acronym, phrase in keyed:
        if acronym in ordinary and alias.acronym not in text:
            continue
        in_full, in_short = (acronym, phrase, alias.phrase), (phrase, acronym, alias.acronym)
        # The key of IaaS is that of a plural of IAA: an acronym must be spelled out, too.
        for name, other, written in (in_full, in_short) if spelled.issuperset(words(alias.acronym)) else (in_short,):
            if name in names and counts[name] < _MOST_NAMES:
                counts[name] += 1
                found.append(OtherName(frozenset(name.split()), frozenset(other.split()), written))
    return tuple(found)


def _ordinary_words(acronyms: AbstractSet[str], lexicon: Lexicon) -> frozenset[str]:
    """Those acronyms that stand in capitals only in less than half of the chunks that have them."""
    counts = lexicon.document_frequencies({*acronyms, *map(capitals_key, acronyms)})
    return frozenset(acronym for acronym in acronyms if 2 * counts.get(capitals_key(acronym), 0) < counts.get(acronym, 0))
