"""Follow-up questions: what is kept of the question before, and how rules decide whether a question needs it.

The state is small on purpose: the question before, and title and headings of the section that its answer cited first. The names
that a follow-up leaves out stand in them. No transcript is kept, and no model is asked. Names taken from the cited text itself
were tried and changed nothing. `python -m eval.benchmarks.followups` measures what stands here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.answers.characters import usable_text
from app.answers.errors import ConversationError
from indexing.language import Language
from indexing.language.words import words
from indexing.tokens import TokenCounter
from retrieval.passages import Query

MAX_STATE_TOKENS: Final = 120

_MAX_SECTION_TOKENS: Final = MAX_STATE_TOKENS // 2

_SHORT_TERMS: Final = 5
_FEW_TERMS: Final = 3
_VERY_FEW_TERMS: Final = 2

_PRONOUN_NEEDS_WORDS: Final = 2
_THAT_NEEDS_WORDS: Final = 3
_LAST_THAT_NEEDS_WORDS: Final = 5
"""So many content words before a pronoun are likely to hold what it stands for."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a follow-up may lean on.

    `question` is the question before; `title` and `heading_path` (outermost first) are those of the section that its answer cited
    first, empty after an abstention.
    """

    question: str
    title: str = ""
    heading_path: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Everything in it, as it is counted and searched."""
        return "\n".join(part for part in (self.question, self.section) if part)

    @property
    def section(self) -> str:
        """The title and headings alone."""
        return "\n".join(part for part in (self.title, *self.heading_path) if part)


def continue_from(question: str, title: str, heading_path: Sequence[str], counter: TokenCounter) -> Conversation:
    """The state after a question and its answer, cut to `MAX_STATE_TOKENS`.

    Headings go first, the outermost before the others, then the title, until they fill at most half; then the words of the
    question, the first before the others, since people say what they want last.
    """
    conversation = _usable(Conversation(question, title, tuple(heading_path)))
    while conversation.heading_path and counter.count(conversation.section) > _MAX_SECTION_TOKENS:
        conversation = replace(conversation, heading_path=conversation.heading_path[1:])
    if counter.count(conversation.section) > _MAX_SECTION_TOKENS:
        conversation = replace(conversation, title="")
    while counter.count(conversation.text) > MAX_STATE_TOKENS:
        conversation = replace(conversation, question=_without_beginning(conversation.question))
    return conversation


def admit_conversation(conversation: Conversation, counter: TokenCounter) -> Conversation:
    """Check a state as a client sent it, and make it fit to be searched.

    Raises:
        ConversationError: The question before is empty, or all together are longer than `MAX_STATE_TOKENS`.
    """
    admitted = _usable(conversation)
    if not admitted.question:
        raise ConversationError("The conversation has no question. Send the question before this one, or no conversation.")
    tokens = counter.count(admitted.text)
    if tokens > MAX_STATE_TOKENS:
        raise ConversationError(
            f"The conversation has {tokens:,} tokens; the limit is {MAX_STATE_TOKENS}. "
            "Send only the question before this one, shortened if need be, and the title and headings of its first citation."
        )
    return admitted


def resolve(question: str, conversation: Conversation | None, language: Language) -> Query:
    """What is searched for a question: itself alone, or with what was said before as its background.

    The same question and state always give the same query, so that answers can be kept under it.
    """
    if conversation is None or stands_alone(question, language):
        return Query(question)
    return Query(question, background=" ".join(conversation.text.split()))


def stands_alone(question: str, language: Language) -> bool:
    """Whether a question can be understood without the one before it, judged by its words alone.

    It cannot when it opens like the second half of a conversation ("and", "what about"), points back with a pronoun for which it
    has offered nothing to stand for, leaves out the other half of a comparison ("instead"), or names no subject of its own.
    """
    section = "followups"
    plain = language.pattern(section, "it_that_is_a_name", 0).sub("", question).replace("\u2019", "'")
    plain = language.pattern(section, "expletive").sub(" there ", plain)
    content = frozenset(language.terms(question))
    tails = language.terms_of(section, "tails")
    return not (
        language.pattern(section, "continues").search(plain)
        or (len(content) <= _SHORT_TERMS and language.pattern(section, "opens_like_the_rest").search(plain))
        or _points_back(plain, language)
        or (len(content - tails) <= _FEW_TERMS and language.pattern(section, "leaves_out_the_other").search(plain))
        or _names_no_subject(plain, content, language)
    )


def _usable(conversation: Conversation) -> Conversation:
    path = tuple(map(usable_text, conversation.heading_path))
    return Conversation(usable_text(conversation.question), usable_text(conversation.title), path)


def _without_beginning(text: str) -> str:
    """The text without its first word, or where it is a single one, without its first half."""
    _, _, rest = text.partition(" ")
    return rest.strip() or text[(len(text) + 1) // 2 :]


def _points_back(plain: str, language: Language) -> bool:
    """Whether a pronoun comes before the question has said enough for it to stand for."""
    section = "followups"
    if language.pattern(section, "one_of_several").search(plain):
        return True
    for name, needed in (("points_with_that", _THAT_NEEDS_WORDS), ("ends_with_that", _LAST_THAT_NEEDS_WORDS)):
        that = language.pattern(section, name).search(plain)
        if that and _content_words(words(plain[: that.start()]), language) < needed:
            return True
    said, pronouns = words(plain), language.words_of(section, "pronouns")
    first = next((position for position, word in enumerate(said) if word in pronouns), None)
    return first is not None and _content_words(said[:first], language) < _PRONOUN_NEEDS_WORDS


def _names_no_subject(plain: str, content: frozenset[str], language: Language) -> bool:
    section = "followups"
    subject = content - language.terms_of(section, "asked_of_anything")
    if not subject:
        return language.has_vocabulary
    few = len(content) <= _VERY_FEW_TERMS and len(subject) == 1 and language.has_vocabulary
    return few and not language.pattern(section, "asks_what_something_is").search(plain)


def _content_words(said: Sequence[str], language: Language) -> int:
    return sum(word not in language.stopwords for word in said)
