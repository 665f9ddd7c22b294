"""Numbers and dates that two questions give, with their units, and what stands before them ("more than", "not before")."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

from app.caching.rules.contrasts import LONGEST_PHRASE, MAY, MOST_SIDES, read_contrasts

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
_COMPARED: Final = {
    "<=": " at most ",
    ">=": " at least ",
    "≤": " at most ",
    "≥": " at least ",
    "<": " less than ",
    ">": " more than ",
}
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_FROM_NUMBER_TO_UNIT: Final = 2
"""Words between a number and its unit: "3 full weeks"."""

_QUALIFIERS: Final = {
    phrase: kind
    for kind, phrases in {
        "more than": "more than, over, above, beyond, exceed, exceeds, exceeding, in excess of, greater than, higher than, "
        "larger than, longer than",
        "less than": "less than, fewer than, under, below, lower than, smaller than, shorter than",
        "at least": "at least, minimum, min, upwards of, no less than, not less than, no fewer than, not fewer than",
        "at most": "at most, up to, maximum, max, no more than, not more than, no longer than, not longer than, not exceeding",
        "before": "before, prior to, ahead of, earlier than",
        "after": "after, following, past, later than",
        "until": "until, till, through",
        "by": "by, no later than, not later than",
        "since": "since, as of, starting",
        "not": "not, never, except, excluding, without",
    }.items()
    for phrase in phrases.split(", ")
}
"""What stands before a number or date and makes it mean something else. "Within 3 days" is taken as plain "3 days"."""

_OF_DATES_ONLY: Final = frozenset({"until", "by", "since"})
"""Before other numbers they say something else: "signed by 2 managers"."""

_BEFORE_QUANTITIES: Final = frozenset(
    "a an the of on in at end first last next this about around approximately roughly exactly full dollars euros pounds".split()
)
_BEFORE_OVER: Final = re.compile(r"(?:carr|roll|tak|hand|turn)(?:y|ies|ied|ying|s|e|es|ed|en|ing)?|left|took")
"""The verbs of "carry over 40 hours", which are not more than 40."""

_AFTER_QUANTITIES: Final = re.compile(
    r"(?:\w+ )?(?:(?P<least>(?:or|and) (?:more|longer|over|above|up)|at least)"
    r"|(?P<most>or (?:less|fewer|under|below|shorter)|at most))\b"
)
_QUANTITY_TOKEN: Final = re.compile(rf"\d+(?:\.\d+)?(?=(?:st|nd|rd|th|am|pm|k|{'|'.join(_UNITS)})?\b)|[^\W_]+(?:[-'][^\W_]+)*")
"""Numbers, and words; "18F" and "GS-13" are words."""

_MAKES_A_DATE: Final = frozenset({"st", "nd", "rd", "th", "am", "pm", "o'clock"})
_INSIDE_DATES: Final = (["st"], ["nd"], ["rd"], ["th"], ["of"], ["the"])
_UNITS_OF_TIME: Final = frozenset({"minutes", "hours", "days", "weeks", "months", "years"})
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def numbers(old: str, new: str) -> Iterator[tuple[str, str]]:
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


def qualified(old: str, new: str) -> Iterator[tuple[str, str]]:
    """The same number or date with something else before it: "3 days" and "more than 3 days", "on" and "not before 5 March"."""
    ours, theirs = _qualifiers(old), _qualifiers(new)
    for quantity in sorted(ours.keys() & theirs.keys()):
        if ours[quantity].isdisjoint(theirs[quantity]):
            yield f"{min(ours[quantity])} {quantity}".strip(), f"{min(theirs[quantity])} {quantity}".strip()


@lru_cache(maxsize=1024)  # a new question is held against many old ones, and these come back
def _qualifiers(text: str) -> Mapping[str, set[str]]:
    """For each number and date what qualifies it, each time that it is said: "" for nothing."""
    for sign, word in (_COMPARED | _SIGNS).items():
        text = text.replace(sign, word)
    text = MAY.sub("month of may", text).replace("’", "'").lower()  # noqa: RUF001 - the typographic apostrophe is meant
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text.replace("n't", " not"))
    text = re.sub(rf"(?:(?<=\d)|\b({'|'.join(_NUMBER_WORDS)}))-", r"\1 ", re.sub(r"(?<=\d)\+", " or more", text))
    tokens = _QUANTITY_TOKEN.findall(text)
    found: dict[str, set[str]] = {}
    at = 0
    while at < len(tokens):
        begin, said = at, list[str]()
        while (step := _quantity_at(tokens, at)) or (said and tokens[at : at + 1] in _INSIDE_DATES):
            quantity, length = step or ("", 1)
            said += [quantity] if quantity else []
            at += length
        if said:
            qualifier = _qualifier(tokens, begin, at, dated=_is_date(said, tokens[begin : at + 2]))
            for quantity in said:
                found.setdefault(quantity, set()).add(qualifier)
        at += not said
    return found


def _quantity_at(tokens: Sequence[str], at: int) -> tuple[str, int] | None:
    """The number, or the date's name, that begins at a token, and how many tokens it takes."""
    known = read_contrasts()
    for length in range(LONGEST_PHRASE, 0, -1):
        for side in known.phrases.get(" ".join(tokens[at : at + length]), ()):
            if known.kinds[side // MOST_SIDES] == "time":
                return known.names[side], length
    word, after = [*tokens[at : at + 2], "", ""][:2]
    if word == "one" or (word in {"a", "an"} and _UNITS.get(after) in _UNITS_OF_TIME):
        return "1", 1
    number = _NUMBER_WORDS.get(word, word)
    return (number, 1) if _NUMBER.fullmatch(number) else None


def _is_date(said: Sequence[str], tokens: Sequence[str]) -> bool:
    """Whether quantities name a day, a time or a span of time, by themselves or by the tokens from the first on."""
    named = any(not _NUMBER.fullmatch(one) or _YEAR.fullmatch(one) for one in said)
    return named or any(word in _MAKES_A_DATE or _UNITS.get(word) in _UNITS_OF_TIME for word in tokens)


def _qualifier(tokens: Sequence[str], begin: int, end: int, *, dated: bool) -> str:
    """What stands before and after the quantity from one token to another, nearest last."""
    after = _AFTER_QUANTITIES.match(" ".join(tokens[end : end + 4]))
    kinds = [] if after is None else ["at least" if after["least"] else "at most"]
    at = begin
    while at:
        spans = ((length, " ".join(tokens[at - length : at])) for length in range(min(LONGEST_PHRASE, at), 0, -1))
        length, kind = next(((length, _QUALIFIERS[span]) for length, span in spans if span in _QUALIFIERS), (1, None))
        carried = tokens[at - 1] == "over" and at > 1 and _BEFORE_OVER.fullmatch(tokens[at - 2])
        if (kind is None and tokens[at - 1] not in _BEFORE_QUANTITIES) or carried:
            break
        if kind and (dated or kind not in _OF_DATES_ONLY):
            kinds.append(kind)
        at -= length
    return " ".join(reversed(kinds))
