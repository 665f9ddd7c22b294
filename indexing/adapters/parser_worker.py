"""The subprocess in which documents are parsed: it takes one at a time, under limits, and trusts none.

`parser_process` starts it, with MEMORY_BYTES TIME_S ANSWER_BYTES. Requests come on standard input:
lengths of suffix and content, then both. Answers go to what was standard output: a length, then JSON. Nothing else is
written anywhere, so that no text of a document gets into a log.
"""

import importlib
import json
import logging
import math
import os
import resource
import struct
import sys
import warnings
from dataclasses import asdict
from typing import Any, BinaryIO, Final

from indexing.adapters.formats import FORMATS
from indexing.errors import ParsingError
from indexing.parsing import ParsedDocument

REQUEST_HEADER: Final = struct.Struct(">II")
"""Lengths in bytes of the suffix and of the content that follow."""

ANSWER_HEADER: Final = struct.Struct(">I")
"""Length in bytes of the JSON object that follows."""

READY: Final = "ready"
DOCUMENT: Final = "document"
SKIPPED: Final = "skipped"
OUT_OF_MEMORY: Final = "out_of_memory"
TOO_LONG: Final = "too_long"

_MAX_OPEN_FILES: Final = 64


def main() -> None:
    """Serve until standard input ends."""
    memory_limit_bytes, time_limit_s, answer_limit_bytes = (int(argument) for argument in sys.argv[1:4])
    requests, answers = _private_streams()
    _limit(memory_limit_bytes)
    warnings.simplefilter("ignore")
    logging.disable()
    # openpyxl would load numpy if it can, which costs time and, on machines with many cores, most of the memory limit.
    sys.modules["numpy"] = None  # type: ignore[assignment] # how Python marks a module that must not be imported
    _send(answers, {READY: True}, answer_limit_bytes)
    while header := requests.read(REQUEST_HEADER.size):
        suffix_bytes, content_bytes = REQUEST_HEADER.unpack(header)
        _limit_processor_time(time_limit_s)
        try:
            _send(answers, _answer(requests.read(suffix_bytes).decode(), requests.read(content_bytes)), answer_limit_bytes)
        except MemoryError:
            _send(answers, {OUT_OF_MEMORY: True}, answer_limit_bytes)
            return  # what a failed allocation left behind is anybody's guess; a fresh process takes over


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Take the pipes for ourselves: a library that prints, or reads standard input, must not get between the frames."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    return requests, answers


def _limit(memory_limit_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    if sys.platform != "darwin":  # macOS knows this limit but refuses to set it
        resource.setrlimit(resource.RLIMIT_AS, (memory_limit_bytes, memory_limit_bytes))


def _limit_processor_time(time_limit_s: int) -> None:
    """Let the kernel end a document that runs on after the parent, which keeps the time, has died."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(used.ru_utime + used.ru_stime) + time_limit_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


def _answer(suffix: str, content: bytes) -> dict[str, Any]:
    """Parse one document. The reasons for skipping name the kind of a fault, never the text at which it happened."""
    try:
        parser = importlib.import_module(f"indexing.adapters.formats.{FORMATS[suffix]}")
        document: ParsedDocument = parser.parse(content)
    except ParsingError as exc:
        return {SKIPPED: str(exc)}
    except MemoryError:
        raise
    except RecursionError:
        return {SKIPPED: "its parts are nested too deeply to be read"}
    except Exception as exc:  # noqa: BLE001 - whatever a library raises on hostile bytes costs this document only
        return {SKIPPED: f"damaged, or not what its suffix {suffix} says: the parser gave up ({type(exc).__name__})"}
    return {DOCUMENT: asdict(document)}


def _send(answers: BinaryIO, answer: dict[str, Any], limit_bytes: int) -> None:
    frame = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
    if len(frame) > limit_bytes:
        frame = json.dumps({TOO_LONG: True}).encode()
    answers.write(ANSWER_HEADER.pack(len(frame)))
    answers.write(frame)
    answers.flush()
