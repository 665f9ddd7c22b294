"""What makes two questions ask for different things, however much alike they are: read from their words alone.

Similarity of meaning cannot see these differences ("turn on" and "turn off" are as near as any paraphrase), so that any one is
enough to drop a proposal. Most rules speak only when both questions commit themselves: a number, name or role that one of them
leaves out is looked for in the evidence instead (`app.caching.agreement`), because paraphrases leave out much. No rule can tell
which question came first: old and new exchanged give the same reasons, turned round.

`python -m eval.benchmarks.cache_pairs` prints how many paraphrases and near misses each rule drops.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from indexing.words import STOPWORDS, stems, words
from retrieval.passages import Query

_NUMBER_WORDS: Final = {
    word: number
    for pair in (
        "half 0.5, two 2, three 3, four 4, five 5, six 6, seven 7, eight 8, nine 9, ten 10, eleven 11, twelve 12, fifteen 15, "
        "twenty 20, thirty 30, forty 40, fifty 50, sixty 60, ninety 90, hundred 100"
    ).split(", ")
    for word, number in [pair.split()]
}
_UNITS: Final = {
    form: unit
    for unit, forms in {
        "minutes": "min mins minute minutes",
        "hours": "h hr hrs hour hours",
        "days": "d day days",
        "weeks": "w wk wks week weeks",
        "months": "mo month months",
        "years": "yr yrs year years",
        "percent": "percent pct percentage",
        "dollars": "dollar dollars usd bucks",
        "euros": "euro euros eur",
        "pounds": "pound pounds gbp",
        "KB": "kb",
        "MB": "mb megabyte megabytes",
        "GB": "gb gig gigs gigabyte gigabytes",
        "TB": "tb terabyte terabytes",
        "miles": "mile miles",
        "kilometres": "km kilometer kilometers kilometre kilometres",
    }.items()
    for form in forms.split()
}
_SIGNS: Final = {"%": " percent ", "$": " dollars ", "€": " euros ", "£": " pounds "}
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_FROM_NUMBER_TO_UNIT: Final = 2
"""Words between a number and its unit: "3 full weeks"."""

_NEGATIONS: Final = frozenset(
    """
    not no never none nobody nothing without neither nor cannot cant dont doesnt didnt isnt arent wasnt werent wont shouldnt
    couldnt wouldnt hasnt havent except excluding
    """.split()
)

_CLAUSE: Final = r"(?:^|[.,;:!?-] *)"
_ASKING: Final = r"(?:'s| (?:do|does|did|is|are|will|can|should|must))\b"
_ASKED: Final = tuple(
    (kind, re.compile("|".join(patterns)))
    for kind, patterns in (
        ("how often", (r"\bhow (?:often|frequently|many times)\b", r"\bfrequency\b")),
        (
            "a time",
            (
                r"\bhow (?:long|soon|quickly|fast|late|early|far (?:ahead|in advance))\b",
                r"\bhow (?:many|much) (?:\w+ )?(?:time|minutes|hours|days|weeks|months|years|notice)\b",
                rf"{_CLAUSE}when\b",
                rf"\bwhen{_ASKING}",
                r"\b(?:deadline|due date|what (?:time|date|day|weekday|year|month))\b",
            ),
        ),
        ("an amount", (r"\bhow (?:much|many|large|big|high)\b", r"\bwhat (?:percent|percentage|share|amount)\b")),
        ("a reason", (r"\bwhy\b", r"\bhow come\b", r"\bwhat(?:'s| is) the reason\b")),
        ("a person or place", (rf"{_CLAUSE}(?:who|whom|whose|where)\b", rf"\b(?:who|whose|where){_ASKING}")),
        ("a meaning", (r"\bstands? for\b", r"\bwhat (?:does|do) .*\bmean\b", r"\b(?:meaning|definition) of\b", r"\bdefine\b")),
        ("a way", (r"\bhow (?:do|does|can|should|would|to|could)\b", r"\b(?:steps|procedure|process) (?:for|to)\b")),
    )
)
"""What a question wants to hear, where its words commit it: the first kind that fits. "Who" and "where" often ask the same."""

_SAME_SENTENCE: Final = 0.5
"""The share of their words that two questions have in common, in the same order, from which on they are one sentence with
something exchanged, and not two ways to say the same.

