"""How far long work is, drawn on stderr."""

from collections.abc import Mapping
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from app.cli.rendering import complain


class ProgressBar:
    """Shows how far long work is, on a terminal; elsewhere it says nothing. `phases` gives each phase its words."""

    def __init__(self, out: Console, phases: Mapping[str, str]) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=out, transient=True, disable=not out.is_terminal)
        self._phases = phases
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, phase: str, done: int, total: int | None) -> None:
        """Say how much of a phase is done."""
        if phase not in self._tasks:
            self._tasks[phase] = self._bar.add_task(self._phases[phase], total=total)
        self._bar.update(self._tasks[phase], completed=done, total=total)

    def say(self, words: str) -> None:
        """Tell the person something meanwhile."""
        complain(words)
