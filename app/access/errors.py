"""What can go wrong with who asks.

AnsweringError
├── UnknownLabelError     no document carries a label that the caller named
└── LabelRefusedError     the caller may not claim a label
"""

from app.errors import AnsweringError


class UnknownLabelError(AnsweringError):
    """No document of the index carries a label that the caller named."""


class LabelRefusedError(AnsweringError):
    """The caller may not claim a label."""