Source: on the paraphrases and near misses of `handbook-18f`, 0.5 drops 1 % of the pairs of paraphrases and 24 % of the pairs with
a near miss; 0.6 drops 20 % of the latter, 0.4 drops 5 % of the former.
"""

_SHORTEST_ACRONYM: Final = 3
"""Shorter ones are the initials of something in almost any text."""

_LONGEST_ACRONYM: Final = 6
_SHORTEST_CLIPPING: Final = 4
_LEFT_OUT_BY_CLIPPING: Final = 3
_SHORTEST_INFLECTED: Final = 4
_LONGEST_PHRASE: Final = 3
_MOST_SIDES: Final = 100


def differences(old: Query, new: Query) -> tuple[str, ...]:
    """Why an answer to `old` is no answer to `new`.

    Returns:
        A reason for each difference, as "kind: of the old / of the new", its kind one of `RULES`; empty when none is seen.
    """
    if " ".join(old.background.split()) != " ".join(new.background.split()):
        return ("background: one / another",)
    return tuple(f"{rule}: {one} / {other}" for rule, find in _RULES.items() for one, other in find(old.text, new.text))


@dataclass(frozen=True, slots=True)
class _Contrasts:
    """`contrasts.txt`, read. A side is found by its number, `line * _MOST_SIDES + place`; `names` says what it is called.

    `phrases` has each word or phrase in all its forms; `apart` the verbs with a particle that other words may stand before.
    """

    kinds: tuple[str, ...]
    names: Mapping[int, str]
    phrases: Mapping[str, tuple[int, ...]]
    apart: tuple[tuple[int, re.Pattern[str]], ...]


def _numbers(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Both name numbers, and each has one that the other lacks; or the same number is one of other units."""
    ours, theirs = _quantities(old), _quantities(new)
    only_ours, only_theirs = sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())
    if only_ours and only_theirs:
        yield ", ".join(only_ours), ", ".join(only_theirs)
    for number in sorted(ours.keys() & theirs.keys()):
        if ours[number] and theirs[number] and ours[number].isdisjoint(theirs[number]):
            yield f"{number} {min(ours[number])}", f"{number} {min(theirs[number])}"


