"""What can go wrong between a question and its answer.

    AnsweringError
    ├── QuestionError         the question is empty or too long
    ├── ConversationError     the state sent with a follow-up is empty or too long
    ├── UnknownLabelError     no document carries a label that the caller named
    ├── LabelRefusedError     the caller may not claim a label
    ├── NotReadyError         the model or the index is still being opened; asking again soon helps
    └── OverloadedError       too many questions are being answered or wait; asking again soon helps

Every message says what happened, to what, and what to do. None of them knows about HTTP or exit codes:
`app/api/errors.py` and `app/cli` translate.
"""


class AnsweringError(Exception):
    """Base of all errors of this package."""


class QuestionError(AnsweringError):
    """The question is empty or too long."""


class ConversationError(AnsweringError):
    """The state sent with a follow-up is empty or too long."""


class UnknownLabelError(AnsweringError):
    """No document of the index carries a label that the caller named."""


class LabelRefusedError(AnsweringError):
    """The caller may not claim a label."""


class NotReadyError(AnsweringError):
    """The model or the index is still being opened."""


class OverloadedError(AnsweringError):
    """Too many questions are being answered or wait."""
