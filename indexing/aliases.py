"""Acronyms and what they stand for, as the documents themselves define them.

Found are "Personal Time Off (PTO)", "PTO (Personal Time Off)", "Personal Time Off, or PTO", "PTO stands for Personal Time Off",
and lines of a glossary or table: "PTO - Personal Time Off", "| Personal Time Off | PTO |".

Precision comes first: a pair counts only when the acronym's letters, in order, are the first letters of all the words of the
phrase. Small words such as "of" may give none; "interagency" may give I and A; the Fed of FedRAMP is the beginning of one word.
Where the text does not say where a phrase begins or ends, the shortest one that the letters fit is taken.

Source:
    The forms, and the letters as the judge of where a phrase begins, are from A. S. Schwartz and M. A. Hearst, "A simple
    algorithm for identifying abbreviation definitions in biomedical text", Pacific Symposium on Biocomputing 2003. Theirs lets
    letters stand inside words and passes over any word; ours does not. In two companies' handbooks ours finds 281 pairs; reading
    all of them showed none that is wrong.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from indexing.documents import Chunk
from indexing.language import Language
from indexing.plain_text import plain_text

ALIASES_VERSION: Final = "1"
"""Changes when other aliases are found in the same text, so that a sync looks again."""

_PREFIX: Final = re.compile(r"(?:hyper|inter|intra|micro|multi|non|self|sub|tele|trans)(?=[a-z]{3})")
_SMALL_WORDS: Final = frozenset("a an and as at by for from in of on or the to with".split())
_LETTERS: Final = range(2, 9)
_CAPITALS: Final = 2
_TELLING_TERMS: Final = 2
"""A phrase with fewer content words, such as "about us", stands all over a corpus."""

_LONG_PART: Final = 3
"""From so many capitals on, the beginning of one word is believed, as in INFOSEC."""

_WORDS: Final = 12
_REACH: Final = 120
"""A phrase has at most so many words, and lies within so many characters of its acronym."""

_ACRONYM: Final = re.compile(r"(?<![\w&/@#.'’-])[A-Z](?:[A-Za-z]|[&/](?=[A-Z])){1,11}(?![\w&/@-])")  # noqa: RUF001 - meant
_CAPITALS_ONLY: Final = re.compile(r"(?<!\w)(?=[a-z]*[A-Z][a-z]*[A-Z])[A-Za-z]+(?!\w)")
_WORD: Final = re.compile(r"(?<!\w)[A-Za-z]+(?:['’][A-Za-z]+)*(?!\w)")  # noqa: RUF001 - the typographic apostrophe is meant
_JOINT: Final = re.compile(r" ?& ?|, | |-|/")
"""What may stand between two words of a phrase."""

_MARKS: Final = "[\"'“”‘’*]*"  # noqa: RUF001 - typographic quotation marks are meant
_NAMED: Final = r"(?:or|aka|a\.k\.a\.|also known as|also called|known as|abbreviated(?: as| to)?|short for|stands for)"
_RULE: Final = rf"{_MARKS} ?[-–—:=|] ?{_MARKS}"  # noqa: RUF001 - the dash is meant
_LINE_BEGINS: Final = rf"^(?:\| ?)?{_MARKS}"


@dataclass(frozen=True, slots=True, order=True)
class Alias:
    """Two names of one thing, as they are written: `RTO` and `return to the office`."""

    acronym: str
    phrase: str

    def keys(self, language: Language) -> tuple[str, str]:
        """Both names as `name_key` makes them: what tells aliases apart, and finds them."""
        return name_key(self.acronym, language), name_key(self.phrase, language)


def name_key(name: str, language: Language) -> str:
    """The terms of a name, joined by spaces: equal for singular and plural, capitals and small letters."""
    return " ".join(language.terms(name))


@dataclass(frozen=True, slots=True)
class _Form:
    """A way to define an acronym: what stands before and after it, and at the far side of the phrase.

    With `backwards` the phrase ends where `before` begins, else it begins where `after` ends.
    """

    before: re.Pattern[str]
    after: re.Pattern[str]
    edge: re.Pattern[str]
    backwards: bool


_FORMS: Final = tuple(
    _Form(re.compile(f"(?:{before})$"), re.compile(after), re.compile(f"(?:{edge})$" if backwards else edge), backwards)
    for before, after, edge, backwards in (
        (rf"{_MARKS} ?[(\[]{_MARKS}(?:(?:or|the|aka) )?", rf"{_MARKS} ?[)\],;]", "", True),
        (rf"{_MARKS},? \(?{_NAMED} (?:the )?{_MARKS}", "", "", True),
        (_RULE, rf"{_MARKS} ?(?:\||[.,;]?$)", _LINE_BEGINS, True),
        ("", rf"{_MARKS} ?[(\[]{_MARKS}(?:(?:or|the|aka|short for|stands for) )?", rf"{_MARKS} ?(?:[,;:)\]]|[-–—] )", False),  # noqa: RUF001 - meant
        ("", rf"{_MARKS},? \(?(?:is |which )?{_NAMED} (?:the |an? )?{_MARKS}", "", False),
        (_LINE_BEGINS, rf"{_RULE}(?:[Tt]he )?", rf"{_MARKS} ?(?:[.,;:|(]|[-–—] |is |are |$)", False),  # noqa: RUF001 - the dash is meant
    )
)


def aliases_of(chunks: Iterable[Chunk], language: Language) -> list[Alias]:
    """The aliases that a document defines in its title, headings and units, in order; of equal keys the first."""
    texts = {
        text for chunk in chunks for text in (chunk.title, *chunk.heading_path, *map(chunk.unit_text, range(len(chunk.units))))
    }
    found = {alias for text in texts if _ACRONYM.search(text) for alias in find_aliases(plain_text(text), language)}
    return sorted({alias.keys(language): alias for alias in sorted(found, reverse=True)}.values())


def find_aliases(text: str, language: Language) -> set[Alias]:
    """The aliases that a piece of plain text defines. The time this takes grows with the text's length and no faster."""
    found = {Alias(acronym, phrase) for line in text.split("\n") for acronym, phrase in _pairs(line)}
    keyed = ((alias, *alias.keys(language)) for alias in found)
    return {alias for alias, acronym, phrase in keyed if acronym and phrase.count(" ") + 1 >= _TELLING_TERMS}


