"""What can go wrong in an evaluation.

AppError
└── EvalError
    ├── DatasetError      a dataset cannot be used or fetched; the message names what is wrong, and file and line
    └── RunError          a finished run, a gate's baseline or a tuning's measurements cannot be read, or do not fit together
"""

from app.errors import AppError


class EvalError(AppError):
    """Base of the errors of this package. The message says what to do."""


class DatasetError(EvalError):
    """A dataset cannot be used or fetched."""


class RunError(EvalError):
    """What an earlier evaluation wrote cannot be read, or does not fit."""
