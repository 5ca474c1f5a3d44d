"""Shares one `receive` between an app and the watch on its client: each message reaches the app, once."""

from __future__ import annotations

from collections import deque

import anyio

from ..answers.asgi import Message, Receive
from ..loops.changes import Changes

# How much of the request's body is kept for an app that does not read it, in bytes.
READ_AHEAD = 1024 * 1024


class Inbox:
    """The request's `receive`, for an app that takes its messages and a watch that only looks at them."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._kept: deque[Message] = deque()
        self._kept_bytes = 0
        self._reading: anyio.CancelScope | None = None
        self._changes = Changes()
        self._gone: Message | None = None
        self._asked = 0  # how many of the app's calls are waiting for a message
        self._heard = False  # whether it knows that the client has disconnected

    @property
    def is_over(self) -> bool:
        """Whether the client has disconnected, or the request is over for another reason."""
        return self._gone is not None

    def hang_up(self) -> bool:
        """Let the app receive a disconnect, as the request is over; True if it is waiting for it, or has had it."""
        self._gone = self._gone or {"type": "http.disconnect"}
        if self._reading is not None:
            # The client may still be there, and the server have no message.
            self._reading.cancel()
        self._changes.tell()
        return self._asked > 0 or self._heard

    async def receive(self) -> Message:
        """The next message, for the app."""
        self._asked += 1
        try:
            message = await self._next()
        finally:
            self._asked -= 1
        self._heard = message["type"] == "http.disconnect"
        return message

    async def _next(self) -> Message:
        while not self._kept:
            if self._gone is not None:
                return self._gone
            await self._read()
        message = self._kept.popleft()
        self._kept_bytes -= len(message.get("body", b""))
        self._changes.tell()
        return message

    async def look(self) -> Message:
        """The next message, for the watch; what the app has not read yet is kept for it."""
        while self._gone is None:
            if self._kept_bytes > READ_AHEAD:
                await self._changes.wait()
            elif (message := await self._read()) is not None:
                return message
        return self._gone

    async def _read(self) -> Message | None:
        """Read one message, or wait until the other reader has one."""
        if self._reading is not None:
            await self._changes.wait()
            return None
        message: Message | None = None
        try:
            with anyio.CancelScope() as self._reading:
                message = await self._receive()
        finally:
            self._reading = None
            self._changes.tell()
        if message is None:
            return None
        if message["type"] == "http.disconnect":
            self._gone = message
        else:
            self._kept.append(message)
            self._kept_bytes += len(message.get("body", b""))
        return message
