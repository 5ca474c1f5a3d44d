"""One answer as its server and its middlewares see it: each write, by which task, and who began it."""

from __future__ import annotations

import asyncio
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextvars import copy_context
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from driving import run_asyncio, run_trio
from sse_bridge import Summary
from sse_bridge.drivers.anyio import Writer
from sse_bridge.options import Options

PATIENCE = 5.0
DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"

Send = Callable[[bytes], Awaitable[None]]


async def turns(number: int = 12) -> None:
    """So many turns of the loop: whoever was woken sleeps again."""
    for _ in range(number):
        await anyio.lowlevel.checkpoint()


async def lone(*chunks: Any) -> AsyncIterator[Any]:
    """Each chunk alone: before the next one its writer sleeps again."""
    for chunk in chunks:
        yield chunk
        await turns()


class Answer:
    """Drives a source; `send` is called with each write, and with b"" for the start and the end."""

    def __init__(self, send: Send | None = None) -> None:
        self.writes: list[bytes] = []
        self.in_stead: list[bytes] = []  # those that were not begun by the request's own task
        self.tasks: set[int] = set()
        self.summaries: list[Summary] = []
        self.steps = 0  # of the request's task
        self.is_over = False  # the end of the body was sent
        self.is_stepped = False
        self._send = send
        self.writer: Writer | None = None
        self._left: anyio.Event | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.writes)

    @property
    def summary(self) -> Summary:
        """The one that `on_end` was called with."""
        [summary] = self.summaries
        return summary

    @property
    def pipe(self) -> Any:
        assert self.writer is not None, "it is driven"
        return self.writer.connection.pipe

    async def drive(self, source: Any, **options: Any) -> None:
        self._left = anyio.Event()
        options = {"on_end": self.summaries.append, **options}
        self.writer = writer = Writer(
            source, Options(**options), copy_context(), self._begin, self._write
        )
        try:
            await _watched(writer.run(self._receive), self)
        finally:
            self.writer = None  # breaks the cycle of this and its methods

    def hang_up(self) -> None:
        assert self._left is not None, "it is driven"
        self._left.set()

    async def _receive(self) -> dict[str, Any]:
        assert self._left is not None
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _begin(self) -> None:
        self._note()
        if self._send is not None:
            await self._send(b"")

    async def _write(self, data: bytes, more: bool) -> None:
        self._note()
        if not self.is_stepped:
            self.in_stead.append(data)
        if self._send is not None:
            await self._send(data)
        self._note()
        self.writes.append(data)
        self.is_over = not more

    def _note(self) -> None:
        self.tasks.add(anyio.get_current_task().id)


@types.coroutine
def _watched(coroutine: Coroutine[Any, Any, None], answer: Answer) -> Generator[Any, Any, None]:
    """Run it, and have the answer know while it is stepped."""
    resume: Callable[[Any], Any] = coroutine.send
    sent: Any = None
    while True:
        answer.is_stepped, answer.steps = True, answer.steps + 1
        try:
            waits_for = resume(sent)
        except StopIteration:
            return
        finally:
            answer.is_stepped, sent = False, None
        try:
            resume, sent = coroutine.send, (yield waits_for)
        except BaseException as error:
            resume, sent = coroutine.throw, error


# -- ways to send, and loops to do it in ----------------------------------------------------------

both_loops = pytest.mark.parametrize("run", [run_asyncio, run_trio], ids=["asyncio", "trio"])


async def quick(data: bytes) -> None:
    """A send that does not wait."""


async def waiting(data: bytes) -> None:
    await anyio.lowlevel.checkpoint()


async def looking(data: bytes) -> None:
    """As BaseHTTPMiddleware's does."""
    await anyio.lowlevel.checkpoint_if_cancelled()


async def scoped(data: bytes) -> None:
    with anyio.fail_after(PATIENCE):
        await anyio.lowlevel.checkpoint()


def locking(make: Callable[[], Any]) -> Callable[[], Send]:
    """A send that holds a lock while it waits."""

    def made() -> Send:
        lock = make()

        async def send(data: bytes) -> None:
            async with lock:
                await turns(2)

        return send

    return made


SENDS: dict[str, Callable[[], Send]] = {
    "does not wait": lambda: quick,
    "waits": lambda: waiting,
    "looks whether it is cancelled": lambda: looking,
    "has a scope": lambda: scoped,
    "holds a lock": locking(anyio.Lock),
}
ASYNCIO_SENDS = {**SENDS, "holds asyncio's lock": locking(asyncio.Lock)}
every_send = pytest.mark.parametrize("made", SENDS.values(), ids=SENDS.keys())
every_asyncio_send = pytest.mark.parametrize(
    "made", ASYNCIO_SENDS.values(), ids=ASYNCIO_SENDS.keys()
)
