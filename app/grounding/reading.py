"""A text as a row of tokens: words, and the facts that must agree exactly, each brought to one form.

`$5k` is 5,000 dollars, `twelve` is 12, `1 March 2024` is `2024-03-01`. Nothing is guessed: two weeks are not fourteen days.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    """What a token is. Codes are links, addresses, versions, file names and whatever mixes letters with digits."""

    WORD = "word"
    NUMBER = "number"
    DATE = "date"
    TIME = "time"
    CODE = "code"


class Token(NamedTuple):
    """A piece of a text. `shown` is what stands there; `key` is equal for equal words and facts, however they are written.

    `unit` is a number's unit, `None` where none that is known follows. `opens` says that a sentence, a quote or a bracket begins
    here, so that a capital letter means nothing. A tuple, because an answer's check makes hundreds.
    """

    kind: Kind
    key: str
    shown: str
    unit: str | None = None
    opens: bool = False


_ONES: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL: Final = {word: n for n, word in enumerate(_ONES)} | {word: 10 * n for n, word in enumerate(_TENS, 2)}
_SCALES: Final = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_SUFFIXES: Final = {"k": 1_000, "m": 1_000_000, "mn": 1_000_000, "bn": 1_000_000_000}
_ORDINALS: Final = {
    word: n for n, word in enumerate("first second third fourth fifth sixth seventh eighth ninth tenth".split(), 1)
}
ORDINAL: Final = "ordinal"
_MONTHS: Final = {
    name[:length]: n
    for n, name in enumerate("january february march april may june july august september october november december".split(), 1)
    for length in (3, 4, len(name))
    if length != 4 or name in {"september", "june", "july"}  # noqa: PLR2004 - the lengths of usual abbreviations
}
UNITS: Final[Mapping[str, str]] = {
    form: forms.split()[0]
    for forms in (
        "second seconds sec secs",
        "minute minutes min mins",
        "hour hours hr hrs",
        "day days",
        "week weeks wk wks",
        "month months",
        "quarter quarters",
        "year years yr yrs",
        "percent pct",
        "dollar dollars usd",
        "euro euros eur",
        "pound gbp",
        "cent cents",
        "kilobyte kilobytes kb",
        "megabyte megabytes mb",
        "gigabyte gigabytes gb",
        "terabyte terabytes tb",
        "millisecond milliseconds ms",
        "metre metres meter meters",
        "kilometre kilometres kilometer kilometers km",
        "mile miles",
        "kilogram kilograms kg",
        "foot feet",
        "inch inches",
    )
    for form in forms.split()
}
_SIGNS: Final = {"$": "dollar", "€": "euro", "£": "pound", "%": "percent"}
_QUALIFIED: Final = {"business": "business ", "working": "business ", "calendar": ""}
_ARTICLES: Final = frozenset({"a", "an", "one"})
_TEN: Final = 10
_UNSAID: Final = "?"
_ENDINGS: Final = frozenset({"st", "nd", "rd", "th"})
_CONTRACTED: Final = {"cannot": "can", "can't": "can", "won't": "will", "shan't": "shall"}

_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|Oct(?:ober)?|Nov(?:ember)?"
    r"|Dec(?:ember)?)\b\.?"
)
_MONTH_ALONE: Final = (
    r"(?:January|February|April|June|July|August|September|October|November|December"
    r"|(?:(?<=\b[Ii]n )|(?<=\b[Bb]y )|(?<=\bof ))(?:March|May))\b"
)
_DAY: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_HALF: Final = r"[apAP])\.?[mM]\b\.?"
_CODE: Final = (
    r"\d+(?:\.\d+){2,}"  # 6.15.0
    r"|\d+\([a-z]\)(?:\(\d+\))*|[45]\d\d[kcbKCB]\b|\d+s\b"  # 401(k), 501(c)(3), 401k, 1990s
    r"|(?:[A-Za-z]+|[A-Z][A-Za-z]*[-/])\d[\w-]*(?:\.\w+)*|\d+(?![kKmM]\b|[KMGT]B\b)[A-Z]\w*"  # FL-600, v2, 18F
    r"|\w*[A-Za-z0-9]_\w+|--[a-z][\w-]+|[#@][A-Za-z][\w-]+|(?<![\w)])(?:/[\w.-]+){2,}"  # a_b, --all, #leave, /etc/hosts
    r"|(?<![\w-])[A-Za-z][\w-]*+(?:\.[a-z][\w-]+)+"  # login.gov
)
_TOKEN: Final = re.compile(
    r"(?P<plain>[a-z]+(?=[ ,;)]|$))"  # first, because most tokens are plain words
    r"|(?P<link>(?:https?://|www\.)[^\s<>()\[\]\"]+|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]+)+)"
    r"|(?P<iso>(?<![\w.-])(?P<iy>\d{4})-(?P<im>0?[1-9]|1[0-2])-(?P<id>\d\d?)(?![\d-]))"
    r"|(?P<slashed>(?<![\w/])(?P<s1>\d\d?)/(?P<s2>\d\d?)/(?P<sy>\d{4}|\d\d)(?![\w/]))"
    rf"|(?P<mdy>\b(?P<mm>{_MONTH}) (?P<md>{_DAY})\b(?!\d|[:,]\d| ?(?:{_HALF})(?:,? (?P<my>\d{{4}})\b)?)"
    rf"|(?P<dmy>\b(?P<dd>{_DAY}) (?:of )?(?P<dm>{_MONTH})(?:,? (?P<dy>\d{{4}})\b)?)"
    rf"|(?P<monthyear>\b(?P<ym>{_MONTH}),? (?P<yy>(?:19|20)\d\d)\b)"
    rf"|(?P<month>\b{_MONTH_ALONE})"
    r"|(?P<time>(?<![\w:])(?P<hour>\d\d?)"
    rf"(?::(?P<minute>\d\d)(?::\d\d)?(?: ?(?P<half>{_HALF})?| ?(?P<half2>{_HALF})(?![:\w]))"
    rf"|(?P<code>{_CODE})"
    r"|(?P<number>(?P<sign>[$€£] ?)?(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?)"
    r"(?P<after>(?:st|nd|rd|th|k|K|m|M|mn|bn)\b)?(?P<percent> ?%)?)"
    r"|(?P<word>(?:[A-Z]\.){2,}|[^\W\d_]+(?:'[^\W\d_]+)*)"
)
_OPENING: Final = re.compile(r"(?:^|[.!?:;\"“‘(\[|•\n]|(?:^|\s)['*-])\s*$")  # noqa: RUF001 - typographic quotes are meant
_SILENT: Final = re.compile(r"[()]|[.,;:!?'/]+$")
_LOOK_BACK: Final = 4


def read(text: str) -> tuple[Token, ...]:
    """The tokens of a text, in order. Contracted negations are taken apart: `can't` and `cannot` are `can`, `not`."""
    text = text.replace("’", "'").replace("\u00a0", " ").replace("\u202f", " ")  # noqa: RUF001 - the typographic apostrophe is meant
    return tuple(_joined(list(_scan(text))))


def _scan(text: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(text):
        shown, kind = match.group(), match.lastgroup
        if kind == "plain" and shown != "cannot":
            yield Token(Kind.WORD, shown, shown)
            continue
        opens = shown[0].isupper() and _OPENING.search(text[max(0, match.start() - _LOOK_BACK) : match.start()]) is not None
        match kind:
            case "plain" | "word":
                yield from _words(shown, opens=opens)
            case "number":
                yield _number(match, opens=opens)
            case "link" | "code":
                yield Token(Kind.CODE, _SILENT.sub("", shown.lower()), shown.rstrip(".,;:!?'"), None, opens)
            case "time":
                half = (match["half"] or match["half2"] or "").lower()
                yield Token(Kind.TIME, f"{int(match['hour'])}:{match['minute'] or '00'}{half}", shown, None, opens)
            case _:
                yield Token(Kind.DATE, _calendar_key(match), shown, None, opens)


def _words(shown: str, *, opens: bool) -> Iterator[Token]:
    """A word, possessive `'s` taken away; a contracted negation as two words."""
    word = shown.lower().removesuffix("'s").replace(".", "")
    stem = _CONTRACTED.get(word) or (word.removesuffix("n't") if word.endswith("n't") else "")
    if stem:
        yield Token(Kind.WORD, stem, shown, None, opens)
        yield Token(Kind.WORD, "not", shown)
    else:
        yield Token(Kind.WORD, word.replace("'", ""), shown.removesuffix("'s"), None, opens)


def _number(match: re.Match[str], *, opens: bool) -> Token:
    value, after = Decimal(match["digits"].replace(",", "")), (match["after"] or "").lower()
    unit = _SIGNS[match["sign"].strip()] if match["sign"] else "percent" if match["percent"] else None
    if after in _ENDINGS:
        unit = ORDINAL
    elif after and (after != "m" or unit):
        value *= _SUFFIXES[after]
    return Token(Kind.NUMBER, _plain(value), match.group(), unit, opens)


def _calendar_key(match: re.Match[str]) -> str:
    """A date as `year-month-day`, with `?` for what is not said. Of `3/4/2024` both readings stand, with `|` between."""
    match match.lastgroup:
        case "iso":
            return _date(match["iy"], int(match["im"]), match["id"])
        case "slashed":
            year = match["sy"] if len(match["sy"]) > 2 else f"20{match['sy']}"  # noqa: PLR2004 - a year of two digits
            first, second = match["s1"], match["s2"]
            readings = [
                (month, day) for month, day in ((first, second), (second, first)) if 1 <= int(month) <= _MONTHS["december"]
            ]
            dates = dict.fromkeys(_date(year, int(month), day) for month, day in readings)
            return "|".join(dates) or f"{year}-{first}/{second}-{_UNSAID}"
        case "mdy":
            return _date(match["my"], _month(match["mm"]), match["md"])
        case "dmy":
            return _date(match["dy"], _month(match["dm"]), match["dd"])
        case "monthyear":
            return _date(match["yy"], _month(match["ym"]), None)
        case _:
            return _date(None, _month(match["month"]), None)


def _date(year: str | None, month: int, day: str | None) -> str:
    return f"{year or _UNSAID}-{month}-{int(day.rstrip('stndrh')) if day else _UNSAID}"


def _month(name: str) -> int:
    return _MONTHS[name.rstrip(".").lower()]


def _joined(tokens: list[Token]) -> Iterator[Token]:
    """Number words and scales joined to one number, and each number given the unit that follows it."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        value, length = _value_at(tokens, at)
        if token.key in _ORDINALS and token.kind is Kind.WORD:
            yield Token(Kind.NUMBER, str(_ORDINALS[token.key]), token.shown, ORDINAL, token.opens)
            at += 1
            continue
        if value is None:
            yield token
            at += 1
            continue
        unit, taken = _unit([one.key for one in tokens[at + length : at + length + 2]])
        if token.unit not in {None, unit}:  # `$499 a month`, `5 % a year`: the sign says what is counted
            unit, taken = token.unit, 0
        end = at + length + taken
        yield Token(Kind.NUMBER, _plain(value), " ".join(one.shown for one in tokens[at:end]), unit, token.opens)
        at = end


