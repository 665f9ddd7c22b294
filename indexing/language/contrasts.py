"""Words that exclude one another, and the names of dates: what a language's `contrasts.txt` says, found in questions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from indexing.language.words import words

LONGEST_PHRASE: Final = 3
"""In words."""

MOST_SIDES: Final = 100
_SHORTEST_INFLECTED: Final = 4


@dataclass(frozen=True, slots=True)
class Contrasts:
    """`contrasts.txt`, read. A side is found by its number, `line * MOST_SIDES + place`; `names` says what it is called.

    `phrases` has each word or phrase in all its forms; `apart` the verbs with a particle that other words may stand before.
    """

    kinds: tuple[str, ...]
    names: Mapping[int, str]
    phrases: Mapping[str, tuple[int, ...]]
    apart: tuple[tuple[int, re.Pattern[str]], ...]

    def sides(self, said: Sequence[str]) -> list[int]:
        """The sides that the words of a text, in order and in lower case, have words of."""
        spans = (" ".join(said[at : at + length]) for length in range(1, LONGEST_PHRASE + 1) for at in range(len(said)))
        found = {side for span in spans for side in self.phrases.get(span, ())}
        plain = " ".join(said)
        return sorted(found | {side for side, pattern in self.apart if pattern.search(plain)})

    def kind(self, side: int) -> str:
        """The kind of a side's line."""
        return self.kinds[line_of(side)]


def line_of(side: int) -> int:
    """The number of a side's line."""
    return side // MOST_SIDES


def parse_contrasts(content: str) -> Contrasts:
    """What the lines of a file say."""
    lines = [line.split(": ", 1) for line in content.splitlines() if line and not line.startswith("#")]
    names: dict[int, str] = {}
    phrases: dict[str, tuple[int, ...]] = {}
    apart: list[tuple[int, re.Pattern[str]]] = []
    for number, (_, sides) in enumerate(lines):
        for side, alternatives in enumerate(sides.split(" / "), start=number * MOST_SIDES):
            names[side] = alternatives.split(",")[0].strip()
            for phrase in map(str.strip, alternatives.split(",")):
                verb, _, particle = phrase.partition(" ~ ")
                if particle:
                    apart.append((side, re.compile(rf"\b(?:{'|'.join(_inflected(verb))})(?: \w+){{0,5}} {particle}\b")))
                else:
                    forms = _inflected(" ".join(words(phrase))) | {phrase}
                    phrases.update((form, (*phrases.get(form, ()), side)) for form in forms)
    return Contrasts(tuple(kind for kind, _ in lines), names, phrases, tuple(apart))


def _inflected(phrase: str) -> set[str]:
    """A word with the endings of nouns and verbs, some of them wrong, which harms nothing; a phrase with a plural."""
    if " " in phrase:
        return {phrase, f"{phrase}s"}
    if len(phrase) < _SHORTEST_INFLECTED:
        return {phrase}
    base = phrase.removesuffix("e")
    return {phrase, f"{phrase}s", *(f"{stem}{ending}" for stem in (base, base + base[-1]) for ending in ("ed", "ing"))}
