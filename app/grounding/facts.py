"""Whether the facts of a sentence stand in what it cites: numbers with their units, dates, times, codes and names."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from app.grounding.evidence import Reading, alike_around, counterparts
from indexing.language import Language
from indexing.language.quantities import ORDINAL, Kind, Token

_UNKNOWN: Final = "?"
_MARKS: Final = frozenset("#@")
_HEADING_WORDS: Final = 3


def missing_fact(sentence: Reading, cited: Sequence[Reading], asked: Reading | None = None) -> str | None:
    """The first fact of a sentence that stands in nothing that is cited, in words for people; `None` when all do.

    A name may also stand in what was `asked`; a number, date, time or code may not, since the asker can be wrong about it.
    """
    for token in claimed_facts(sentence):
        if not any(_states(reading, token) for reading in cited):
            return f"the {token.kind} {token.shown} is in no cited unit"
    naming = cited if asked is None else (*cited, asked)
    known = frozenset[str]().union(*(reading.words for reading in naming))
    for position in sorted(name_positions(sentence)):
        token = sentence.tokens[position]
        if token.shown in sentence.language.words_of("names", "spelled_like_words"):
            found = any(token.shown == other.shown.replace(".", "") for reading in naming for other in reading.tokens)
        else:
            found = sentence.stems[position] in known or any(token.key in _acronyms(reading) for reading in naming)
        if not found:
            return f"the name {token.shown} is in no cited unit"
    return None


def replaced_fact(sentence: Reading, support: Sequence[Reading], *, certain: bool) -> str | None:
    """The first fact that stands between the same neighbours as another one of its kind in the support, the best unit first.

    `10 days for interns` is no support for `20 days for interns`, even where another unit says `20 days for staff`. Where that
    unit itself says `20` elsewhere, it is `certain` only if the neighbours further off are alike too.
    """
    names = name_positions(sentence)
    for position, token in enumerate(sentence.tokens):
        if token.kind is Kind.WORD and position not in names:
            continue
        for reading in support:
            places = [
                place
                for place in counterparts(sentence, position, reading)
                if _rivals(token, reading.tokens[place], reading.language)
            ]
            if any(_agree(token, reading.tokens[place]) for place in places):
                break
            if certain and _says(reading, token):
                places = [place for place in places if alike_around(sentence, position, reading, place)]
            if places:
                return f"where it says {token.shown}, the cited unit says {reading.tokens[places[0]].shown}"
    return None


def separated_names(sentence: Reading, cited: Sequence[Reading]) -> str | None:
    """The first two neighbouring words of a name that are neighbours in nothing that is cited."""
    for first, second in pairwise(sorted(name_positions(sentence))):
        pair = (sentence.keys[first], sentence.keys[second])
        if second == first + 1 and not any(pair in reading.pairs for reading in cited):
            return f"{sentence.tokens[first].shown} {sentence.tokens[second].shown} do not stand together in a cited unit"
    return None


def claimed_facts(sentence: Reading) -> Iterator[Token]:
    """The numbers, dates, times and codes that must stand in the evidence. `first` and `second` often only order a text."""
    ordering = sentence.language.words_of("numbers", "ordering")
    for token in sentence.tokens:
        if token.kind is not Kind.WORD and not (token.unit == ORDINAL and token.shown.lower() in ordering):
            yield token


def name_positions(sentence: Reading) -> frozenset[int]:
    """Where a sentence's names stand: capitalised words inside it, and at its beginning those with another capital.

    Where every content word is capitalised, as in a heading, capitals tell nothing.
    """
    tokens, language = sentence.tokens, sentence.language
    capital = [_is_capital(token, language) for token in tokens]
    stopwords = language.stopwords
    content = [position for position, token in enumerate(tokens) if token.kind is Kind.WORD and token.key not in stopwords]
    if len(content) >= _HEADING_WORDS and all(capital[position] for position in content):
        return frozenset()
    return frozenset(
        position
        for position, token in enumerate(tokens)
        if capital[position] and (not token.opens or sum(map(str.isupper, token.shown)) > 1)
    )


def _is_capital(token: Token, language: Language) -> bool:
    if token.kind is not Kind.WORD or not token.shown[0].isupper():
        return False
    if not language.tells_names and sum(map(str.isupper, token.shown)) == 1:
        return False
    return token.key not in language.stopwords or token.shown in language.words_of("names", "spelled_like_words")


def _says(reading: Reading, token: Token) -> bool:
    return _states(reading, token) if token.kind is not Kind.WORD else any(_agree(token, other) for other in reading.tokens)


def _states(reading: Reading, token: Token) -> bool:
    if any(_agree(token, other) for other in reading.facts.get(token.kind, ())):
        return True
    if token.kind is Kind.CODE and token.key[0] in _MARKS:
        return _names_unmarked(reading, token.key)
    if token.kind is not Kind.NUMBER:
        return False
    if token.unit is None:
        return any(token.key == part.split("-")[0] for date in reading.facts.get(Kind.DATE, ()) for part in date.key.split("|"))
    each, forms = reading.language.words_of("numbers", "each"), list(reading.language.quantities.forms(token.unit))
    return token.key == "1" and any((word, form) in reading.pairs for word in each for form in forms)


def _names_unmarked(reading: Reading, handle: str) -> bool:
    """Whether a channel or handle stands there without its mark: `staffing-resourcing` for `#staffing-resourcing`."""
    words = Reading(handle[1:], reading.language).keys
    return any(reading.keys[start : start + len(words)] == words for start in range(len(reading.keys)))


def _agree(token: Token, other: Token) -> bool:
    """Whether a fact of the evidence says at least what a fact of the sentence says."""
    match token.kind:
        case Kind.NUMBER:
            return token.key == other.key and (token.unit == other.unit or None in {token.unit, other.unit})
        case Kind.DATE:
            return any(_within(own, its) for own in token.key.split("|") for its in other.key.split("|"))
        case Kind.TIME:
            return token.key == other.key or (
                _clock(token) == _clock(other) and token.key[-1].isdigit() != other.key[-1].isdigit()
            )
        case Kind.CODE:
            return token.key == other.key
        case Kind.WORD:
            return token.key.removesuffix("s") == other.key.removesuffix("s")


def _within(own: str, its: str) -> bool:
    return all(a in {_UNKNOWN, b} for a, b in zip(own.split("-"), its.split("-"), strict=True))


def _clock(token: Token) -> str:
    """A time without its half of the day."""
    return token.key.rstrip("ap")


def _rivals(token: Token, other: Token, language: Language) -> bool:
    """Whether two tokens are facts of one kind, so that one may have been put in the place of the other."""
    if token.kind is Kind.WORD:
        return _is_capital(other, language)
    return token.kind is other.kind


def _acronyms(reading: Reading) -> Iterator[str]:
    """The initials of runs of capitalised words: `gsa` for General Services Administration."""
    run = ""
    for token in reading.tokens:
        if _is_capital(token, reading.language):
            run += token.key[0]
        elif token.key not in reading.language.words_of("names", "linking"):
            if len(run) > 1:
                yield run
            run = ""
    if len(run) > 1:
        yield run
