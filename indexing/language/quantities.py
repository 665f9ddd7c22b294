"""A text as a row of tokens: words, and the facts that must agree exactly, each brought to one form.

`$5k` is 5,000 dollars, `twelve` is 12, `1 March 2024` is `2024-03-01`. Nothing is guessed: two weeks are not fourteen days.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple


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


ORDINAL: Final = "ordinal"

_SIGNS: Final = {"$": "dollar", "€": "euro", "£": "pound", "%": "percent"}
_TEN: Final = 10
_HUNDRED: Final = 100
_MONTHS_IN_A_YEAR: Final = 12
_UNSAID: Final = "?"
_NEVER: Final = r"(?!)"
_PARTS: Final[Mapping[str, tuple[str | None, str, str | None]]] = {
    "mdy": ("my", "mm", "md"),
    "dmy": ("dy", "dm", "dd"),
    "monthyear": ("yy", "ym", None),
    "month": (None, "month", None),
}
"""The groups of a date in words: year, month and day."""

_HALF: Final = r"[apAP])\.?[mM]\b\.?"
_CODE: Final = (
    r"\d+(?:\.\d+){2,}"  # 6.15.0
    r"|\d+\([a-z]\)(?:\(\d+\))*|[45]\d\d[kcbKCB]\b|\d+s\b"  # 401(k), 501(c)(3), 401k, 1990s
    r"|(?:[A-Za-z]+|[A-Z][A-Za-z]*[-/])\d[\w-]*(?:\.\w+)*|\d+(?![kKmM]\b|[KMGT]B\b)[A-Z]\w*"  # FL-600, v2, 18F
    r"|\w*[A-Za-z0-9]_\w+|--[a-z][\w-]+|[#@][A-Za-z][\w-]+|(?<![\w)])(?:/[\w.-]+){2,}"  # a_b, --all, #leave, /etc/hosts
    r"|(?<![\w-])[A-Za-z][\w-]*+(?:\.[a-z][\w-]+)+"  # login.gov
)
_OPENING: Final = re.compile(r"(?:^|[.!?:;\"“‘„(\[|•\n]|(?:^|\s)['*-])\s*$")  # noqa: RUF001 - typographic quotes are meant
_SILENT: Final = re.compile(r"[()]|[.,;:!?'/]+$")
_LOOK_BACK: Final = 4


class QuantityReader:
    """Reads texts of one language. Safe to use from several threads.

    Without a vocabulary it reads what is neutral: numbers in digits, dates and times in digits, codes and links.
    """

    def __init__(self, vocabulary: Mapping[str, Any]) -> None:
        """Take what a language's vocabulary has of numbers, units, dates and contractions."""
        numbers, dates = vocabulary.get("numbers", {}), vocabulary.get("dates", {})
        units, small = vocabulary.get("units", {}), vocabulary.get("small_words", {})
        self._worded = _worded_numbers(numbers)
        self._tens = frozenset(numbers.get("tens", "").split())
        self._scales: Mapping[str, int] = numbers.get("scales", {})
        self._suffixes: Mapping[str, int] = numbers.get("suffixes", {})
        self._ordinals = {word: n for n, word in enumerate(numbers.get("ordinals", "").split(), 1)}
        self._ordinal_endings = frozenset(numbers.get("ordinal_endings", "").split())
        self._articles = numbers.get("articles", "").split()
        self._half = frozenset(numbers.get("half", "").split())
        self._decimal_comma = bool(numbers.get("decimal_comma"))
        self.units: Mapping[str, str] = {form: forms.split()[0] for forms in units.get("forms", ()) for form in forms.split()}
        self.units_of_time = frozenset(units.get("of_time", "").split())
        self._qualified: Mapping[str, str] = units.get("qualified", {})
        self._contracted: Mapping[str, str] = small.get("contracted", {})
        self._contracted_not: str = small.get("contracted_not", "")
        self._genitive: str = small.get("genitive", "'s")
        self._months = {form.lower(): n for n, forms in enumerate(dates.get("months", ()), 1) for form in forms.split()}
        self._token = re.compile(_token_pattern(numbers, dates))

    def read(self, text: str) -> tuple[Token, ...]:
        """The tokens of a text, in order. Contracted negations are taken apart: `can't` and `cannot` are `can`, `not`."""
        text = text.replace("’", "'").replace("\u00a0", " ").replace("\u202f", " ")  # noqa: RUF001 - the typographic apostrophe is meant
        return tuple(self._joined(list(self._scan(text))))

    def forms(self, unit: str) -> Iterator[str]:
        """The ways to write a unit."""
        return (form for form, name in self.units.items() if name == unit)

    def unit_near(self, tokens: Sequence[Token], at: int, reach: int) -> str | None:
        """The unit of a number, with up to `reach` words between ("3 full weeks"); `None` without one."""
        if tokens[at].unit is not None:
            return tokens[at].unit
        for token in tokens[at + 1 : at + 2 + reach]:
            if token.kind is not Kind.WORD:
                return None
            if token.key in self.units:
                return self.units[token.key]
        return None

    def _scan(self, text: str) -> Iterator[Token]:
        for match in self._token.finditer(text):
            shown, kind = match.group(), match.lastgroup
            if kind == "plain" and shown not in self._contracted:
                yield Token(Kind.WORD, shown, shown)
                continue
            opens = shown[0].isupper() and _OPENING.search(text[max(0, match.start() - _LOOK_BACK) : match.start()]) is not None
            match kind:
                case "plain" | "word":
                    yield from self._words(shown, opens=opens)
                case "number":
                    yield self._number(match, opens=opens)
                case "link" | "code":
                    yield Token(Kind.CODE, _SILENT.sub("", shown.lower()), shown.rstrip(".,;:!?'"), None, opens)
                case "time":
                    half = (match["half"] or match["half2"] or "").lower()
                    yield Token(Kind.TIME, f"{int(match['hour'])}:{match['minute'] or '00'}{half}", shown, None, opens)
                case _:
                    yield Token(Kind.DATE, self._calendar_key(match), shown, None, opens)

    def _words(self, shown: str, *, opens: bool) -> Iterator[Token]:
        """A word, the genitive taken away; a contracted negation as two words."""
        word = shown.lower().removesuffix(self._genitive).replace(".", "")
        stem = self._contracted.get(word) or ""
        if not stem and self._contracted_not and word.endswith(self._contracted_not):
            stem = word.removesuffix(self._contracted_not)
        if stem:
            yield Token(Kind.WORD, stem, shown, None, opens)
            yield Token(Kind.WORD, "not", shown)
        else:
            yield Token(Kind.WORD, word.replace("'", ""), shown.removesuffix(self._genitive), None, opens)

    def _number(self, match: re.Match[str], *, opens: bool) -> Token:
        digits = match["digits"]
        digits = digits.replace(".", "").replace(",", ".") if self._decimal_comma else digits.replace(",", "")
        value, after = Decimal(digits), (match["after"] or "").lower()
        unit = _SIGNS[match["sign"].strip()] if match["sign"] else "percent" if match["percent"] else None
        unit = unit or (_SIGNS[match["sign_behind"].strip()] if match["sign_behind"] else None)
        if after in self._ordinal_endings:
            unit = ORDINAL
        elif after and (after != "m" or unit):
            value *= self._suffixes[after]
        return Token(Kind.NUMBER, _plain(value), match.group(), unit, opens)

    def _calendar_key(self, match: re.Match[str]) -> str:
        """A date as `year-month-day`, with `?` for what is not said. Of `3/4/2024` both readings stand, with `|` between."""
        match match.lastgroup:
            case "iso":
                return _date(match["iy"], int(match["im"]), match["id"])
            case "dotted":
                return _date(match["ty"], int(match["tm"]), match["td"])
            case "slashed":
                year = match["sy"] if len(match["sy"]) > 2 else f"20{match['sy']}"  # noqa: PLR2004 - a year of two digits
                first, second = match["s1"], match["s2"]
                pairs = ((first, second), (second, first))
                readings = [(month, day) for month, day in pairs if 1 <= int(month) <= _MONTHS_IN_A_YEAR]
                dates = dict.fromkeys(_date(year, int(month), day) for month, day in readings)
                return "|".join(dates) or f"{year}-{first}/{second}-{_UNSAID}"
            case kind:
                year, month, day = _PARTS[kind or "month"]
                return _date(year and match[year], self._month(match[month]), day and match[day])

    def _month(self, name: str) -> int:
        return self._months[name.rsplit(maxsplit=1)[-1].rstrip(".").lower()]

    def _joined(self, tokens: list[Token]) -> Iterator[Token]:
        """Number words and scales joined to one number, and each number given the unit that follows it."""
        at = 0
        while at < len(tokens):
            token = tokens[at]
            value, length = self._value_at(tokens, at)
            if token.key in self._ordinals and token.kind is Kind.WORD:
                yield Token(Kind.NUMBER, str(self._ordinals[token.key]), token.shown, ORDINAL, token.opens)
                at += 1
                continue
            if value is None:
                yield token
                at += 1
                continue
            unit, taken = self._unit([one.key for one in tokens[at + length : at + length + 2]])
            if token.unit not in {None, unit}:  # `$499 a month`, `5 % a year`: the sign says what is counted
                unit, taken = token.unit, 0
            end = at + length + taken
            yield Token(Kind.NUMBER, _plain(value), " ".join(one.shown for one in tokens[at:end]), unit, token.opens)
            at = end

    def _value_at(self, tokens: list[Token], at: int) -> tuple[Decimal | None, int]:
        """The number that begins at a token, and how many tokens it takes; `None` where none begins."""
        token = tokens[at]
        if token.kind is Kind.NUMBER:
            value, length = Decimal(token.key), 1
        elif token.kind is Kind.WORD and (worded := self._worded_at(tokens, at)):
            value, length = worded
        else:
            return None, 1
        while at + length < len(tokens) and (scale := self._scales.get(tokens[at + length].key)):
            value, length = value * scale, length + 1
        return value, length

    def _worded_at(self, tokens: list[Token], at: int) -> tuple[Decimal, int] | None:
        """The value of a number in words, and how many words it takes. `one` is a number only before a unit or a scale."""
        word = tokens[at].key
        after = tokens[at + 1].key if at + 1 < len(tokens) else ""
        if word in self._half:
            behind = tokens[at + 2].key if at + 2 < len(tokens) else ""
            article = after in self._articles and behind in self.units
            return (Decimal("0.5"), 2 if article else 1) if article or after in self.units else None
        if word in self._articles:
            return (Decimal(1), 1) if after in self._scales or (word == self._articles[-1] and after in self.units) else None
        if word in self._tens and (rest := self._worded.get(after, _TEN)) < _TEN:
            return Decimal(self._worded[word] + rest), 2
        return (Decimal(self._worded[word]), 1) if word in self._worded else None

    def _unit(self, follows: list[str]) -> tuple[str | None, int]:
        """The unit that the words behind a number name, and how many of them do."""
        if len(follows) > 1 and follows[1] in self.units and follows[0] in self._qualified:
            return f"{self._qualified[follows[0]]}{self.units[follows[1]]}", 2
        return (self.units[follows[0]], 1) if follows and follows[0] in self.units else (None, 0)


