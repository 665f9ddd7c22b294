"""Whether a sentence and its evidence agree in the small words that turn a meaning round: negation, modality, limits."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from app.grounding.evidence import Reading, alike_around, counterparts, gaps
from indexing.language import Language

_SCOPE: Final = 3


def reversed_wording(sentence: Reading, support: Sequence[Reading], *, certain: bool) -> str | None:
    """The first small word that was put in, taken out or exchanged between the same neighbours as in the support.

    An exchange is not `certain` where the unit has the word elsewhere, unless the neighbours further off are alike too; nor that
    of one verb for another in what is forbidden: `no one may` often is `no one shall`.
    """
    negations, families = sentence.language.negations, sentence.language.families
    for position, word in enumerate(sentence.keys):
        there = [(reading, place) for reading in support for place in counterparts(sentence, position, reading)]
        if any(reading.keys[place] == word for reading, place in there):
            continue
        if rivals := {
            reading.keys[place]
            for reading, place in there
            if reading.keys[place] in families.get(word, frozenset())
            and not _alike(word, reading.keys[place], sentence.language)
            and not (certain and _is_doubtful(sentence, position, reading, place))
        }:
            return f"where it says {word!r}, the cited unit says {min(rivals)!r}"
        if word in negations and any(gaps(sentence, position, reading) for reading in support):
            return f"it says {word!r} where the cited unit does not"
    for reading in support:
        for position, word in enumerate(reading.keys):
            if word not in negations or not gaps(reading, position, sentence):
                continue
            if not any(sentence.keys[place] == word for place in counterparts(reading, position, sentence)):
                return f"it leaves out {word!r}"
    return None


def _is_doubtful(own: Reading, position: int, other: Reading, place: int) -> bool:
    word, its = own.keys[position], other.keys[place]
    if (
        {word, its} <= own.language.words_of("small_words", "forbidding")
        and _is_denied(own, position)
        and _is_denied(other, place)
    ):
        return True
    return word in other.keys and not alike_around(own, position, other, place)


def _is_denied(reading: Reading, position: int) -> bool:
    """Whether a negation stands just before or right after."""
    return not reading.language.negations.isdisjoint(reading.keys[max(0, position - _SCOPE) : position + 2])


def different_wording(sentence: Reading, support: Sequence[Reading]) -> str | None:
    """The first small word that weighs and stands on one side only. `support` is not empty, the best unit first."""
    negations, exceptions = sentence.language.negations, sentence.language.words_of("small_words", "exceptions")
    said = frozenset(sentence.keys)
    read = frozenset[str]().union(*(frozenset(reading.keys) for reading in support))
    for word in sentence.keys:
        if word not in read and (others := _opposed(word, read, sentence.language)):
            return f"it says {word!r} where the cited unit says {min(others)!r}"
        if word not in read and (word in exceptions or (word in negations and not read & negations)):
            return f"it says {word!r}, and the cited unit does not"
    best = support[0]
    if lost := [word for word in best.keys if word in exceptions and word not in said]:
        return f"it leaves out {lost[0]!r}"
    if not said & negations and (denied := sentence.terms & frozenset(_negated(best))):
        return f"the cited unit says 'not' about {min(denied)!r}"
    return None


def _opposed(word: str, read: frozenset[str], language: Language) -> frozenset[str]:
    """The words of the evidence that say otherwise: of modal verbs, all that stand there, and only if none is as strong."""
    if word in language.words_of("small_words", "vague"):
        return frozenset()
    others = read & language.families.get(word, frozenset())
    return frozenset() if any(_alike(word, other, language) for other in others) else others


def _negated(reading: Reading) -> Iterator[str]:
    """The content words that follow a negation closely."""
    for position, word in enumerate(reading.keys):
        if word in reading.language.negations:
            following = range(position + 1, min(position + 1 + _SCOPE, len(reading.keys)))
            yield from (reading.stems[other] for other in following if reading.keys[other] not in reading.language.stopwords)


def _alike(word: str, other: str, language: Language) -> bool:
    strength: Mapping[str, int] = language.section("small_words").get("strength", {})
    return word in strength and strength[word] == strength.get(other)