def _value_at(tokens: list[Token], at: int) -> tuple[Decimal | None, int]:
    """The number that begins at a token, and how many tokens it takes; `None` where none begins."""
    token = tokens[at]
    if token.kind is Kind.NUMBER:
        value, length = Decimal(token.key), 1
    elif token.kind is Kind.WORD and (worded := _worded(tokens, at)):
        value, length = Decimal(worded[0]), worded[1]
    else:
        return None, 1
    while at + length < len(tokens) and (scale := _SCALES.get(tokens[at + length].key)):
        value, length = value * scale, length + 1
    return value, length


def _worded(tokens: list[Token], at: int) -> tuple[int, int] | None:
    """The value of a number in words, and how many words it takes. `one` is a number only before a unit or a scale."""
    word = tokens[at].key
    after = tokens[at + 1].key if at + 1 < len(tokens) else ""
    if word in _ARTICLES:
        return (1, 1) if after in _SCALES or (word == "one" and after in UNITS) else None
    if word in _TENS and _SMALL.get(after, _TEN) < _TEN:
        return _SMALL[word] + _SMALL[after], 2
    return (_SMALL[word], 1) if word in _SMALL else None


def _unit(follows: list[str]) -> tuple[str | None, int]:
    """The unit that the words behind a number name, and how many of them do."""
    if len(follows) > 1 and follows[1] in UNITS and follows[0] in _QUALIFIED:
        return f"{_QUALIFIED[follows[0]]}{UNITS[follows[1]]}", 2
    return (UNITS[follows[0]], 1) if follows and follows[0] in UNITS else (None, 0)


def _plain(value: Decimal) -> str:
    """A value without zeros that say nothing. Not `normalize`, which would round long ones."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
