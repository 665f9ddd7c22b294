"""Numbers and dates that two questions give, with their units, and what stands before them ("more than", "not before")."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from app.caching.rules.sides import with_months_told
from indexing.language import Language
from indexing.language.contrasts import LONGEST_PHRASE
from indexing.language.quantities import Kind, Token

_REACH: Final = 2
"""Words between a number and its unit: "3 full weeks"."""

_COMPARED: Final = {
    "<=": " at most ",
    ">=": " at least ",
    "≤": " at most ",
    "≥": " at least ",
    "<": " less than ",
    ">": " more than ",
}
_TIME: Final = "time"
_YEAR: Final = re.compile(r"(?:19|20)\d\d")
_UNSAID: Final = "?"
_ALL_BUT_THE_MONTH: Final = 2
_DIGITS: Final = re.compile(r"\d+(?:\.\d+)?")


def numbers(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """Both name numbers or dates, and each has one that the other lacks; or the same number is one of other units."""
    ours, theirs = _quantities(old, language), _quantities(new, language)
    only_ours = sorted(one for one in ours if not any(_same(one, other) for other in theirs))
    only_theirs = sorted(other for other in theirs if not any(_same(one, other) for one in ours))
    if only_ours and only_theirs:
        yield ", ".join(only_ours), ", ".join(only_theirs)
    for number in sorted(ours.keys() & theirs.keys()):
        if ours[number] and theirs[number] and ours[number].isdisjoint(theirs[number]):
            yield f"{number} {min(ours[number])}", f"{number} {min(theirs[number])}"


def qualified(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """The same number or date with something else before it: "3 days" and "more than 3 days", "on" and "not before 5 March"."""
    ours, theirs = _qualifiers(old, language), _qualifiers(new, language)
    for quantity in sorted(ours.keys() & theirs.keys()):
        if ours[quantity].isdisjoint(theirs[quantity]):
            yield f"{min(ours[quantity])} {quantity}".strip(), f"{min(theirs[quantity])} {quantity}".strip()


def _quantities(text: str, language: Language) -> Mapping[str, set[str]]:
    """The numbers of a text with the units that follow them, those inside codes too, and its times and dates.

    "One day" is no number here, as little as "a day"; and a month alone is looked after by the names of months.
    """
    tokens = language.read(text)
    found: defaultdict[str, set[str]] = defaultdict(set)
    for at, token in enumerate(tokens):
        match token.kind:
            case Kind.NUMBER if token.key != "1" or not token.shown[0].isalpha():
                unit = language.quantities.unit_near(tokens, at, _REACH)
                found[token.key].update({unit} if unit else ())
            case Kind.CODE:
                found.update({digits: set[str]() for digits in _DIGITS.findall(token.key) if digits not in found})
            case Kind.TIME:
                found[token.key].update(())
            case Kind.DATE if token.key.count(_UNSAID) < _ALL_BUT_THE_MONTH:
                found[token.key].update(())
            case _:
                pass
    return found


def _same(one: str, other: str) -> bool:
    """Whether two quantities may be the same: of dates, as far as both say."""
    if one == other:
        return True
    return any(_agree(own.split("-"), its.split("-")) for own in one.split("|") for its in other.split("|"))


def _agree(own: Sequence[str], its: Sequence[str]) -> bool:
    dated = len(own) == len(its) == 3  # noqa: PLR2004 - year, month and day
    return dated and all(a == b or _UNSAID in {a, b} for a, b in zip(own, its, strict=True))


def _qualifiers(text: str, language: Language) -> Mapping[str, set[str]]:
    """For each number and date what qualifies it, each time that it is said: "" for nothing."""
    around = language.section("around_quantities")
    for sign, words in _COMPARED.items():
        text = text.replace(sign, words)
    text = re.sub(r"(?<=\d)\+", f" {around.get('or_more', '+')}", with_months_told(text, language))
    tokens = language.read(text)
    keys = [token.key for token in tokens]
    found: defaultdict[str, set[str]] = defaultdict(set)
    at = 0
    while at < len(tokens):
        begin, said = at, list[tuple[str, bool]]()
        while step := _quantity_at(tokens, keys, at, language):
            quantity, length, dated = step
            said.append((quantity, dated))
            at += length
        if said:
            qualifier = _qualifier(keys, begin, at, language, dated=any(dated for _, dated in said))
            for quantity, _ in said:
                found[quantity].add(qualifier)
        at += not said
    return found


def _quantity_at(tokens: Sequence[Token], keys: Sequence[str], at: int, language: Language) -> tuple[str, int, bool] | None:
    """The number, or the date's name, that begins at a token, how many tokens it takes, and whether it names a time."""
    known = language.contrasts
    for length in range(LONGEST_PHRASE, 0, -1):
        for side in known.phrases.get(" ".join(keys[at : at + length]), ()):
            if known.kind(side) == _TIME:
                return known.names[side], length, True
    token = tokens[at] if at < len(tokens) else None
    after = keys[at + 1] if at + 1 < len(keys) else ""
    reader = language.quantities
    if token is None or token.kind is Kind.CODE:
        return None
    if token.kind is Kind.WORD:
        one = token.key in language.words_of("numbers", "articles") and reader.units.get(after) in reader.units_of_time
        return ("1", 2, True) if one else None
    dated = token.kind is not Kind.NUMBER or token.unit in reader.units_of_time or _YEAR.fullmatch(token.key) is not None
    return token.key, 1, dated or (token.unit or "").rpartition(" ")[2] in reader.units_of_time


def _qualifier(keys: Sequence[str], begin: int, end: int, language: Language, *, dated: bool) -> str:
    """What stands before and after the quantity from one token to another, nearest last."""
    before, over = language.words_of("around_quantities", "before"), language.words_of("around_quantities", "over")
    of_dates, phrases = language.words_of("around_quantities", "of_dates_only"), language.qualifiers
    behind, kinds = " ".join(keys[end : end + 4]), list[str]()
    if language.pattern("around_quantities", "at_least_behind").match(behind):
        kinds.append("at least")
    elif language.pattern("around_quantities", "at_most_behind").match(behind):
        kinds.append("at most")
    at = begin
    while at:
        spans = ((length, " ".join(keys[at - length : at])) for length in range(min(LONGEST_PHRASE, at), 0, -1))
        length, kind = next(((length, phrases[span]) for length, span in spans if span in phrases), (1, None))
        verb = language.pattern("around_quantities", "before_over")
        carried = keys[at - 1] in over and at > 1 and verb.fullmatch(keys[at - 2])
        if (kind is None and keys[at - 1] not in before) or carried:
            break
        if kind and (dated or kind not in of_dates):
            kinds.append(kind)
        at -= length
    return " ".join(reversed(kinds))
