"""What makes two questions ask for different things, however much alike they are: read from their words alone.

Similarity of meaning cannot see these differences ("turn on" and "turn off" are as near as any paraphrase), so that any one is
enough to drop a proposal. Most rules speak only when both questions commit themselves: a number, name or role that one of them
leaves out is looked for in the evidence instead (`agreement`), because paraphrases leave out much. No rule can tell which
question came first: old and new exchanged give the same reasons, turned round.

`python -m eval.benchmarks.cache_pairs` prints how many paraphrases and near misses each rule drops.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from app.caching.rules.quantities import numbers, qualified
from app.caching.rules.sides import contrasts
from indexing.language import Language
from indexing.language.words import words
from retrieval.passages import Query

_OFTEN_THE_SAME: Final = {"a person", "a place"}
"""In other words: "Who gets the form?", "Where do I send it?"."""

_SAME_SENTENCE: Final = 0.5
"""The share of their words that two questions have in common, in the same order, from which on they are one sentence with
something exchanged, and not two ways to say the same.

Source: on the paraphrases and near misses of `handbook-18f`, 0.5 drops 1 % of the pairs of paraphrases and 24 % of the pairs with
a near miss; 0.6 drops 20 % of the latter, 0.4 drops 5 % of the former.
"""

_SHORTEST_ACRONYM: Final = 3
"""Shorter ones are the initials of something in almost any text."""

_LONGEST_ACRONYM: Final = 6
_SHORTEST_CLIPPING: Final = 4
_LEFT_OUT_BY_CLIPPING: Final = 3


def differences(old: Query, new: Query, language: Language) -> tuple[str, ...]:
    """Why an answer to `old` is no answer to `new`.

    Returns:
        A reason for each difference, as "kind: of the old / of the new", its kind one of `RULES`; empty when none is seen.
    """
    if " ".join(old.background.split()) != " ".join(new.background.split()):
        return ("background: one / another",)
    return tuple(f"{rule}: {one} / {other}" for rule, find in _RULES.items() for one, other in find(old.text, new.text, language))


def _negations(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """One denies what the other says without denying it."""
    for one, other, turned in ((old, new, False), (new, old, True)):
        denied = _denied(one, language) & (_content(other, language) - _denied(other, language))
        if denied:
            reason = (f"not {min(denied)}", min(denied))
            yield reason[::-1] if turned else reason


def _denied(text: str, language: Language) -> set[str]:
    """The stem of the first content word after each negation."""
    plain = language.pattern("question_words", "bounds").sub(" ", text.replace("n't", "nt"))
    denials = language.negations | language.words_of("small_words", "typed_negations")
    denials |= language.words_of("small_words", "exceptions_that_deny")
    tokens = [token.replace("'", "") for token in words(plain)]
    found: set[str] = set()
    for at, token in enumerate(tokens):
        if token in denials:
            found.update(language.stems([word for word in tokens[at + 1 :] if word not in language.stopwords][:1]))
    return found


def _asked(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """Both say what kind of thing they want to hear, and it is not the same; or all but the question word is."""
    asked = language.asked
    ours, theirs = (next((kind for kind, pattern in asked if pattern.search(_lower(text))), None) for text in (old, new))
    if ours and theirs and ours != theirs and {ours, theirs} != _OFTEN_THE_SAME:
        yield ours, theirs
    elif (ours is None or ours != theirs) and _nothing_more(_content(old, language), _content(new, language)):
        one, other = _question_word(old, language), _question_word(new, language)
        if one and other and one != other:
            yield one, other


def _nothing_more(one: set[str], other: set[str]) -> bool:
    return one <= other or other <= one


def _question_word(text: str, language: Language) -> str | None:
    plain = _lower(text)
    found = language.pattern("question_words", "pattern").search(plain)
    if found is None:
        return "yes or no" if language.pattern("question_words", "yes_or_no").match(plain) else None
    same: Mapping[str, str] = language.section("question_words").get("same", {})
    return same.get(found[0], found[0])


def _names(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """Both give names, and each has one that the other lacks, even as an acronym or clipped."""
    ours, theirs = _unknown_names(old, new, language), _unknown_names(new, old, language)
    if ours and theirs:
        yield ", ".join(ours), ", ".join(theirs)


def _unknown_names(text: str, other: str, language: Language) -> list[str]:
    said = words(other.replace("-", " "))
    known = {*said, *language.stems(said)}
    return sorted(name for name in named_words(text, language) if name not in known and not is_alias(name, said))


def named_words(text: str, language: Language) -> set[str]:
    """The names in a text, in lower case: words with a capital where no sentence begins, or with one inside.

    A text that is all in capitals names nothing.
    """
    found: set[str] = set()
    begins = True
    for piece in text.split() if text != text.upper() else ():
        core = piece.strip(".,;:!?\"'()[]").replace("’", "'").removesuffix("'s")  # noqa: RUF001 - the typographic apostrophe is meant
        inside = any(character.isupper() for character in core[1:])
        if len(core) > 1 and (inside or (core[0].isupper() and not begins and language.tells_names)):
            found.update(word for word in words(core) if word.replace("'", "") not in language.stopwords and len(word) > 1)
        begins = piece[-1] in ".?!:"
    return found


def plain_word(word: str) -> str:
    """A word as it is compared: without the genitive, and without apostrophes."""
    return word.removesuffix("'s").replace("'", "")


def is_alias(word: str, said: Sequence[str]) -> bool:
    """Whether a word stands for what was said: by its initials ("lwp" for "leave without pay"), or clipped ("repo").

    Args:
        word: A word in lower case.
        said: The words of the other text in order, in lower case.
    """
    if _SHORTEST_ACRONYM <= len(word) <= _LONGEST_ACRONYM and word in "".join(one[0] for one in said):
        return True
    if len(word) < _SHORTEST_CLIPPING:
        return False
    head = word[:_SHORTEST_CLIPPING]
    return any(one.startswith(head) and _one_clips_the_other(word, one) for one in said)


def _one_clips_the_other(word: str, other: str) -> bool:
    return abs(len(word) - len(other)) >= _LEFT_OUT_BY_CLIPPING and (word.startswith(other) or other.startswith(word))


def _exchanged(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """The same sentence with other content words in it, added or exchanged."""
    ours, theirs = language.stems(words(old)), language.stems(words(new))
    share = 2 * _common_in_order(ours, theirs) / ((len(ours) + len(theirs)) or 1)
    one, other = _content(old, language), _content(new, language)
    only_ours, only_theirs = sorted(one - other), sorted(other - one)
    if share >= _SAME_SENTENCE and (only_ours or only_theirs):
        yield ", ".join(only_ours) or "-", ", ".join(only_theirs) or "-"


def _common_in_order(ours: Sequence[str], theirs: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(theirs) + 1)
    for one in ours:
        diagonal = 0
        for column, other in enumerate(theirs, start=1):
            above = row[column]
            row[column] = diagonal + 1 if one == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


_RULES: Final[dict[str, Callable[[str, str, Language], Iterator[tuple[str, str]]]]] = {
    "number": numbers,
    "qualified": qualified,
    "contrast": contrasts,
    "negation": _negations,
    "asked for": _asked,
    "name": _names,
    "exchanged": _exchanged,
}
RULES: Final = ("background", *_RULES)
"""The kinds of reasons, in the order in which they are given."""


def _content(text: str, language: Language) -> set[str]:
    return set(language.stems([word for word in map(plain_word, words(text)) if word not in language.stopwords]))


def _lower(text: str) -> str:
    return " ".join(text.replace("’", "'").lower().split())  # noqa: RUF001 - the typographic apostrophe is meant
