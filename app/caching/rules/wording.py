"""When two questions are the same words: the keys of exact and same-words hits.

Both keys begin from the whole question and take away only what is listed here. Whatever is not listed stays, in its order: a
word, a number, a negation, a preposition or a symbol that nobody thought of makes another key, and so a miss, never a wrong hit.
Order is a part of the key because it says who does what to whom; the one change of order that is undone is a phrase put in front
("For contractors, who approves leave?"). Words are reduced by the plural and third person -s alone: the stems that searching uses
make one of "intern", "internal" and "international", and passives, which turn roles round, differ by -ed and "by".
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import pairwise, takewhile
from typing import Final

from indexing.language import Language
from retrieval.passages import Query

_TYPOGRAPHIC: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),  # noqa: RUF001 - the typographic characters are meant
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),  # noqa: RUF001 - as above
        "…": "...",
        **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
    }
)
_BREAK: Final = "\x1e"
"""White space to `str.split`, so that no question holds it; the same is true of the mark before the background."""

_EDGES: Final = ".,;:!?\"'()[]{}"
_YES_NO: Final = "yes-no:"

_SHORTEST_PLURAL: Final = 4
_NEVER: Final = r"(?!)"


class _Key:
    """What the vocabulary of a language says of the words that a key takes away, made ready once for each language."""

    def __init__(self, language: Language) -> None:
        words, key = language.words_of, language.section("key")
        self.language = language
        self.is_known = bool(key)
        self.capitals = language.pattern("key", "capitals_with_a_meaning", 0)
        self.contractions = [(re.compile(pattern), spelling) for pattern, spelling in key.get("contractions", ())]
        self.spellings = [(re.compile(pattern), spelling) for pattern, spelling in key.get("spellings", ())]
        self.courtesy_before = re.compile(rf"{key.get('greeting', _NEVER)}(?=\S)")
        self.asked_for = re.compile(rf"(?:{key.get('asking', _NEVER)}|{key.get('asking_what', _NEVER)})(?=\S)")
        self.courtesy_after = language.pattern("key", "courtesy_after", 0)
        self.plain_auxiliaries = words("key", "plain_auxiliaries")
        self.auxiliaries = self.plain_auxiliaries | words("key", "modals") | words("key", "auxiliaries")
        self.question_words = words("key", "question_words")
        self.prepositions = words("key", "prepositions")
        self.ends_a_noun_phrase = self.prepositions | self.auxiliaries | self.question_words
        self.ends_a_noun_phrase |= words("key", "ends_a_noun_phrase") | {_BREAK}
        self.negations = language.negations | words("key", "negations")
        self.same: Mapping[str, str] = key.get("same", {})
        self.plural_s = bool(key.get("plural_s"))
        self.no_plurals = words("key", "no_plurals")
        self.openings = [
            (tuple(opening.split()), tuple(plain.split()))
            for openings, plain in key.get("openings", ())
            for opening in openings.split("|")
        ]


@cache
def _key_of(language: Language) -> _Key:
    return _Key(language)


def exact_key(query: Query, language: Language) -> str:
    """What an exact hit is looked up by: the question and its background, folded.

    Casing, white space, typographic characters and closing punctuation make no difference, everything else does.
    """
    key = _key_of(language)
    return _with_background(_folded(query.text, key), query, key)


def same_words_key(query: Query, language: Language) -> str:
    """What a same-words hit is looked up by: the question without politeness and other ways to say the same, and its background.

    For a language without a vocabulary it is the exact one. Else two questions have one key only when they are the same words in
    the same order, but for: casing, punctuation and typographic characters; greetings, "please", "could you tell me"; articles
    and present-tense "do" and "be"; plurals; the openings that the vocabulary lists; "what is X" and plain "X"; "X of Y" and
    "Y X"; a phrase put in front instead of at the end.
    """
    key = _key_of(language)
    folded = _folded(query.text, key)
    if not key.is_known:
        return _with_background(folded, query, key)
    text, indirect = _without_courtesy(folded, key)
    tokens = _tokens(text, key)
    if indirect and tokens and tokens[0] in language.words_of("key", "if_words"):
        tokens = _as_yes_no(tokens[1:], key)
    tokens = _main_clause_first(tokens, key)
    tokens = _plainly_opened(tokens, key)
    kept = [token for token in tokens if token not in key.plain_auxiliaries and token != _BREAK]
    return _with_background(" ".join(_singular(token, key) for token in kept) or folded, query, key)


def _with_background(words: str, query: Query, key: _Key) -> str:
    """Keys of a question that leans on another hold what it leans on; no question can contain the mark between them."""
    return f"{words}\x1f{_folded(query.background, key)}" if query.background else words


def _folded(text: str, key: _Key) -> str:
    """One spelling of a text, on one line."""
    plain = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHIC)
    if plain != plain.upper():
        plain = key.capitals.sub(r"\g<0>*", plain)
    return " ".join(plain.casefold().split()).rstrip(" ?!.")


def _without_courtesy(text: str, key: _Key) -> tuple[str, bool]:
    """The text without greetings and thanks, and whether it was put as "could you tell me ..."."""
    for pattern, spelling in key.contractions:
        text = pattern.sub(spelling, text)
    text = key.courtesy_after.sub("", text) or text
    indirect = False
    while True:
        found = key.courtesy_before.match(text) or key.asked_for.match(text)
        if not found:
            return text, indirect
        indirect = indirect or bool(key.asked_for.match(text))
        text = text[found.end() :]


def _tokens(text: str, key: _Key) -> list[str]:
    """Words, numbers and symbols in order, articles left out, with a mark where punctuation ends a phrase."""
    for pattern, spelling in key.spellings:
        text = pattern.sub(spelling, text)
    tokens: list[str] = []
    for piece in text.split():
        token = piece.strip(_EDGES) if piece not in {"-", "--"} else ""
        if token:
            tokens.append(key.same.get(token, token))
        if (not token or piece[-1] in ",.;:!?") and tokens and tokens[-1] != _BREAK:
            tokens.append(_BREAK)
    while tokens and tokens[-1] == _BREAK:
        tokens.pop()
    return _without_of([token for token, after in pairwise([*tokens, _BREAK]) if not _is_article(token, after, key)], key)


def _is_article(word: str, after: str, key: _Key) -> bool:
    """Whether a word is an article; an "a" with no noun behind it is a name ("plan a or b")."""
    words = key.language.words_of
    return word in words("key", "articles") or (word in words("key", "article_or_name") and after not in key.ends_a_noun_phrase)


def _without_of(tokens: Sequence[str], key: _Key) -> list[str]:
    """Make "limit of credit hours" "credit hours limit": the one word before "of" goes behind the noun phrase after it."""
    result, of, stopwords = list(tokens), key.language.words_of("key", "of"), key.language.stopwords
    at = 1
    while at < len(result) - 1:
        if result[at] in of and result[at - 1] not in stopwords and result[at - 1] != _BREAK:
            owner = list(takewhile(lambda token: token not in key.ends_a_noun_phrase, result[at + 1 :]))
            if owner:
                result[at - 1 : at + 1 + len(owner)] = [*owner, result[at - 1]]
        at += 1
    return result


def _as_yes_no(tokens: Sequence[str], key: _Key) -> list[str]:
    """Make "if I can carry it over" "can I carry it over": what was asked indirectly, with its modal in front."""
    modal = next((token for token in tokens if token in key.auxiliaries), None)
    if modal is None:
        return ["do", *tokens]
    rest = list(tokens)
    rest.remove(modal)
    return [modal, *rest]


def _main_clause_first(tokens: Sequence[str], key: _Key) -> list[str]:
    """The question proper, then the phrase that was put in front of it, where there is one.

    A question word begins the question proper after punctuation; without punctuation only when the phrase before it opens with a
    preposition and the word cannot be a relative pronoun ("people who approve" is no question).
    """
    asking, never_relative = key.question_words | key.auxiliaries, key.language.words_of("key", "never_relative")
    for at in range(2, len(tokens)):
        after_break = tokens[at - 1] == _BREAK
        asks = tokens[at] in (asking if after_break else never_relative)
        if tokens[0] in asking:
            break
        if asks and (after_break or (tokens[0] in key.prepositions and tokens[1] not in key.prepositions)):
            front = [token for token in tokens[:at] if token != _BREAK]
            return [*tokens[at:], *front]
    return list(tokens)


def _plainly_opened(tokens: Sequence[str], key: _Key) -> list[str]:
    """One opening for all that ask the same, and a mark for yes-no questions whose auxiliary is dropped."""
    words = key.language.words_of
    if key.negations.isdisjoint(tokens):
        for opening, plain in key.openings:
            if tuple(tokens[: len(opening)]) == opening:
                return [*plain, *tokens[len(opening) :]]
    if len(tokens) > 2 and tokens[0] in words("key", "what"):  # noqa: PLR2004 - the question word, its verb, and something asked about
        if tokens[1] in words("key", "copulas"):
            return list(tokens[2:])
        if tokens[-1] in words("key", "copulas"):
            return list(tokens[1:-1])
    if tokens and tokens[0] in key.plain_auxiliaries:
        return [_YES_NO, *tokens[1:]]
    return list(tokens)


def _singular(token: str, key: _Key) -> str:
    """Without the -s of plurals and third persons."""
    if (
        not key.plural_s
        or len(token) < _SHORTEST_PLURAL
        or not token.isalpha()
        or token in key.no_plurals
        or not token.endswith("s")
    ):
        return token
    if token.endswith(("ss", "us", "is")):
        return token
    if token.endswith("ies"):
        return token[:-3] + "y"
    return token[:-2] if token.endswith(("sses", "shes", "ches", "xes", "zes")) else token[:-1]
