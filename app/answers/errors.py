"""What can go wrong with what is asked.

AnsweringError
├── QuestionError         the question is empty or too long
└── ConversationError     the state sent with a follow-up is empty or too long
"""

from app.errors import AnsweringError


class QuestionError(AnsweringError):
    """The question is empty or too long."""


class ConversationError(AnsweringError):
    """The state sent with a follow-up is empty or too long."""
