"""Parses documents in a subprocess of limited memory and time, which is replaced when a document breaks it."""

import json
import math
import os
import selectors
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from indexing.adapters.formats import FORMATS, suffix_of
from indexing.adapters.parser_worker import ANSWER_HEADER, DOCUMENT, OUT_OF_MEMORY, READY, REQUEST_HEADER, SKIPPED, TOO_LONG
from indexing.documents import RawDocument, parse_labels
from indexing.errors import LabelError, ParsingError
from indexing.parsing import ParsedDocument
from indexing.sources import Skipped

_OWN_VERSION: Final = "2"
_LIBRARIES: Final = (
    "beautifulsoup4", "docutils", "lxml", "mammoth", "markdownify", "openpyxl", "pypdfium2", "python-pptx", "PyYAML",
)  # fmt: skip
_MIB: Final = 1024 * 1024
_ANSWER_LIMIT_BYTES: Final = 64 * _MIB
_START_LIMIT_S: Final = 30.0
_END_LIMIT_S: Final = 1.0
_PIPE_BYTES: Final = 65_536

_PLACE: Final = str(Path(__file__).resolve().parents[2])
_START: Final = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); import indexing; del sys.path[0]; "
    "from indexing.adapters.parser_worker import main; main()"
)
"""Starts the worker of this package, whichever one is installed. Beside it, nothing is taken from its folder."""


class SubprocessParser:
    """Turns documents into Markdown in one subprocess that starts with the first of them and serves until `close`.

    A document that needs more memory than `memory_limit_bytes` or more time than `time_limit_s`, or that crashes the parser,
    comes back as skipped, and a fresh subprocess takes the next. So does one of more than `max_file_bytes`, unparsed.
    """

    def __init__(
        self, *, memory_limit_bytes: int = 1024 * _MIB, time_limit_s: float = 20.0, max_file_bytes: int = 50 * _MIB
    ) -> None:
        self._memory_limit_bytes = memory_limit_bytes
        self._time_limit_s = time_limit_s
        self._max_file_bytes = max_file_bytes
        self._worker: WorkerProcess | None = None

    @property
    def version(self) -> str:
        """Our own version of the conversion, and those of the libraries that do it."""
        return " ".join([_OWN_VERSION, *(f"{library}={version(library)}" for library in _LIBRARIES)])

    def parse(self, documents: Iterable[RawDocument]) -> Iterator[tuple[RawDocument, ParsedDocument | Skipped]]:
        """Parse documents one by one, in order; each comes back with its Markdown, or with the reason why there is none.

        Raises:
            ParsingError: The subprocess cannot be started at all, which is no document's fault.
        """
        for document in documents:
            try:
                yield document, self._parse(document)
            except _DocumentError as exc:
                yield document, Skipped(document.path, str(exc))

    def close(self) -> None:
        """End the subprocess."""
        if self._worker is not None:
            self._worker.end()
            self._worker = None

    def _discard(self) -> None:
        if self._worker is not None:
            self._worker.end(by_force=True)
            self._worker = None

    def _parse(self, document: RawDocument) -> ParsedDocument:
        suffix = suffix_of(document.path)
        if suffix not in FORMATS:
            raise _DocumentError(
                f"there is no parser for {suffix or 'files without a suffix'}; convert it to PDF, DOCX or Markdown"
            )
        if len(document.content) > self._max_file_bytes:
            raise _DocumentError(
                f"too large: {len(document.content) / _MIB:,.1f} MiB; at most {self._max_file_bytes / _MIB:,.1f} MiB are parsed"
            )
        if not document.content.strip():
            raise _DocumentError("empty: there is no text in it")
        name = suffix.encode()
        request = b"".join((REQUEST_HEADER.pack(len(name), len(document.content)), name, document.content))
        answer = self._ask(request)
        if OUT_OF_MEMORY in answer:
            self.close()
            raise _DocumentError(f"the parser needed more than {_size(self._memory_limit_bytes)} of memory")
        if TOO_LONG in answer:
            raise _DocumentError(f"too large: its text has more than {_size(_ANSWER_LIMIT_BYTES)}")
        if SKIPPED in answer:
            raise _DocumentError(str(answer[SKIPPED]))
        try:
            return _document(answer)
        except _DocumentError:
            self._discard()
            raise

    def _ask(self, request: bytes) -> dict[str, Any]:
        """Exchange one request for one answer. A worker that fails after other documents is given one more try, afresh."""
        fresh = self._worker is None
        worker = self._worker or self._start()
        try:
            answer = _decode(worker.exchange(request, self._time_limit_s, _ANSWER_LIMIT_BYTES))
        except _WorkerTimeError as exc:
            self._discard()
            raise _DocumentError(f"parsing it took longer than {self._time_limit_s:g} s") from exc
        except _WorkerLostError as exc:
            self._discard()
            if not fresh:
                return self._ask(request)
            # PDFium ends the process when an allocation fails, so that the limit shows as a crash.
            limit = _size(self._memory_limit_bytes)
            raise _DocumentError(
                f"the parser broke down on it ({exc}): it is damaged, or needs more than {limit} of memory"
            ) from exc
        except BaseException:
            # Ctrl-C included: an answer that comes late must not be taken for the next document's.
            self._discard()
            raise
        if OUT_OF_MEMORY in answer and not fresh:
            self.close()
            return self._ask(request)
        return answer

    def _start(self) -> "WorkerProcess":
        limits = (self._memory_limit_bytes, math.ceil(self._time_limit_s), _ANSWER_LIMIT_BYTES)
        # -I: neither the working directory nor the environment may slip a module of their own in; -B: nothing is written.
        command = [sys.executable, "-I", "-B", "-c", _START, _PLACE, *map(str, limits)]
        worker = WorkerProcess(command)
        try:
            ready = READY in _decode(worker.exchange(b"", _START_LIMIT_S, _ANSWER_LIMIT_BYTES))
        except (_WorkerLostError, _WorkerTimeError, _DocumentError) as exc:
            worker.end(by_force=True)
            raise ParsingError(f"the parser subprocess does not start ({exc}); run `{shlex.join(command)}` to see why") from exc
        if not ready:
            worker.end(by_force=True)
            raise ParsingError(f"the parser subprocess does not start as it should; run `{shlex.join(command)}` to see why")
        self._worker = worker
        return worker


