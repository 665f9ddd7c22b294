"""What can go wrong between a question and its answer.

    AnsweringError
    ├── QuestionError         the question is empty or too long
    ├── ConversationError     the state sent with a follow-up is empty or too long
    ├── UnknownLabelError     no document carries a label that the caller named
    ├── LabelRefusedError     the caller may not claim a label
    ├── NotReadyError         the model or the index is still being opened; asking again soon helps
    ├── OverloadedError       too many questions are being answered or wait; asking again soon helps
    ├── ReviewError           an answer that a person has reviewed cannot be kept as it is
    └── GenerationError       a model call came to nothing; the ladder goes on without it
        ├── EndpointUnavailableError  refused, timed out or overloaded: another try may help
        ├── EndpointRefusedError      wrong key, unknown model, a request that it does not accept
        ├── EndpointGarbledError      what came back is no answer of a model
        └── StreamCutError            the answer broke off

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


class ReviewError(AnsweringError):
    """An answer that a person has reviewed cannot be kept as it is."""


class GenerationError(AnsweringError):
    """A model call came to nothing. `written` is the text that had arrived; `sent` whether the provider may have billed it."""

    def __init__(self, message: str, *, written: str = "", sent: bool = False) -> None:
        super().__init__(message)
        self.written = written
        self.sent = sent


class EndpointUnavailableError(GenerationError):
    """The endpoint refused the connection, timed out, or is overloaded. Another try, or another endpoint, may help.

    `retry_after_s` is how long the provider asked to be left alone, `None` when it did not say.
    """

    def __init__(self, message: str, *, written: str = "", sent: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(message, written=written, sent=sent)
        self.retry_after_s = retry_after_s


class EndpointRefusedError(GenerationError):
    """The endpoint will not serve this: wrong key, unknown model, a request that it does not accept."""


class EndpointGarbledError(GenerationError):
    """What came back is no answer of a model: HTML, an error in a 200, no choices."""


class StreamCutError(GenerationError):
    """The answer broke off before its end."""