def _quantities(text: str) -> dict[str, set[str]]:
    """The numbers of a text with the units that follow or, for currencies, precede them."""
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"(?<=\d)(?=[^\W\d_])|-", " ", re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.lower()))
    tokens = [_NUMBER_WORDS.get(token, token) for token in re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", text)]
    found: dict[str, set[str]] = {}
    for at, token in enumerate(tokens):
        if _NUMBER.fullmatch(token):
            around = [*tokens[at + 1 : at + 2 + _FROM_NUMBER_TO_UNIT], *tokens[max(0, at - 1) : at]]
            unit = next((_UNITS[word] for word in around if word in _UNITS), None)
            found.setdefault(token, set()).update({unit} if unit else ())
    return found


def _contrasts(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Words of `contrasts.txt` that exclude one another."""
    known = _read_contrasts()
    ours, theirs = _sides(old), _sides(new)
    for line, kind in enumerate(known.kinds):
        one, other = ([side for side in sides if side // _MOST_SIDES == line] for sides in (ours, theirs))
        if one and other and not set(one) & set(other):
            yield f"{known.names[one[0]]} ({kind})", known.names[other[0]]


def _sides(text: str) -> list[int]:
    """The sides that a text has words of, in order."""
    known = _read_contrasts()
    said = [word.removesuffix("'s") for word in words(text.replace("-", " "))]
    spans = (" ".join(said[at : at + length]) for length in range(1, _LONGEST_PHRASE + 1) for at in range(len(said)))
    found = {side for span in spans for side in known.phrases.get(span, ())}
    plain = " ".join(said)
    return sorted(found | {side for side, pattern in known.apart if pattern.search(plain)})


def _negations(old: str, new: str) -> Iterator[tuple[str, str]]:
    """One denies what the other says without denying it."""
    for one, other, turned in ((old, new, False), (new, old, True)):
        denied = _denied(one) & (_content(other) - _denied(other))
        if denied:
            reason = (f"not {min(denied)}", min(denied))
            yield reason[::-1] if turned else reason


def _denied(text: str) -> set[str]:
    """The stem of the first content word after each negation."""
    tokens = [token.replace("'", "") for token in words(text.replace("n't", "nt"))]
    found: set[str] = set()
    for at, token in enumerate(tokens):
        if token in _NEGATIONS:
            found.update(stems([word for word in tokens[at + 1 :] if word not in STOPWORDS][:1]))
    return found


def _asked(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Both say what kind of thing they want to hear, and it is not the same."""
    ours, theirs = (next((kind for kind, pattern in _ASKED if pattern.search(_lower(text))), None) for text in (old, new))
    if ours and theirs and ours != theirs:
        yield ours, theirs


def _names(old: str, new: str) -> Iterator[tuple[str, str]]:
    """Both give names, and each has one that the other lacks, even as an acronym or clipped."""
    ours, theirs = _unknown_names(old, new), _unknown_names(new, old)
    if ours and theirs:
        yield ", ".join(ours), ", ".join(theirs)


def _unknown_names(text: str, other: str) -> list[str]:
    said = words(other.replace("-", " "))
    known = {*said, *stems(said)}
    return sorted(name for name in named_words(text) if name not in known and not is_alias(name, said))


def named_words(text: str) -> set[str]:
    """The names in a text, in lower case: words with a capital where no sentence begins, or with one inside.

    A text that is all in capitals names nothing.
    """
    found: set[str] = set()
    begins = True
    for piece in text.split() if text != text.upper() else ():
        core = piece.strip(".,;:!?\"'()[]").replace("’", "'").removesuffix("'s")  # noqa: RUF001 - the typographic apostrophe is meant
        inside = any(character.isupper() for character in core[1:])
        if len(core) > 1 and (inside or (core[0].isupper() and not begins)):
            found.update(word for word in words(core) if word.replace("'", "") not in STOPWORDS and len(word) > 1)
        begins = piece[-1] in ".?!:"
    return found


def is_alias(word: str, said: Sequence[str]) -> bool:
    """Whether a word stands for what was said: by its initials ("lwp" for "leave without pay"), or clipped ("repo").

    Args:
        word: A word in lower case.
        said: The words of the other text in order, in lower case.
    """
    if _SHORTEST_ACRONYM <= len(word) <= _LONGEST_ACRONYM and word in "".join(one[0] for one in said):
        return True
    if len(word) < _SHORTEST_CLIPPING:
        return False
    head = word[:_SHORTEST_CLIPPING]
    return any(one.startswith(head) and _one_clips_the_other(word, one) for one in said)


def _one_clips_the_other(word: str, other: str) -> bool:
    return abs(len(word) - len(other)) >= _LEFT_OUT_BY_CLIPPING and (word.startswith(other) or other.startswith(word))


def _exchanged(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The same sentence with other content words in it, added or exchanged."""
    ours, theirs = stems(words(old)), stems(words(new))
    share = 2 * _common_in_order(ours, theirs) / ((len(ours) + len(theirs)) or 1)
    only_ours, only_theirs = sorted(_content(old) - _content(new)), sorted(_content(new) - _content(old))
    if share >= _SAME_SENTENCE and (only_ours or only_theirs):
        yield ", ".join(only_ours) or "-", ", ".join(only_theirs) or "-"


def _common_in_order(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(theirs) + 1)
    for one in ours:
        diagonal = 0
        for column, other in enumerate(theirs, start=1):
            above = row[column]
            row[column] = diagonal + 1 if one == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


_RULES: Final[dict[str, Callable[[str, str], Iterator[tuple[str, str]]]]] = {
    "number": _numbers,
    "contrast": _contrasts,
    "negation": _negations,
    "asked for": _asked,
    "name": _names,
    "exchanged": _exchanged,
}
RULES: Final = ("background", *_RULES)
"""The kinds of reasons, in the order in which they are given."""


def _content(text: str) -> set[str]:
    return set(
        stems([word for word in (token.removesuffix("'s").replace("'", "") for token in words(text)) if word not in STOPWORDS])
    )


def _lower(text: str) -> str:
    return " ".join(text.replace("’", "'").lower().split())  # noqa: RUF001 - the typographic apostrophe is meant


@cache
def _read_contrasts() -> _Contrasts:
    content = files("app.caching").joinpath("contrasts.txt").read_text(encoding="utf-8")
    lines = [line.split(": ", 1) for line in content.splitlines() if line and not line.startswith("#")]
    names: dict[int, str] = {}
    phrases: dict[str, tuple[int, ...]] = {}
    apart: list[tuple[int, re.Pattern[str]]] = []
    for number, (_, sides) in enumerate(lines):
        for side, alternatives in enumerate(sides.split(" / "), start=number * _MOST_SIDES):
            names[side] = alternatives.split(",")[0].strip()
            for phrase in map(str.strip, alternatives.split(",")):
                verb, _, particle = phrase.partition(" ~ ")
                if particle:
                    apart.append((side, re.compile(rf"\b(?:{'|'.join(_inflected(verb))})(?: \w+){{0,5}} {particle}\b")))
                else:
                    phrases.update((form, (*phrases.get(form, ()), side)) for form in _inflected(" ".join(words(phrase))))
    return _Contrasts(tuple(kind for kind, _ in lines), names, phrases, tuple(apart))


def _inflected(phrase: str) -> set[str]:
    """A word with the endings of nouns and verbs, some of them wrong, which harms nothing; a phrase with a plural."""
    if " " in phrase:
        return {phrase, f"{phrase}s"}
    if len(phrase) < _SHORTEST_INFLECTED:
        return {phrase}
    base = phrase.removesuffix("e")
    return {phrase, f"{phrase}s", *(f"{stem}{ending}" for stem in (base, base + base[-1]) for ending in ("ed", "ing"))}
