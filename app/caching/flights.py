"""Identical questions in flight share one computation: in this process by waiting for it, between processes by a lease."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from app.answers.answers import Answer
from app.caching.store import FlightLeases

_LEASE_S: Final = 60.0
"""How long another process is waited for at most; one that died blocks nobody for longer."""

_LOOK_EVERY_S: Final = 0.05


@dataclass(slots=True)
class Flight:
    """One computation under way. Its `answer` is there once it has landed, `None` when it came to nothing."""

    landed: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None


class Flights:
    """Who computes. Safe to use from several threads.

    Args:
        leases: Agrees with other processes; `None` where an answer costs too little to wait for one.
    """

    def __init__(self, leases: FlightLeases | None) -> None:
        self._leases = leases
        self._lock = threading.Lock()
        self._flights: dict[bytes, Flight] = {}

    def board(self, key: bytes) -> tuple[Flight, bool]:
        """The flight for a key, and whether the caller is the one to fly it; he must then `land` it, whatever happens."""
        with self._lock:
            known = self._flights.get(key)
            if known:
                return known, False
            flight = self._flights[key] = Flight()
            return flight, True

    def land(self, key: bytes, flight: Flight, answer: Answer | None) -> None:
        """End a flight, and give those who wait for it its answer."""
        with self._lock:
            del self._flights[key]
        flight.answer = answer
        flight.landed.set()

    @contextmanager
    def alone(self, key: bytes, arrived: Callable[[], bool]) -> Iterator[None]:
        """Hold the lease of a key. Where another process has it, wait until its answer has `arrived`, or the lease ends."""
        if self._leases is None:
            yield
            return
        until = time.monotonic() + _LEASE_S
        claimed = self._leases.claim(key, _LEASE_S)
        while not claimed and time.monotonic() < until and not arrived():
            time.sleep(_LOOK_EVERY_S)
            claimed = self._leases.claim(key, _LEASE_S)
        try:
            yield
        finally:
            if claimed:
                self._leases.release(key)
