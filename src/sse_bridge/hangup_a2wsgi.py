"""Detects under a2wsgi that a client has disconnected: the ASGI server beneath reports it, as a message.

That message comes after those with the request's body.

Rules of this file:

1. The app and the listener both read in the server's loop, one at a time. The app gets every message.
2. The listener reads at most `AHEAD` bytes of a body that the app has not read: as the app reads on, so does
   the listener. Beyond that only a failed write shows that the client has disconnected.
3. Nothing waits for a body that does not come, except an app that reads it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from concurrent.futures import Future
from typing import Any

from .private import transport_behind

AHEAD = 64 * 1024
ENDS = 3  # a server may repeat the end of the body; after so many times, no other message will come
LOOK = 0.5  # seconds between two looks at whether the last write has failed

Message = MutableMapping[str, Any]
Call = Callable[[], None]


class ReadAhead:
    """An ASGI `receive` for the app, which `listen` reads ahead of; `left` is called when the client disconnects.

    `transport` is the server's connection, where its `receive` leads to one.
    """

    def __init__(self, receive: Callable[[], Awaitable[Message]], left: Call) -> None:
        self.transport = transport_behind(receive)
        self._receive = receive
        self._left = left
        self._ahead: deque[Message] = deque()
        self._bytes = 0
        self._ends = 0
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._room.set()

    async def receive(self) -> Message:
        """The next message that the app has not received yet."""
        while not self._ahead:
            async with self._turn:
                if not self._ahead:
                    await self._read()
        message = self._ahead.popleft()
        self._bytes -= len(message.get("body", b""))
        if self._bytes < AHEAD:
            self._room.set()
        return message

    async def listen(self) -> None:
        """Read on until the client disconnects."""
        while self._ends < ENDS:
            await self._room.wait()
            async with self._turn:
                await self._read()

    @property
    def is_full(self) -> bool:
        """Whether more of the body came than is read ahead, so that `listen` pauses."""
        return self._bytes >= AHEAD

    async def _read(self) -> None:
        message = await self._receive()
        self._ahead.append(message)
        self._bytes += len(message.get("body", b""))
        if self.is_full:
            self._room.clear()
        if message["type"] == "http.disconnect":
            self._ends = ENDS
            self._left()
        elif not message.get("more_body", False):
            self._ends += 1


class AsgiWatch:
    """Watches through the ASGI server, by its own message of a disconnect."""

    def __init__(self, environ: dict[str, Any]) -> None:
        body = environ["wsgi.input"]
        self._loop: asyncio.AbstractEventLoop = body.loop
        self._left = False
        self._gone: Call = _nobody
        self._reader = ReadAhead(body.receive, self._tell)
        body.receive = self._reader.receive
        self._transport = self._reader.transport
        self._listening = self._in_loop(self._reader.listen())
        self._in_loop(_turns()).result()  # then a client that has disconnected already is known

    @property
    def every(self) -> float | None:
        return LOOK if self._is_deaf else None

    @property
    def second_ping(self) -> float | None:
        return 0.02 if self._is_deaf else None

    @property
    def breaks(self) -> bool:
        return self._transport is not None

    def start(self, doubt: Call, gone: Call) -> None:
        self._gone = gone
        if self._left:  # that may have come before there was a callback
            gone()

    def check(self) -> None:
        """Call back if the server has closed the connection after a failed write."""
        transport = self._transport
        if transport is not None and self._reader.is_full and transport.is_closing():
            self._tell()

    def is_doubtful(self) -> bool:
        return self._left

    def has_left(self, within: float) -> bool:
        return self._left

    def break_off(self) -> None:
        self._loop.call_soon_threadsafe(self._abort)

    def stop(self) -> None:
        self._gone = _nobody
        self._transport = None
        self._listening.cancel()

    @property
    def _is_deaf(self) -> bool:
        return self._reader.is_full and self._transport is not None

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _tell(self) -> None:
        self._left = True
        self._gone()

    def _in_loop(self, coroutine: Coroutine[Any, Any, None]) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


async def _turns() -> None:
    """As many turns of the loop as the server needs to report a disconnect that it knows of."""
    for _ in range(3):
        await asyncio.sleep(0)


def _nobody() -> None:
    """Stands for a callback where none is to be made."""
