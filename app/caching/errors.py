"""What can go wrong in the answer cache.

    CachingError
    └── AnswerStoreError      the store cannot be read or written, so that what was ordered has not been done
    AnsweringError
    └── ReviewError           an answer that a person has reviewed cannot be kept as it is

Only orders raise them: showing, dropping, erasing and pinning. Questions go on without the cache and never see one.
Every message says what happened, to what, and what to do. None of them knows about HTTP or exit codes:
`app/api/errors.py` and `app/cli` translate.
"""

from app.errors import AnsweringError


class CachingError(Exception):
    """Base of all errors of this package."""


class AnswerStoreError(CachingError):
    """The store cannot be read or written, so that what was ordered has not been done."""


class ReviewError(AnsweringError):
    """An answer that a person has reviewed cannot be kept as it is."""
