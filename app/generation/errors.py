"""What can go wrong when a model is asked.

AnsweringError
└── GenerationError               a model call came to nothing; the ladder goes on without it
    ├── EndpointUnavailableError  refused, timed out or overloaded: another try may help
    ├── EndpointRefusedError      wrong key, unknown model, a request that it does not accept
    ├── EndpointGarbledError      what came back is no answer of a model
    └── StreamCutError            the answer broke off
"""

from app.errors import AnsweringError


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
