"""What a person asks."""

import unicodedata
from dataclasses import dataclass

from app.answering.errors import QuestionError


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a person wrote it."""

    text: str


def admit(question: Question, max_characters: int) -> Question:
    """Check a question as it came in, and make it fit to be embedded, searched and echoed.

    White space around it is dropped; control characters other than line breaks and tabs, and halves of characters that no
    encoding can carry, become spaces.

    Raises:
        QuestionError: Nothing is left, or it is longer than `max_characters`.
    """
    if len(question.text) > max_characters:
        raise QuestionError(
            f"The question has {len(question.text):,} characters; the limit is {max_characters:,} "
            "(setting answering.max_question_characters). Ask it in fewer words."
        )
    text = "".join(" " if _unusable(character) else character for character in question.text).strip()
    if not text:
        raise QuestionError("The question is empty. Ask it in a sentence, for example: How many days of leave do I have?")
    return Question(text)


def _unusable(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cs"}