def terms_in_capitals(text: str, language: Language) -> frozenset[str]:
    """The terms of a text that stand there as acronyms do, with two capitals or more, and never otherwise."""
    capitals = _CAPITALS_ONLY.findall(text)
    return (
        frozenset(language.terms(" ".join(capitals))).difference(language.terms(_CAPITALS_ONLY.sub(" ", text)))
        if capitals
        else frozenset()
    )


def capitals_key(term: str) -> str:
    """What a term that stands in capitals only is counted by, beside the term itself. No term looks like it."""
    return f"^{term}"


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Acronyms of a line with their phrases, as written, but for the plural's s."""
    for found in _ACRONYM.finditer(line):
        acronym = found[0][:-1] if found[0].endswith("s") and found[0][:-1].isupper() else found[0]
        letters = "".join(filter(str.isalpha, acronym))
        if len(letters) not in _LETTERS or sum(map(str.isupper, letters)) < max(_CAPITALS, len(letters) / 2):
            continue
        phrases = (_phrase(line, found.span(), form, letters) for form in _FORMS)
        yield from ((acronym, phrase) for phrase in phrases if phrase)


def _phrase(line: str, acronym: tuple[int, int], form: _Form, letters: str) -> str | None:
    """The phrase that an acronym stands for, if the form and the letters say that there is one."""
    before = form.before.search(line, max(0, acronym[0] - _REACH), acronym[0])
    after = form.after.match(line, acronym[1])
    if not before or not after:
        return None
    if form.backwards:
        last = before.start()
        spans = [(start, last) for start, _ in _words_before(line, last)]
        spans = [(start, end) for start, end in spans if form.edge.search(line, max(0, start - _REACH), start)]
    else:
        first = after.end()
        spans = [(first, end) for _, end in _words_after(line, first) if form.edge.match(line, end)]
    for start, end in spans:
        words = _WORD.findall(line[start:end].lower())
        if words[0] not in _SMALL_WORDS and _fits(letters, words):
            return line[start:end]
    return None


def _words_before(line: str, at: int) -> list[tuple[int, int]]:
    """The spans of the words that end at `at` and stand in one row, the nearest first."""
    spans: list[tuple[int, int]] = []
    for word in reversed(list(_WORD.finditer(line, max(0, at - _REACH), at))):
        gap = line[word.end() : spans[-1][0] if spans else at]
        if len(spans) == _WORDS or not (_JOINT.fullmatch(gap) if spans else not gap):
            break
        spans.append(word.span())
    return spans


def _words_after(line: str, at: int) -> list[tuple[int, int]]:
    """The spans of the words that begin at `at` and stand in one row."""
    spans: list[tuple[int, int]] = []
    while len(spans) < _WORDS and (word := _WORD.match(line, at)):
        spans.append(word.span())
        joint = _JOINT.match(line, word.end())
        if joint is None:
            break
        at = joint.end()
    return spans


def _fits(letters: str, words: Sequence[str]) -> bool:
    """Whether the letters, as written, are the first letters of the words (in lower case), all of them in order."""
    if not words:
        return not letters
    return any(_fits_after(letters[count:], words[1:]) for count in _given(letters, words[0]))


def _fits_after(letters: str, words: Sequence[str]) -> bool:
    return _fits(letters, words) or (len(words) > 1 and words[0] in _SMALL_WORDS and _fits_after(letters, words[1:]))


def _given(letters: str, word: str) -> Iterator[int]:
    """How many letters the word may give. Only a part written as a name, like Fed or INFO, gives its beginning."""
    for count in range(1, len(letters) + 1):
        part = letters[:count]
        if word.startswith(part.lower()) and (count == 1 or count >= _LONG_PART or part[1:].islower()):
            yield count
    prefix = _PREFIX.match(word)
    if prefix and letters[:2].lower() == word[0] + word[prefix.end()]:
        yield 2