def _worded_numbers(numbers: Mapping[str, Any]) -> Mapping[str, int]:
    """Numbers as words: those below twenty, the tens, and those that a language writes as one word."""
    ones, tens = numbers.get("ones", "").split(), numbers.get("tens", "").split()
    found = {word: n for n, word in enumerate(ones)} | {word: _TEN * n for n, word in enumerate(tens, 2)}
    joined: str | None = numbers.get("joined")
    if joined is None:
        return found
    leading: Mapping[str, str] = numbers.get("leading", {})
    below = dict(found)
    for ten in tens:
        below |= {joined.format(one=leading.get(one, one), ten=ten): found[ten] + n for n, one in enumerate(ones[1:_TEN], 1)}
    hundred: str = numbers["hundred"]
    for n, one in enumerate(ones[1:_TEN], 1):
        for start in (f"{leading.get(one, one)}{hundred}", *([hundred] if n == 1 else [])):
            found[start] = n * _HUNDRED
            found |= {f"{start}{word}": n * _HUNDRED + value for word, value in below.items() if value}
    return found | below


def _token_pattern(numbers: Mapping[str, Any], dates: Mapping[str, Any]) -> str:
    """What a token looks like. Dates in words come first where they can begin, so that their day is no number of its own."""
    forms = sorted((form for months in dates.get("months", ()) for form in months.split()), key=len, reverse=True)
    small = dates.get("in_small_letters", "").split()
    no_month = rf"(?!(?:{'|'.join(small)}) \d)" if small else ""
    month = rf"(?:{'|'.join(map(re.escape, [*forms, *small]))})\b\.?" if forms else _NEVER
    after = [rf"(?:(?<=\b{place} )(?:{name}))" for place, _, name in (one.partition(" ") for one in dates.get("alone_after", ()))]
    alone = rf"(?:{'|'.join([*dates.get('alone', '').split(), *after])})\b" if forms else _NEVER
    endings = "|".join(numbers.get("ordinal_endings", "").split())
    day = rf"\d{{1,2}}(?:{endings})?" if endings else r"\d{1,2}"
    day_before_month = rf"{day}\.?" if dates.get("day_with_stop") else day
    scaled: Sequence[str] = list(numbers.get("suffixes", {}))
    suffixes = "|".join([*numbers.get("ordinal_endings", "").split(), *scaled, *(one.upper() for one in scaled if len(one) == 1)])
    of = rf"(?:{dates['of']} )?" if "of" in dates else ""
    no_code = r"(?!\d{1,3}(?:\.\d{3})+(?![\d.]))" if numbers.get("decimal_comma") else ""
    digits = (
        r"\d{1,3}(?:\.\d{3})+(?:,\d+)?(?!\d)|\d+(?:,\d+)?"
        if numbers.get("decimal_comma")
        else r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?"
    )
    return (
        rf"(?P<plain>{no_month}[a-z]+(?=[ ,;)]|$))"  # first, because most tokens are plain words
        r"|(?P<link>(?:https?://|www\.)[^\s<>()\[\]\"]+|(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]+)+)"
        r"|(?P<iso>(?<![\w.-])(?P<iy>\d{4})-(?P<im>0?[1-9]|1[0-2])-(?P<id>\d\d?)(?![\d-]))"
        r"|(?P<slashed>(?<![\w/])(?P<s1>\d\d?)/(?P<s2>\d\d?)/(?P<sy>\d{4}|\d\d)(?![\w/]))"
        + (
            r"|(?P<dotted>(?<![\w.])(?P<td>\d\d?)\.(?P<tm>0?[1-9]|1[0-2])\.(?P<ty>\d{4})(?![\w]))"
            if dates.get("day_with_stop")
            else ""
        )
        + rf"|(?P<mdy>\b(?P<mm>{month}) (?P<md>{day})\b(?!\d|[:,]\d| ?(?:{_HALF})(?:,? (?P<my>\d{{4}})\b)?)"
        rf"|(?P<dmy>\b(?P<dd>{day_before_month}) {of}(?P<dm>{month})(?:,? (?P<dy>\d{{4}})\b)?)"
        rf"|(?P<monthyear>\b(?P<ym>{month}),? (?P<yy>(?:19|20)\d\d)\b)"
        rf"|(?P<month>\b{alone})"
        r"|(?P<time>(?<![\w:])(?P<hour>\d\d?)"
        rf"(?::(?P<minute>\d\d)(?::\d\d)?(?: ?(?P<half>{_HALF})?| ?(?P<half2>{_HALF})(?![:\w]))"
        rf"|(?P<code>{no_code}(?:{_CODE}))"
        rf"|(?P<number>(?P<sign>[$€£] ?)?(?P<digits>{digits})"
        rf"(?P<after>(?:{suffixes})\b)?(?P<percent> ?%)?(?P<sign_behind> ?[$€£](?! ?\d))?)"
        r"|(?P<word>(?:[A-Z]\.){2,}|[^\W\d_]+(?:'[^\W\d_]+)*)"
    )


def _date(year: str | None, month: int, day: str | None) -> str:
    return f"{year or _UNSAID}-{month}-{int(day.rstrip('stndrh.')) if day else _UNSAID}"


def _plain(value: Decimal) -> str:
    """A value without zeros that say nothing. Not `normalize`, which would round long ones."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
