"""Where log lines go."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any

import pytest
import structlog

from app.telemetry import bind_request, configure_command_logging, configure_logging


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def listen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What goes to stderr once logging is set up. Not a fixture: pytest puts a stderr of its own in place before the test."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging()
    return stream


def lines(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


@pytest.fixture(autouse=True)
def _plain_logging() -> Iterator[None]:
    root, unraisable, thread = logging.getLogger(), sys.unraisablehook, threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(False)
    root.handlers[:], root.level = handlers, level
    sys.unraisablehook, threading.excepthook = unraisable, thread


def test_lines_go_to_the_stderr_of_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", first)
    configure_logging()
    log = structlog.get_logger("farthing.test")
    log.info("one", id="a")
    line = json.loads(first.getvalue())
    assert (line["event"], line["id"], line["level"]) == ("one", "a", "info")
    monkeypatch.setattr(sys, "stderr", second)
    first.close()
    log.info("two")
    assert json.loads(second.getvalue())["event"] == "two"


def test_an_exception_of_any_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    written = listen(monkeypatch)
    try:
        int("first\nsecond")
    except ValueError:
        logging.getLogger("some.library").exception("It failed for %s.", "a reason")
    (line,) = lines(written)
    assert (line["event"], line["level"], line["logger"]) == ("It failed for a reason.", "error", "some.library")
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("'first\\nsecond'")
    assert line["timestamp"].endswith("Z")


def test_what_others_say_below_a_warning_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    written = listen(monkeypatch)
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("uvicorn.error").warning("odd")
    structlog.get_logger("farthing.api").debug("small")
    structlog.get_logger("farthing.api").info("asked")
    assert [line["event"] for line in lines(written)] == ["odd", "asked"]


def test_warnings_and_errors_that_nobody_handles_are_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    written = listen(monkeypatch)

    class Bad:
        def __del__(self) -> None:
            raise RuntimeError("in a destructor")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
    Bad()
    thread = threading.Thread(target=lambda: 1 // 0, name="broken")
    thread.start()
    thread.join()
    warned, ignored, ended = lines(written)
    assert "old way" in warned["event"]
    assert "in a destructor" in ignored["exception"]
    assert "broken" in ended["event"]
    assert "ZeroDivisionError" in ended["exception"]


def test_a_line_in_the_wrong_form_is_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    written = listen(monkeypatch)
    logging.getLogger().handlers[:-1] = []  # pytest's own raise
    logging.getLogger("careless").error("%d", "no number")
    (line,) = lines(written)
    assert line["level"] == "error"
    assert "careless" in line["event"]


def test_locals_are_shown_on_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logging()
    question = "How much does Ada earn?"
    try:
        int(f"{len(question)} characters")
    except ValueError:
        structlog.get_logger("farthing.test").exception("failed")
    assert "ValueError" in stream.getvalue()
    assert "Ada" not in stream.getvalue()


@pytest.mark.parametrize("claimed", ["a", "A.b_c-9", "x" * 64])
def test_an_id_that_has_the_form_of_one_is_taken(monkeypatch: pytest.MonkeyPatch, claimed: str) -> None:
    written = listen(monkeypatch)
    assert bind_request(claimed) == claimed
    logging.getLogger("some.library").warning("odd")
    assert lines(written)[0]["request_id"] == claimed


@pytest.mark.parametrize("claimed", [None, "", "x" * 65, "a b", "a\n", 'a"', "é"])
def test_any_other_is_replaced(claimed: str | None) -> None:
    made = bind_request(claimed)
    assert made != claimed
    assert made != bind_request(claimed)
    assert len(made) == 32


def test_the_id_is_bound_in_its_context_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    written = listen(monkeypatch)
    copy_context().run(bind_request, "one")
    logging.getLogger("some.library").warning("odd")
    assert "request_id" not in lines(written)[0]


def test_people_at_a_command_read_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    configure_command_logging()
    logging.getLogger("app.generation").warning("The endpoint %s is down.", "mini")
    logging.getLogger("app.generation").info("small")
    assert stream.getvalue() == "farthing: The endpoint mini is down.\n"
