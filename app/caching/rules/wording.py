"""When two questions are the same words: the keys of exact and same-words hits.

Both keys begin from the whole question and take away only what is listed here. Whatever is not listed stays, in its order: a
word, a number, a negation, a preposition or a symbol that nobody thought of makes another key, and so a miss, never a wrong hit.
Order is a part of the key because it says who does what to whom; the one change of order that is undone is a phrase put in front
("For contractors, who approves leave?"). Words are reduced by the plural and third person -s alone: the stems that searching uses
make one of "intern", "internal" and "international", and passives, which turn roles round, differ by -ed and "by".
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import pairwise, takewhile
from typing import Final

from indexing.words import STOPWORDS
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
_CAPITALS_WITH_A_MEANING: Final = re.compile(r"\b(?:IT|US|WHO|OR|IN|ME|IS|AM)\b|(?<=\S )A\b")
"""Words that mean something else when they alone stand in capitals: the department, the country, a state, schedule A."""

_CONTRACTIONS: Final = (
    (re.compile(r"\bcan(?:'t|not)\b"), "can not"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"\bshan't\b"), "shall not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"\b(what|who|where|when|how|why|that|there|here|it)'s\b"), r"\1 is"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"\bi'm\b"), "i am"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"(?<=[^\W\d_])'s\b"), ""),
)
_SPELLINGS: Final = (
    (re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),
    (re.compile(r"(?<=\d)\s*%"), " percent"),
    (re.compile(r"(?<=\d)\s*([ap])\.?m\b\.?"), r"\1m"),
    (re.compile(r"\be-mail"), "email"),
    (re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])"), " "),
)

_QUESTION: Final = r"(?=(?:what|which|who|whom|whose|when|where|why|how|if|whether)\b)"
_GREETING: Final = (
    r"(?:(?:hi|hello|hey)(?: there| all| team)?|dear \w+|good (?:morning|afternoon|evening)|(?:i have )?a (?:quick )?question|"
    r"quick question|sorry|excuse me|(?:ok|okay|well)(?=,)|so|um+|uh+|please|pls|plz|kindly)[,.:!-]*\s+"
)
_ASKING: Final = (
    r"(?:(?:can|could|would|will) (?:you|someone|anyone|somebody|anybody) (?:please |pls |plz |kindly )?"
    r"(?:tell me|explain(?: to me)?|let me know)|i(?: would|'d|d) like to know|i (?:want|need) to know|tell me|let me know)"
    r"[,:]?\s+(?:about\s+)?"
)
_ASKING_WHAT: Final = (
    r"(?:do you (?:happen to )?know|does (?:anyone|anybody|someone|somebody) know|any idea|(?:can|could|may) i ask(?: you)?|"
    r"(?:can|could|would|will) you (?:please )?(?:show|remind) me|(?:i am |i was |i have been )?(?:just )?(?:wondering|curious)|"
    rf"i wonder|i am trying to (?:find out|understand))[,:]?\s+{_QUESTION}"
)
_COURTESY_BEFORE: Final = re.compile(rf"{_GREETING}(?=\S)")
_ASKED_FOR: Final = re.compile(rf"(?:{_ASKING}|{_ASKING_WHAT})(?=\S)")
_COURTESY_AFTER: Final = re.compile(
    r"(?:[,.;:!?]?\s+(?:please|pls|plz)|[,.;:!?]+\s*(?:thanks|thank you|thx|cheers)(?: (?:so|very) much| a lot| in advance)?)+"
    r"[\s,.;:!?]*$"
)

_BREAK: Final = "\x1e"
"""White space to `str.split`, so that no question holds it; the same is true of the mark before the background."""

_EDGES: Final = ".,;:!?\"'()[]{}"
_NEGATIONS: Final = frozenset({"not", "no", "never", "none", "nothing", "nobody", "neither", "nor", "without", "cannot"})
_PLAIN_AUXILIARIES: Final = frozenset({"do", "does", "is", "are", "am"})
_MODALS: Final = frozenset({"can", "could", "may", "might", "must", "should", "shall", "will", "would"})
_AUXILIARIES: Final = _PLAIN_AUXILIARIES | _MODALS | {"did", "was", "were", "has", "have", "had"}
_QUESTION_WORDS: Final = frozenset({"what", "who", "whose", "when", "where", "why", "how"})
_NEVER_RELATIVE: Final = frozenset({"what", "why", "how"})
_PREPOSITIONS: Final = frozenset(
    """
    about after as at before by during for from if in into on over per since through to under until upon when while with within
    without regarding once unless because
    """.split()
)
_ENDS_A_NOUN_PHRASE: Final = (
    _PREPOSITIONS | _AUXILIARIES | _QUESTION_WORDS | {"of", "i", "we", "you", "they", "and", "or", _BREAK}
)
_SAME_WORD: Final = {"which": "what", "whom": "who"}
_YES_NO: Final = "yes-no:"

_OPENINGS: Final = tuple(
    (tuple(opening.split()), tuple(plain.split()))
    for openings, plain in (
        ("how do i|how can i|how could i|how do we|how can we|how could we|how do you|how does one|how can one|how to", "how to"),
        ("where do i|where can i|where could i|where do we|where can we|where does one|where to", "where to"),
        ("could i|may i|am i allowed to|am i permitted to", "can i"),
        ("could we|may we|are we allowed to|are we permitted to", "can we"),
        ("do i have to|do i need to|am i required to", "must i"),
        ("do we have to|do we need to|are we required to", "must we"),
    )
    for opening in openings.split("|")
)
"""Ways to open a question that ask the same. They are left alone in a question with a negation, which they may turn round."""

_SHORTEST_PLURAL: Final = 4
_NO_PLURALS: Final = frozenset("news goods customs means arms series species always perhaps sales".split())
"""Words that end like plurals and are not, or mean something else without the -s."""


def exact_key(query: Query) -> str:
    """What an exact hit is looked up by: the question and its background, folded.

    Casing, white space, typographic characters and closing punctuation make no difference, everything else does.
    """
    return _with_background(_folded(query.text), query)


def same_words_key(query: Query) -> str:
    """What a same-words hit is looked up by: the question without politeness and other ways to say the same, and its background.

    Two questions have one key only when they are the same words in the same order, but for: casing, punctuation and typographic
    characters; greetings, "please", "could you tell me"; articles and present-tense "do" and "be"; plurals; the openings of
    `_OPENINGS`; "what is X" and plain "X"; "X of Y" and "Y X"; a phrase put in front instead of at the end.
    """
    text, indirect = _without_courtesy(_folded(query.text))
    tokens = _tokens(text)
    if indirect and tokens and tokens[0] in {"if", "whether"}:
        tokens = _as_yes_no(tokens[1:])
    tokens = _main_clause_first(tokens)
    tokens = _plainly_opened(tokens)
    kept = [token for token in tokens if token not in _PLAIN_AUXILIARIES and token != _BREAK]
    return _with_background(" ".join(_singular(token) for token in kept) or _folded(query.text), query)


def _with_background(key: str, query: Query) -> str:
    """Keys of a question that leans on another hold what it leans on; no question can contain the mark between them."""
    return f"{key}\x1f{_folded(query.background)}" if query.background else key


def _folded(text: str) -> str:
    """One spelling of a text, on one line."""
    plain = unicodedata.normalize("NFC", text).translate(_TYPOGRAPHIC)
    if plain != plain.upper():
        plain = _CAPITALS_WITH_A_MEANING.sub(r"\g<0>*", plain)
    return " ".join(plain.casefold().split()).rstrip(" ?!.")


def _without_courtesy(text: str) -> tuple[str, bool]:
    """The text without greetings and thanks, and whether it was put as "could you tell me ..."."""
    for pattern, spelling in _CONTRACTIONS:
        text = pattern.sub(spelling, text)
    text = _COURTESY_AFTER.sub("", text) or text
    indirect = False
    while True:
        found = _COURTESY_BEFORE.match(text) or _ASKED_FOR.match(text)
        if not found:
            return text, indirect
        indirect = indirect or bool(_ASKED_FOR.match(text))
        text = text[found.end() :]


def _tokens(text: str) -> list[str]:
    """Words, numbers and symbols in order, articles left out, with a mark where punctuation ends a phrase."""
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    tokens: list[str] = []
    for piece in text.split():
        token = piece.strip(_EDGES) if piece not in {"-", "--"} else ""
        if token:
            tokens.append(_SAME_WORD.get(token, token))
        if (not token or piece[-1] in ",.;:!?") and tokens and tokens[-1] != _BREAK:
            tokens.append(_BREAK)
    while tokens and tokens[-1] == _BREAK:
        tokens.pop()
    return _without_of([token for token, after in pairwise([*tokens, _BREAK]) if not _is_article(token, after)])


def _is_article(word: str, after: str) -> bool:
    """Whether a word is an article; an "a" with no noun behind it is a name ("plan a or b")."""
    return word in {"an", "the"} or (word == "a" and after not in _ENDS_A_NOUN_PHRASE)


def _without_of(tokens: Sequence[str]) -> list[str]:
    """Make "limit of credit hours" "credit hours limit": the one word before "of" goes behind the noun phrase after it."""
    result = list(tokens)
    at = 1
    while at < len(result) - 1:
        if result[at] == "of" and result[at - 1] not in STOPWORDS and result[at - 1] != _BREAK:
            owner = list(takewhile(lambda token: token not in _ENDS_A_NOUN_PHRASE, result[at + 1 :]))
            if owner:
                result[at - 1 : at + 1 + len(owner)] = [*owner, result[at - 1]]
        at += 1
    return result


def _as_yes_no(tokens: Sequence[str]) -> list[str]:
    """Make "if I can carry it over" "can I carry it over": what was asked indirectly, with its modal in front."""
    modal = next((token for token in tokens if token in _AUXILIARIES), None)
    if modal is None:
        return ["do", *tokens]
    rest = list(tokens)
    rest.remove(modal)
    return [modal, *rest]


def _main_clause_first(tokens: Sequence[str]) -> list[str]:
    """The question proper, then the phrase that was put in front of it, where there is one.

    A question word begins the question proper after punctuation; without punctuation only when the phrase before it opens with a
    preposition and the word cannot be a relative pronoun ("people who approve" is no question).
    """
    for at in range(2, len(tokens)):
        after_break = tokens[at - 1] == _BREAK
        asks = tokens[at] in (_QUESTION_WORDS | _AUXILIARIES if after_break else _NEVER_RELATIVE)
        if tokens[0] in _QUESTION_WORDS | _AUXILIARIES:
            break
        if asks and (after_break or (tokens[0] in _PREPOSITIONS and tokens[1] not in _PREPOSITIONS)):
            front = [token for token in tokens[:at] if token != _BREAK]
            return [*tokens[at:], *front]
    return list(tokens)


def _plainly_opened(tokens: Sequence[str]) -> list[str]:
    """One opening for all that ask the same, and a mark for yes-no questions whose auxiliary is dropped."""
    if _NEGATIONS.isdisjoint(tokens):
        for opening, plain in _OPENINGS:
            if tuple(tokens[: len(opening)]) == opening:
                return [*plain, *tokens[len(opening) :]]
    if len(tokens) > 2 and tokens[0] == "what":  # noqa: PLR2004 - the question word, its verb, and something asked about
        if tokens[1] in {"is", "are"}:
            return list(tokens[2:])
        if tokens[-1] in {"is", "are"}:
            return list(tokens[1:-1])
    if tokens and tokens[0] in _PLAIN_AUXILIARIES:
        return [_YES_NO, *tokens[1:]]
    return list(tokens)


def _singular(token: str) -> str:
    """Without the -s of plurals and third persons."""
    if len(token) < _SHORTEST_PLURAL or not token.isalpha() or token in _NO_PLURALS or not token.endswith("s"):
        return token
    if token.endswith(("ss", "us", "is")):
        return token
    if token.endswith("ies"):
        return token[:-3] + "y"
    return token[:-2] if token.endswith(("sses", "shes", "ches", "xes", "zes")) else token[:-1]
