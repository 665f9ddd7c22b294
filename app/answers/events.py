"""What happens while a question is answered, told as it happens and kept for who wants to know why."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Decision(StrEnum):
    """What a step of the ladder decided. Text that was told before a `climb`, `fail` or `abstain` is withdrawn."""

    TRY = "try"
    KEEP = "keep"
    CLIMB = "climb"
    SKIP = "skip"
    FAIL = "fail"
    ABSTAIN = "abstain"


@dataclass(frozen=True, slots=True)
class Step:
    """One step: on which rung, what was decided, and why, for people."""

    rung: str
    decision: Decision
    reason: str


@dataclass(frozen=True, slots=True)
class TextPiece:
    """A piece of a draft's text as the model writes it. The ground check is still to come."""

    text: str


Event: TypeAlias = Step | TextPiece
Listener: TypeAlias = Callable[[Event], None]


def nobody(_: Event) -> None:
    """A listener for who wants only the answer."""
