"""Words of two questions that exclude one another: "turn on" and "turn off", "manager" and "intern", "May" and "June"."""

from collections.abc import Iterator

from indexing.language import Language
from indexing.language.contrasts import line_of
from indexing.language.words import words


def contrasts(old: str, new: str, language: Language) -> Iterator[tuple[str, str]]:
    """Words of the language's list that exclude one another."""
    known = language.contrasts
    ours, theirs = _sides(old, language), _sides(new, language)
    for line, kind in enumerate(known.kinds):
        one, other = ([side for side in sides if line_of(side) == line] for sides in (ours, theirs))
        if one and other and not set(one) & set(other):
            yield f"{known.names[one[0]]} ({kind})", known.names[other[0]]


def with_months_told(text: str, language: Language) -> str:
    """A text in which a month that looks like a verb is told from it."""
    told = language.section("around_quantities").get("month_like_a_verb_read")
    return language.pattern("around_quantities", "month_like_a_verb", 0).sub(told, text) if told else text


def _sides(text: str, language: Language) -> list[int]:
    """The sides that a text has words of, in order."""
    said = [word.removesuffix("'s") for word in words(with_months_told(text.replace("-", " "), language))]
    return language.contrasts.sides(said)
