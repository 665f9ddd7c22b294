"""What a person asks."""

from dataclasses import dataclass, replace

from app.answers.characters import usable_text
from app.answers.conversation import Conversation
from app.answers.errors import QuestionError


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a person wrote it. `conversation` is what came before; `None` for the first question."""

    text: str
    conversation: Conversation | None = None


def admit(question: Question, max_characters: int) -> Question:
    """Check a question as it came in, and make it fit to be embedded, searched and echoed. The conversation is left as it is.

    Raises:
        QuestionError: Nothing is left, or it is longer than `max_characters`.
    """
    if len(question.text) > max_characters:
        raise QuestionError(
            f"The question has {len(question.text):,} characters; the limit is {max_characters:,} "
            "(setting answering.max_question_characters). Ask it in fewer words."
        )
    text = usable_text(question.text)
    if not text:
        raise QuestionError("The question is empty. Ask it in a sentence, for example: How many days of leave do I have?")
    return replace(question, text=text)
