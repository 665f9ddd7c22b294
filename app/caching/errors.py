"""What can go wrong in the answer cache.

    CachingError
    └── AnswerStoreError      the store cannot be read or written, so that what was ordered has not been done

Only orders raise them: showing, dropping and erasing. Questions go on without the cache and never see one.
Every message says what happened, to what, and what to do. None of them knows about HTTP or exit codes:
`app/api/errors.py` and `app/cli` translate.
"""


class CachingError(Exception):
    """Base of all errors of this package."""


class AnswerStoreError(CachingError):
    """The store cannot be read or written, so that what was ordered has not been done."""
