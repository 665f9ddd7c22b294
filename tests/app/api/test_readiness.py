"""Getting ready in the background, whatever the first attempts meet."""

import time
from collections.abc import Callable

import pytest

from app.api import readiness
from app.api.errors import NotReadyError
from app.api.readiness import Readiness
from indexing.errors import IndexMissingError


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize(
    "met", [IndexMissingError("Nothing has been indexed yet."), OSError("Too many open files"), RuntimeError("a fault")]
)
def test_an_attempt_that_fails_says_why_and_the_next_one_may_succeed(met: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_TRY_AGAIN_AFTER_S", 0.01)
    attempts: list[Exception | None] = [met, met, None]
    heard: list[Exception] = []

    def warm_up() -> None:
        try:
            ready.require()
        except Exception as error:  # noqa: BLE001 - what callers hear meanwhile
            heard.append(error)
        if error := attempts.pop(0):
            raise error

    ready = Readiness(warm_up)
    ready.start()
    until(lambda: not attempts)
    until(lambda: ready._attempts.runs is False)
    ready.require()
    assert isinstance(heard[0], NotReadyError)
    assert heard[1:] == [met, met]
