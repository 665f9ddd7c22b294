"""Words that exclude one another, and the names of dates: what `contrasts.txt` says, found in questions."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from indexing.words import words

LONGEST_PHRASE: Final = 3
"""In words."""

MOST_SIDES: Final = 100
_SHORTEST_INFLECTED: Final = 4
MAY: Final = re.compile(
    r"(?<=[a-z\d,] )May\b|\b(?i:(?<=in )|(?<=by )|(?<=of )|(?<=before )|(?<=after )|(?<=since )|(?<=until )|(?<=next )"
    r"|(?<=\d(?:st|nd|rd|th) ))(?i:may)\b|\b(?i:may)(?= (?:\d{1,2}(?:st|nd|rd|th)|\d{4})\b)"
)
"""The month, where it is not the verb."""


@dataclass(frozen=True, slots=True)
class Contrasts:
    """`contrasts.txt`, read. A side is found by its number, `line * MOST_SIDES + place`; `names` says what it is called.

    `phrases` has each word or phrase in all its forms; `apart` the verbs with a particle that other words may stand before.
    """

    kinds: tuple[str, ...]
    names: Mapping[int, str]
    phrases: Mapping[str, tuple[int, ...]]
    apart: tuple[tuple[int, re.Pattern[str]], ...]


def contrasts(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Words of `contrasts.txt` that exclude one another."""
    known = read_contrasts()
    ours, theirs = _sides(old), _sides(new)
    for line, kind in enumerate(known.kinds):
        one, other = ([side for side in sides if side // MOST_SIDES == line] for sides in (ours, theirs))
        if one and other and not set(one) & set(other):
            yield f"{known.names[one[0]]} ({kind})", known.names[other[0]]


def _sides(text: str) -> list[int]:
    """The sides that a text has words of, in order."""
    known = read_contrasts()
    said = [word.removesuffix("'s") for word in words(MAY.sub("month of may", text.replace("-", " ")))]
    spans = (" ".join(said[at : at + length]) for length in range(1, LONGEST_PHRASE + 1) for at in range(len(said)))
    found = {side for span in spans for side in known.phrases.get(span, ())}
    plain = " ".join(said)
    return sorted(found | {side for side, pattern in known.apart if pattern.search(plain)})


@cache
def read_contrasts() -> Contrasts:
    """What `contrasts.txt` says, read once."""
    content = files("app.caching.rules").joinpath("contrasts.txt").read_text(encoding="utf-8")
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
                    phrases.update((form, (*phrases.get(form, ()), side)) for form in _inflected(" ".join(words(phrase))))
    return Contrasts(tuple(kind for kind, _ in lines), names, phrases, tuple(apart))


def _inflected(phrase: str) -> set[str]:
    """A word with the endings of nouns and verbs, some of them wrong, which harms nothing; a phrase with a plural."""
    if " " in phrase:
        return {phrase, f"{phrase}s"}
    if len(phrase) < _SHORTEST_INFLECTED:
        return {phrase}
    base = phrase.removesuffix("e")
    return {phrase, f"{phrase}s", *(f"{stem}{ending}" for stem in (base, base + base[-1]) for ending in ("ed", "ing"))}
