"""Follow-up questions: what is kept of the question before, and how rules decide whether a question needs it.

The state is small on purpose: the question before, and title and headings of the section that its answer cited first. The names
that a follow-up leaves out stand in them. No transcript is kept, and no model is asked. Names taken from the cited text itself
were tried and changed nothing. `python -m eval.benchmarks.followups` measures what stands here.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.answers.characters import usable_text
from app.answers.errors import ConversationError
from indexing.tokens import TokenCounter
from indexing.words import STOPWORDS, terms, words
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

_POLITE: Final = r"^\W*(?:(?:ok(?:ay)?|great|thanks?(?: you)?|oh|hm+|well|right|i see|sure|cool|wow|yes|no)\b[\s,.!]*)*"
_CONTINUES: Final = re.compile(
    _POLITE + r"(?:what about|how about|how come|why not|(?:the )?same (?:for|with)|in that case|if (?:so|not)|i meant?|you mean|"
    r"do you mean|(?:what|who|where|anything|anyone) else)\b",
    re.IGNORECASE,
)
_OPENS_LIKE_THE_REST: Final = re.compile(
    _POLITE + r"(?:and|but|or|then|also|so|plus|otherwise|instead|even if|what if|not)\b", re.IGNORECASE
)

_ACRONYM_IT: Final = re.compile(r"\bIT\b")
_EXPLETIVE: Final = re.compile(
    r"\b(?:(?:is|was|isn't|wasn't) it|it's|it is|it)\s+(?:(?:not|still|already|even|really|ever|too)\s+)*"
    r"(?:ok(?:ay)?|fine|al+ ?right|possible|allowed|permitted|legal|true|necessary|required|mandatory|acceptable|safe|better|"
    r"best|worth|late|common|normal|hard|easy|rains?|snows?|\d\w*)\b"
    r"|\bit (?:takes?|costs?)\b.*\bto\b",
    re.IGNORECASE,
)
"""An "it" that stands for nothing: "is it allowed to", "how long does it take to"."""

_PRONOUNS: Final = frozenset(
    """
    it its it's it'll itself they them their theirs they're they've they'll themselves he him his she her hers these those
    """.split()
)
_AUXILIARY: Final = r"(?:is|was|are|were|does|did|do|can|could|will|would|should|has|have|(?:when|what|how|who|why|where)'?s)"
_POINTS_WITH_THAT: Final = re.compile(
    rf"(?:^\W*|\b{_AUXILIARY} )(?:that|this)\b(?! (?:year|week|month|quarter|morning|company|handbook|organi[sz]ation)\b)"
    r"|\b(?:that|this)(?= (?:to|in|on|for|from|with|by|at|under|of|happen\w*|work|too|also|again)\b)",
    re.IGNORECASE,
)
_ENDS_WITH_THAT: Final = re.compile(
    r"\b(?:that|this)(?: (?:to|in|on|for|from|with|by|at|under|of))?\s*(?:$|[?.!,;:])", re.IGNORECASE
)
_ONE_OF_SEVERAL: Final = re.compile(
    r"\b(?:(?:that|this|other|next|last|first|second|new|old) ones?|the \w+ ones|the one (?:after|before|above|below)|mine|"
    r"the (?:latter|former))\b",
    re.IGNORECASE,
)

_TAILS: Final = "instead|else|too|as well|either|afterwards?|first|then|again|otherwise|later|though|next|anyway|still"
_LEAVES_OUT_THE_OTHER: Final = re.compile(rf"\b(?:{_TAILS})\W*$", re.IGNORECASE)
_TAIL_TERMS: Final = frozenset(terms(_TAILS.replace("|", " ")))

_ASKS_WHAT_SOMETHING_IS: Final = re.compile(
    r"^\W*(?:what(?:'s|s| is| are| does| do)|who(?:'s| is| are)|define|explain|tell me about)\b", re.IGNORECASE
)
_ASKED_OF_ANYTHING: Final = frozenset(
    terms(
        """
        number phone telephone email address hour day week month year time long cost price fee rate limit amount deadline date
        link form process step way kind type example reason difference list people person name call dial reserve decide pay paid
        work happen start finish done detail info information maximum minimum max min average total requirement rule benefit
        advantage disadvantage popular similar different better best good bad great important possible required available enough
        approve approval sign file submit send contact ask tell apply eligible qualify free award old age big size new first last
        next charge bill include question answer
        """
    )
)
"""Words that are asked of any subject, and so name none."""


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


def resolve(question: str, conversation: Conversation | None) -> Query:
    """What is searched for a question: itself alone, or with what was said before as its background.

    The same question and state always give the same query, so that answers can be kept under it.
    """
    if conversation is None or stands_alone(question):
        return Query(question)
    return Query(question, background=" ".join(conversation.text.split()))


def stands_alone(question: str) -> bool:
    """Whether a question can be understood without the one before it, judged by its words alone.

    It cannot when it opens like the second half of a conversation ("and", "what about"), points back with a pronoun for which it
    has offered nothing to stand for, leaves out the other half of a comparison ("instead"), or names no subject of its own.
    """
    plain = _EXPLETIVE.sub(" there ", _ACRONYM_IT.sub("", question).replace("\u2019", "'"))
    content = frozenset(terms(question))
    return not (
        _CONTINUES.search(plain)
        or (len(content) <= _SHORT_TERMS and _OPENS_LIKE_THE_REST.search(plain))
        or _points_back(plain)
        or (len(content - _TAIL_TERMS) <= _FEW_TERMS and _LEAVES_OUT_THE_OTHER.search(plain))
        or _names_no_subject(plain, content)
    )


def _usable(conversation: Conversation) -> Conversation:
    path = tuple(map(usable_text, conversation.heading_path))
    return Conversation(usable_text(conversation.question), usable_text(conversation.title), path)


def _without_beginning(text: str) -> str:
    """The text without its first word, or where it is a single one, without its first half."""
    _, _, rest = text.partition(" ")
    return rest.strip() or text[(len(text) + 1) // 2 :]


def _points_back(plain: str) -> bool:
    """Whether a pronoun comes before the question has said enough for it to stand for."""
    if _ONE_OF_SEVERAL.search(plain):
        return True
    for pattern, needed in ((_POINTS_WITH_THAT, _THAT_NEEDS_WORDS), (_ENDS_WITH_THAT, _LAST_THAT_NEEDS_WORDS)):
        that = pattern.search(plain)
        if that and _content_words(words(plain[: that.start()])) < needed:
            return True
    said = words(plain)
    first = next((position for position, word in enumerate(said) if word in _PRONOUNS), None)
    return first is not None and _content_words(said[:first]) < _PRONOUN_NEEDS_WORDS


def _names_no_subject(plain: str, content: frozenset[str]) -> bool:
    subject = content - _ASKED_OF_ANYTHING
    if not subject:
        return True
    return len(content) <= _VERY_FEW_TERMS and len(subject) == 1 and not _ASKS_WHAT_SOMETHING_IS.search(plain)


def _content_words(said: Sequence[str]) -> int:
    return sum(word not in STOPWORDS for word in said)
