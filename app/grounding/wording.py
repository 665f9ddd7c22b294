"""Whether a sentence and its evidence agree in the small words that turn a meaning round: negation, modality, limits."""

from collections.abc import Iterator, Sequence
from typing import Final

from app.grounding.evidence import Reading, alike_around, counterparts, gaps
from indexing.words import STOPWORDS

NEGATIONS: Final = frozenset("not no never none neither nor without nothing nobody".split())
_EXCEPTIONS: Final = frozenset("unless except excluding only solely".split())
_OPPOSITES: Final = tuple(
    frozenset(words.split())
    for words in (
        "must shall should may might can could will would need required optional recommended",
        "before after during",
        "more less fewer",
        "most least",
        "minimum maximum",
        "above below over under",
        "up down",
        "all every each any some most few no none both either neither",
        "always usually often sometimes rarely never",
        "hourly daily weekly biweekly monthly quarterly yearly annually",
        "increase decrease",
        "increased decreased",
        "include exclude",
        "includes excludes",
        "including excluding",
        "with without",
        "until from since",
        "first last",
        "internal external",
        "paid unpaid",
        "allowed forbidden prohibited",
        "morning afternoon evening",
        "earlier later",
        "higher lower",
        "longer shorter",
    )
)
_FAMILY: Final = {word: family for family in _OPPOSITES for word in family}
_STRENGTH: Final = {
    "must": 3,
    "shall": 3,
    "required": 3,
    "should": 2,
    "recommended": 2,
    "may": 1,
    "might": 1,
    "can": 1,
    "could": 1,
    "optional": 1,
}
_FORBIDDING: Final = frozenset({"may", "can", "must", "shall"})
_VAGUE: Final = frozenset({"up", "down", "over", "under"})
_SCOPE: Final = 3


def reversed_wording(sentence: Reading, support: Sequence[Reading], *, certain: bool) -> str | None:
    """The first small word that was put in, taken out or exchanged between the same neighbours as in the support.

    An exchange is not `certain` where the unit has the word elsewhere, unless the neighbours further off are alike too; nor that
    of one verb for another in what is forbidden: `no one may` often is `no one shall`.
    """
    for position, word in enumerate(sentence.keys):
        there = [(reading, place) for reading in support for place in counterparts(sentence, position, reading)]
        if any(reading.keys[place] == word for reading, place in there):
            continue
        if rivals := {
            reading.keys[place]
            for reading, place in there
            if reading.keys[place] in _FAMILY.get(word, frozenset())
            and not _alike(word, reading.keys[place])
            and not (certain and _is_doubtful(sentence, position, reading, place))
        }:
            return f"where it says {word!r}, the cited unit says {min(rivals)!r}"
        if word in NEGATIONS and any(gaps(sentence, position, reading) for reading in support):
            return f"it says {word!r} where the cited unit does not"
    for reading in support:
        for position, word in enumerate(reading.keys):
            if word not in NEGATIONS or not gaps(reading, position, sentence):
                continue
            if not any(sentence.keys[place] == word for place in counterparts(reading, position, sentence)):
                return f"it leaves out {word!r}"
    return None


def _is_doubtful(own: Reading, position: int, other: Reading, place: int) -> bool:
    word, its = own.keys[position], other.keys[place]
    if {word, its} <= _FORBIDDING and _is_denied(own, position) and _is_denied(other, place):
        return True
    return word in other.keys and not alike_around(own, position, other, place)


def _is_denied(reading: Reading, position: int) -> bool:
    """Whether a negation stands just before or right after."""
    return not NEGATIONS.isdisjoint(reading.keys[max(0, position - _SCOPE) : position + 2])


def different_wording(sentence: Reading, support: Sequence[Reading]) -> str | None:
    """The first small word that weighs and stands on one side only. `support` is not empty, the best unit first."""
    said = frozenset(sentence.keys)
    read = frozenset[str]().union(*(frozenset(reading.keys) for reading in support))
    for word in sentence.keys:
        if word not in read and (others := _opposed(word, read)):
            return f"it says {word!r} where the cited unit says {min(others)!r}"
        if word not in read and (word in _EXCEPTIONS or (word in NEGATIONS and not read & NEGATIONS)):
            return f"it says {word!r}, and the cited unit does not"
    best = support[0]
    if lost := [word for word in best.keys if word in _EXCEPTIONS and word not in said]:
        return f"it leaves out {lost[0]!r}"
    if not said & NEGATIONS and (denied := sentence.terms & frozenset(_negated(best))):
        return f"the cited unit says 'not' about {min(denied)!r}"
    return None


def _opposed(word: str, read: frozenset[str]) -> frozenset[str]:
    """The words of the evidence that say otherwise: of modal verbs, all that stand there, and only if none is as strong."""
    if word in _VAGUE:
        return frozenset()
    others = read & _FAMILY.get(word, frozenset())
    return frozenset() if any(_alike(word, other) for other in others) else others


def _negated(reading: Reading) -> Iterator[str]:
    """The content words that follow a negation closely."""
    for position, word in enumerate(reading.keys):
        if word in NEGATIONS:
            following = range(position + 1, min(position + 1 + _SCOPE, len(reading.keys)))
            yield from (reading.stems[other] for other in following if reading.keys[other] not in STOPWORDS)


def _alike(word: str, other: str) -> bool:
    return word in _STRENGTH and _STRENGTH[word] == _STRENGTH.get(other)
