"""Questions while they are answered: each in a thread of its own, which the event loop hears from."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import TypeAlias

from app.answers.answers import Answer
from app.answers.events import Event, Listener
from app.api.errors import StoppingError

Happening: TypeAlias = Event | Answer | Exception
"""What is heard of an answer while it is made; the answer itself, or what went wrong, comes last."""


class OpenAnswer:
    """One answer while it is made. For the event loop's thread."""

    def __init__(self) -> None:
        self._happenings: asyncio.Queue[Happening] = asyncio.Queue()
        self._ended = asyncio.Event()

    async def next(self) -> Happening:
        """What happens next."""
        return await self._happenings.get()

    async def result(self) -> Answer:
        """The answer. Raises what went wrong."""
        while True:
            happening = await self.next()
            if isinstance(happening, Exception):
                raise happening
            if isinstance(happening, Answer):
                return happening

    async def ended(self) -> None:
        """Wait until it has been made, and settled."""
        await self._ended.wait()

    def tell(self, happening: Happening) -> None:
        """Let whoever waits for it know."""
        self._happenings.put_nowait(happening)

    def end(self, happening: Happening) -> None:
        """Tell the last that happens."""
        self.tell(happening)
        self._ended.set()


class OpenAnswers:
    """All answers that are being made. For the event loop's thread.

    An answer is finished whether or not its caller still waits for it, so that everything that was generated is billed. The
    threads do not keep the process from ending: what a model that hangs has not settled by then is settled by the next process.
    """

    def __init__(self) -> None:
        self._open: set[OpenAnswer] = set()
        self._stopping = threading.Event()

    def begin(self, ask: Callable[[Listener], Answer]) -> OpenAnswer:
        """Answer a question in a thread, in the context of the caller. `ask` answers it, telling the listener each step."""
        loop, answer = asyncio.get_running_loop(), OpenAnswer()

        def in_loop(call: Callable[[Happening], None], happening: Happening) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                loop.call_soon_threadsafe(call, happening)

        def listen(event: Event) -> None:
            if self._stopping.is_set():
                raise StoppingError
            in_loop(answer.tell, event)

        def close(happening: Happening) -> None:
            self._open.discard(answer)
            answer.end(happening)

        def work() -> None:
            try:
                end: Happening = ask(listen)
            except Exception as error:  # noqa: BLE001 - it is the caller's, who waits on the other side of the queue
                end = error
            in_loop(close, end)

        self._open.add(answer)
        threading.Thread(target=copy_context().run, args=(work,), name="ask", daemon=True).start()
        return answer

    def stop(self) -> None:
        """Tell everybody who waits that the service stops, and end each answer at its next step or piece of text."""
        self._stopping.set()
        for answer in self._open:
            answer.tell(StoppingError())

    async def stopped(self, limit_s: float) -> None:
        """Wait until all answers have been settled, but not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                for answer in list(self._open):
                    await answer.ended()
