"""Writes and reads a store on disk in a process of its own, which its test watches or kills."""

import random
from decimal import Decimal
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path

from app.adapters.disk_answer_store import DiskAnswerStore
from app.caching.store import Hits
from tests.fakes.answer_store import cached_answer

QUESTIONS = 300


def fill(directory: Path, max_bytes: int, name: str, number: int) -> None:
    """Put entries, and read one's own and others' in between; what is read is whole, or the process fails."""
    store = DiskAnswerStore(directory, max_bytes)
    rng = random.Random(name)
    for n in range(number):
        entry = cached_answer(f"{name} {n}", body=rng.randbytes(rng.randint(100, 8000)))
        store.put(entry)
        for other in "abcd":
            expected = cached_answer(f"{other} {rng.randint(0, n)}")
            found = store.get(expected.key)
            assert found is None or found.question == expected.question
        store.add_hits({entry.key: Hits(1, Decimal("0.001"))})
        store.changes_since(None)
    assert store.usage().faults == 0
    store.close()


def work_for_ever(directory: Path, seed: int, ready: Connection) -> None:
    """Everything a service does with a store, until somebody kills it. Says when it has begun."""
    store = DiskAnswerStore(directory, 300_000)
    rng = random.Random(seed)
    for number in count():
        question = f"question {rng.randrange(QUESTIONS)}"
        entry = cached_answer(question, number=number, body=question.encode() * rng.randint(1, 600))
        store.put(entry)
        if number == 0:
            ready.send_bytes(b"begun")
        store.add_hits({entry.key: Hits(1, Decimal("0.001"))})
        store.claim(entry.key, 0.2)
        if number % 7 == 0:
            store.remove([entry.key])
