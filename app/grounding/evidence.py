"""Texts taken apart for comparison: their content words, their facts, and what stands between which neighbours."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from indexing.language import Language
from indexing.language.quantities import Kind, Token

_ALIKE: Final = {Kind.DATE: "<date>", Kind.TIME: "<time>"}

BORDER: Final = "^"
"""The neighbour of a text's first and last token."""

_AROUND: Final = (-3, -2, -1, 1, 2, 3)
"""How far off the neighbours are alike where a text has exchanged one of two facts for the other.

Source:
    Numbers in the place of others that are cited too (`eval.benchmarks.sets.edits`), caught on the handbooks of 18F and GitLab:
    93.8 % and 88.4 % with two on each side, 93.4 % and 86.4 % with three, 91.9 % and 85.9 % with four; the others become unsure.
    With two, true answers are refused where a unit says the same of two things.
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A unit that a sentence cites: its text as a reader sees it, and the title, headings and lead-in it stands under."""

    text: str
    headings: tuple[str, ...] = ()


class Reading:
    """A text taken apart. Not a slotted dataclass: most of it is made only where it is asked for, and then kept."""

    def __init__(self, text: str, language: Language) -> None:
        """Read a text."""
        self.language = language
        self.tokens = language.read(text)
        self.keys = tuple(token.key for token in self.tokens)

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The stem of each word and the key of each fact; dates and times alike, as they agree without being equal."""
        return tuple(
            stem if token.kind is Kind.WORD else _ALIKE.get(token.kind, token.key)
            for token, stem in zip(self.tokens, self.language.stems(list(self.keys)), strict=True)
        )

    @cached_property
    def content(self) -> tuple[str, ...]:
        """Stems of the content words, with the facts between them, in order."""
        return tuple(
            stem
            for token, stem in zip(self.tokens, self.stems, strict=True)
            if token.kind is not Kind.WORD or token.key not in self.language.stopwords
        )

    @cached_property
    def terms(self) -> frozenset[str]:
        """Stems of the content words and facts."""
        return frozenset(self.content)

    @cached_property
    def bigrams(self) -> frozenset[tuple[str, str]]:
        """Which of them are neighbours."""
        return frozenset(pairwise(self.content))

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of all words, function words too."""
        return frozenset(self.stems)

    @cached_property
    def triples(self) -> frozenset[tuple[str, str, str]]:
        """Three keys in a row, from the border before the text to the one behind it."""
        padded = (BORDER, BORDER, *self.keys, BORDER, BORDER)
        return frozenset(zip(padded, padded[1:], padded[2:], strict=False))

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Neighbouring keys."""
        return frozenset(pairwise(self.keys))

    @cached_property
    def slots(self) -> Mapping[tuple[str, str], tuple[int, ...]]:
        """Where a token stands between two neighbours: `("get", "days")` -> the position of `20`."""
        found = defaultdict[tuple[str, str], tuple[int, ...]](tuple)
        for position in range(len(self.keys)):
            found[self.key_at(position - 1), self.key_at(position + 1)] += (position,)
        return found

    @cached_property
    def facts(self) -> Mapping[Kind, frozenset[Token]]:
        """The tokens of each kind that is not a word."""
        found = defaultdict[Kind, set[Token]](set)
        for token in self.tokens:
            if token.kind is not Kind.WORD:
                found[token.kind].add(token)
        return {kind: frozenset(tokens) for kind, tokens in found.items()}

    def key_at(self, position: int) -> str:
        """The key at a position; beyond both ends a mark of its own."""
        return self.keys[position] if 0 <= position < len(self.keys) else BORDER


def counterparts(own: Reading, position: int, other: Reading) -> Iterator[int]:
    """Where the other text has a token in the place of this one: between the same neighbours, and one more of them alike.

    That both texts end there is one neighbour alike, not two.
    """
    before, after = own.key_at(position - 1), own.key_at(position + 1)
    left, right = own.key_at(position - 2), own.key_at(position + 2)
    for place in other.slots.get((before, after), ()):
        if (before != BORDER and other.key_at(place - 2) == left) or (after != BORDER and other.key_at(place + 2) == right):
            yield place


def alike_around(own: Reading, position: int, other: Reading, place: int) -> bool:
    """Whether two tokens have the same neighbours on both sides, three of them or as many as there are."""
    return all(own.key_at(position + step) == other.key_at(place + step) for step in _AROUND)


def gaps(own: Reading, position: int, other: Reading) -> bool:
    """Whether the other text says the same without this token: its neighbours meet there, and one more of them is alike."""
    before, after = own.key_at(position - 1), own.key_at(position + 1)
    return (own.key_at(position - 2), before, after) in other.triples or (
        before,
        after,
        own.key_at(position + 2),
    ) in other.triples


class Readings:
    """Texts taken apart for the check of one answer, each once: its sentences cite the same units. Used by one thread."""

    def __init__(self, language: Language) -> None:
        """Begin with nothing. `language` is that of all texts."""
        self.language = language
        self._kept: dict[str, Reading] = {}

    def of(self, text: str) -> Reading:
        """A text taken apart."""
        if text not in self._kept:
            self._kept[text] = Reading(text, self.language)
        return self._kept[text]

    def source(self, source: Source) -> tuple[Reading, Reading]:
        """A unit's text and what it stands under, taken apart."""
        return self.of(source.text), self.of(". ".join(source.headings))
