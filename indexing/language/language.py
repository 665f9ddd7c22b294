"""A language by its code: its stemmer, and what `vocabulary/` says of it."""

import re
import threading
import tomllib
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Final

import Stemmer

from indexing.errors import LanguageError
from indexing.language.contrasts import Contrasts, parse_contrasts
from indexing.language.quantities import QuantityReader, Token
from indexing.language.question_form import QuestionForm
from indexing.language.sentences import SentenceReader
from indexing.language.words import words

_STEMMERS: Final[Mapping[str, str]] = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french", "hu": "hungarian",
    "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sv": "swedish",
    "tr": "turkish",
}  # fmt: skip
LANGUAGES: Final = tuple(_STEMMERS)
"""The codes (ISO 639-1) of the languages that the stemmers and the index engines both know."""


class Language:
    """One language. Safe to use from several threads, and never changed.

    A language without a vocabulary has a stemmer and nothing else: its lists are empty, its patterns find nothing, and
    `has_vocabulary` is false, so that whoever judges by words knows that he cannot.
    """

    def __init__(self, code: str) -> None:
        """Read what there is of a language.

        Raises:
            LanguageError: There is no such language.
        """
        if code not in LANGUAGES:
            raise LanguageError(f"{code!r} is not a language that can be stemmed. There are: {', '.join(LANGUAGES)}.")
        self.code = code
        self._vocabulary = _read(code)
        self._local = threading.local()
        self._lists: dict[tuple[str, str], frozenset[str]] = {}
        self._patterns: dict[tuple[str, str], re.Pattern[str]] = {}

    def __repr__(self) -> str:
        return f"Language({self.code!r})"

    @property
    def has_vocabulary(self) -> bool:
        """Whether more is known of it than how to stem its words."""
        return bool(self._vocabulary)

    @cached_property
    def stopwords(self) -> frozenset[str]:
        """Words that say how something is asked, not what. Negations stand here too: rules, not counting, look after them."""
        text = self._vocabulary.get("stopwords", "")
        return frozenset((*text.split(), *words(text)))  # as they are written, and as they are searched

    def terms(self, text: str) -> list[str]:
        """The stems of a text's content words, in order, with repetition. Numbers stay; function words are left out."""
        plain = (token.removesuffix("'s").replace("'", "") for token in words(text))
        return self.stems([word for word in plain if word not in self.stopwords])

    def stems(self, tokens: list[str]) -> list[str]:
        """The Snowball stem of each token."""
        stemmer = getattr(self._local, "stemmer", None)
        if stemmer is None:  # for one thread only, and without a memory: a word in it may be all that is left of a page
            stemmer = self._local.stemmer = Stemmer.Stemmer(self.stemmer, 0)
        result: list[str] = stemmer.stemWords(tokens)
        return result

    @property
    def stemmer(self) -> str:
        """The name of its Snowball stemmer."""
        return _STEMMERS[self.code]

    @cached_property
    def quantities(self) -> QuantityReader:
        """Reads numbers, dates, times and codes."""
        return QuantityReader(self._vocabulary)

    def read(self, text: str) -> tuple[Token, ...]:
        """The tokens of a text, in order: words, and the facts that must agree exactly."""
        return self.quantities.read(text)

    @cached_property
    def sentences(self) -> SentenceReader:
        """Finds where sentences end."""
        return SentenceReader(frozenset(self._vocabulary.get("abbreviations", "").split()), self._vocabulary.get("dates", {}))

    @cached_property
    def contrasts(self) -> Contrasts:
        """Words that exclude one another, and the names of dates."""
        file = files("indexing.language").joinpath("vocabulary", f"{self.code}.contrasts.txt")
        return parse_contrasts(file.read_text(encoding="utf-8") if file.is_file() else "")

    @cached_property
    def _forms(self) -> tuple[tuple[QuestionForm, re.Pattern[str]], ...]:
        rules = self._vocabulary.get("forms", ())
        return tuple((QuestionForm(rule["form"]), re.compile(rule["pattern"], re.IGNORECASE)) for rule in rules)

    def question_form(self, question: str) -> QuestionForm:
        """The first form whose pattern is found, from the widest to the narrowest; `FACT` when none is."""
        return next((form for form, pattern in self._forms if pattern.search(question)), QuestionForm.FACT)

    @cached_property
    def negations(self) -> frozenset[str]:
        """The words that deny."""
        return self.words_of("small_words", "negations")

    @cached_property
    def families(self) -> Mapping[str, frozenset[str]]:
        """The small words that turn a meaning round when they are exchanged, each with its whole family."""
        families = (frozenset(words.split()) for words in self.section("small_words").get("families", ()))
        return {word: family for family in families for word in family}

    @cached_property
    def asked(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        """What kind of thing a question wants to hear, as patterns over its text in lower case; the first that fits counts."""
        return tuple((row["kind"], re.compile("|".join(row["patterns"]))) for row in self.rows("asked"))

    @cached_property
    def qualifiers(self) -> Mapping[str, str]:
        """What stands before a number or date and makes it mean something else: phrase -> the kind of it."""
        return {phrase: kind for kind, phrases in self.section("qualifiers").items() for phrase in phrases.split(", ")}

    @cached_property
    def tells_names(self) -> bool:
        """Whether a capital tells a name: not where every noun has one, nor where nothing is known of the language."""
        return self.has_vocabulary and not self.section("names").get("capital_nouns")

    def words_of(self, section: str, name: str) -> frozenset[str]:
        """A list of words; empty where the language has none."""
        key = section, name
        if key not in self._lists:
            self._lists[key] = frozenset(self.section(section).get(name, "").split())
        return self._lists[key]

    def terms_of(self, section: str, name: str) -> frozenset[str]:
        """The stems of a list of words."""
        key = section, f"{name}, stemmed"
        if key not in self._lists:
            self._lists[key] = frozenset(self.terms(" ".join(self.words_of(section, name))))
        return self._lists[key]

    def pattern(self, section: str, name: str, flags: int = re.IGNORECASE) -> re.Pattern[str]:
        """A pattern; one that finds nothing where the language has none."""
        key = section, name
        if key not in self._patterns:
            self._patterns[key] = re.compile(self.section(section).get(name) or r"(?!)", flags)
        return self._patterns[key]

    def section(self, name: str) -> Mapping[str, Any]:
        """A section of the vocabulary as it stands; empty where the language has none."""
        found: Mapping[str, Any] = self._vocabulary.get(name, {})
        return found

    def rows(self, name: str) -> tuple[Mapping[str, Any], ...]:
        """A list of tables of the vocabulary, in order."""
        return tuple(self._vocabulary.get(name, ()))


@cache
def language(code: str) -> Language:
    """A language by its code, made once. Raises `LanguageError`."""
    return Language(code)


def _read(code: str) -> dict[str, Any]:
    file = files("indexing.language").joinpath("vocabulary", f"{code}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


ENGLISH: Final = language("en")
