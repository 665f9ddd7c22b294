"""How long an answer store takes: get, put, counting hits, following changes, claiming; and finding the nearest cached question.

    python -m eval.benchmarks.answer_store [--entries N] [--redis URL]

Without `--redis`, a server of its own is started where `redis-server` is installed. Prints the median and the 99th percentile
of each call, in microseconds.
"""

import argparse
import hashlib
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from app.adapters.disk_answer_store import DiskAnswerStore
from app.adapters.redis_answer_store import RedisAnswerStore
from app.caching.cached_questions import CachedQuestions
from app.caching.entries import CachedAnswer, CitedUnit, EntryKind
from app.caching.store import Hits

_T = TypeVar("_T")

_DIMENSION = 384
_MAX_BYTES = 1_000_000_000


def make_entries(count: int) -> list[CachedAnswer]:
    """Entries of the usual size: three cited units, 1,600 bytes of JSON, a vector of 384 numbers."""
    rows = np.random.default_rng(1).normal(size=(count, _DIMENSION)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    units = tuple(CitedUnit(f"{n:036}", f"{n:064}", f"{n:036}", ("everyone",)) for n in range(3))
    first = CachedAnswer(
        id="0" * 32,
        tenant="default",
        key=bytes(32),
        same_words_key=bytes(32),
        question="How many days of paid leave does a part-time employee have?",
        background="",
        labels=("everyone",),
        kind=EntryKind.ANSWER,
        units=units,
        documents=(),
        passages=(),
        proposable=True,
        generation="20260101-000000-00000000",
        prompt_version="0" * 12,
        profile_version="0" * 12,
        policy_version="0" * 12,
        created_at=time.time(),
        expires_at=time.time() + 86_400,
        cost_usd=Decimal("0.0004"),
        baseline_usd=Decimal("0.001"),
        groundedness=1.0,
        vector=b"",
        body=b"x" * 1600,
    )
    keys = [hashlib.sha256(str(n).encode()).digest() for n in range(count)]
    return [
        replace(first, id=key.hex()[:32], key=key, same_words_key=key, vector=row.tobytes())
        for key, row in zip(keys, rows, strict=True)
    ]


def measure(name: str, call: Callable[[_T], object], arguments: Sequence[_T]) -> None:
    """Print median and 99th percentile of a call, made once with each argument, in microseconds."""
    times_us = []
    for argument in arguments:
        began = time.perf_counter()
        call(argument)
        times_us.append((time.perf_counter() - began) * 1e6)
    print(f"  {name:24} {statistics.median(times_us):9.1f} {statistics.quantiles(times_us, n=100)[98]:9.1f}")


def run(name: str, store: DiskAnswerStore | RedisAnswerStore, entries: list[CachedAnswer]) -> None:
    """Measure one store, which is empty."""
    print(f"\n{name}, {len(entries):,} entries{'':8}  p50 us    p99 us")
    keys = [entry.key for entry in entries]
    strangers = [hashlib.sha256(key).digest() for key in keys]

    def claim_and_release(key: bytes) -> None:
        store.claim(key, 10)
        store.release(key)

    store.get(keys[0])
    measure("put", store.put, entries)
    measure("get", store.get, keys)
    measure("get, a miss", store.get, strangers)
    measure("count a hit", store.add_hits, [{key: Hits(1, Decimal(1))} for key in keys])
    measure("claim and release", claim_and_release, keys)
    questions = CachedQuestions(store)
    began = time.perf_counter()
    questions.refresh()
    print(f"  {'first refresh, ms':24} {(time.perf_counter() - began) * 1e3:9.1f}")
    measure("refresh, nothing new", lambda _: questions.refresh(), keys)
    vectors = [entry.question_vector for entry in entries[:1000]]
    measure("nearest 5", lambda vector: questions.nearest("default", vector, 5), vectors)
    began = time.perf_counter()
    removed = store.clear()
    print(f"  {'clear, ms':24} {(time.perf_counter() - began) * 1e3:9.1f}")
    assert removed == len(entries)
    store.close()


@contextmanager
def redis_url(named: str | None) -> Iterator[str | None]:
    """The server to measure: the named one, one of its own, or none."""
    program = shutil.which("redis-server")
    if named or program is None:
        yield named
        return
    with TemporaryDirectory() as folder:
        place = Path(folder) / "redis.sock"
        command = [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--dir", folder]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while not place.exists():
                time.sleep(0.05)
            yield f"unix://{place}"
            process.terminate()


def main() -> None:
    """Measure both stores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=5_000)
    parser.add_argument("--redis", help="the URL of an empty Redis server")
    arguments = parser.parse_args()
    entries = make_entries(arguments.entries)
    with TemporaryDirectory() as folder:
        run("on disk", DiskAnswerStore(Path(folder) / "answers", _MAX_BYTES), entries)
    with redis_url(arguments.redis) as url:
        if url:
            run("Redis", RedisAnswerStore(url, _MAX_BYTES, 2.0), entries)


if __name__ == "__main__":
    main()