class WorkerProcess:
    """A subprocess that answers framed requests, and is never waited for longer than agreed."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries quote documents in their warnings
            bufsize=0,
            env={"LANG": "C.UTF-8"},  # no keys or passwords of ours for a parser that was taken over
            start_new_session=True,  # Ctrl-C is for the parent alone, which then ends this
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        os.set_blocking(self._stdin.fileno(), False)
        os.set_blocking(self._stdout.fileno(), False)

    def exchange(self, request: bytes, time_limit_s: float, answer_limit_bytes: int) -> bytes:
        """Send a request, if it is not empty, and wait for one answer."""
        deadline = time.monotonic() + time_limit_s
        self._write(request, deadline)
        (length,) = ANSWER_HEADER.unpack(self._read(ANSWER_HEADER.size, deadline))
        if length > answer_limit_bytes:
            raise _WorkerLostError(f"an answer of more than {_size(answer_limit_bytes)}")
        return self._read(length, deadline)

    def end(self, *, by_force: bool = False) -> None:
        """End the process, by force if it is told to or does not go by itself soon."""
        self._stdin.close()
        self._stdout.close()
        if by_force:
            self._process.kill()
        try:
            self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self, request: bytes, deadline: float) -> None:
        rest = memoryview(request)
        while rest:
            _wait(self._stdin.fileno(), selectors.EVENT_WRITE, deadline)
            try:
                rest = rest[os.write(self._stdin.fileno(), rest[:_PIPE_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError as exc:
                raise self._lost() from exc

    def _read(self, length: int, deadline: float) -> bytes:
        answer = bytearray()
        while len(answer) < length:
            _wait(self._stdout.fileno(), selectors.EVENT_READ, deadline)
            try:
                piece = os.read(self._stdout.fileno(), min(length - len(answer), _MIB))
            except BlockingIOError:
                continue
            if not piece:
                raise self._lost()
            answer += piece
        return bytes(answer)

    def _lost(self) -> "_WorkerLostError":
        try:
            status = self._process.wait(_END_LIMIT_S)
        except subprocess.TimeoutExpired:
            return _WorkerLostError("it stopped answering")
        return _WorkerLostError(signal.Signals(-status).name if status < 0 else f"exit status {status}")


class _DocumentError(Exception):
    """This document cannot be parsed; the words are the reason."""


class _WorkerTimeError(Exception):
    """No answer within the time limit."""


class _WorkerLostError(Exception):
    """The subprocess ended, or broke the protocol."""


def _wait(descriptor: int, event: int, deadline: float) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, event)
        if not selector.select(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
            raise _WorkerTimeError("no answer in time")


def _decode(frame: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(frame)
    except (ValueError, RecursionError) as exc:
        raise _DocumentError("the parser gave an answer that cannot be read; it may be hostile") from exc
    return answer if isinstance(answer, dict) else {}


def _document(answer: dict[str, Any]) -> ParsedDocument:
    """Check what came from the subprocess, which a hostile document may have taken over."""
    match answer.get(DOCUMENT):
        case {
            "markdown": str(markdown),
            "title": str() | None as title,
            "first_line": int() | None as first_line,
            "labels": list() | None as labels,
            "keywords": str(keywords),
        }:
            try:
                "".join((markdown, title or "", keywords)).encode()  # half of a surrogate pair is no text
                return ParsedDocument(markdown, title, first_line, None if labels is None else parse_labels(labels), keywords)
            except (UnicodeEncodeError, LabelError) as exc:
                raise _DocumentError("the parser gave an answer that cannot be used; it may be hostile") from exc
    raise _DocumentError("the parser gave an answer that cannot be understood; it may be hostile")


def _size(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / _MIB:g} GiB" if size_bytes >= 1024 * _MIB else f"{size_bytes / _MIB:g} MiB"
