"""The server's end of one connection: requests in, an answer out, and how the client hung up.

1. Reading never stops while an answer is sent, so a hang-up is seen the moment it happens.
2. The client's FIN or RST is noted once, before anything else is done about it; what the double
   closes itself is never noted as a hang-up. (A client that closes with bytes unread sends a RST.)
3. A client that closes its sending side only counts as gone.
"""

import asyncio
import json
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast

How = Literal["fin", "reset"]


@dataclass(frozen=True)
class Hangup:
    """When (`time.monotonic()`) and how a client left, and whether in the middle of its answer."""

    at: float
    how: How
    amid_answer: bool


@dataclass(eq=False)
class Request:
    """What a client asked, and how far the answer has come."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes
    link: "Link" = field(repr=False)
    at: float = field(default_factory=time.monotonic)
    frames_sent: int = 0
    stalled: threading.Event = field(default_factory=threading.Event, repr=False)
    finished: threading.Event = field(default_factory=threading.Event, repr=False)

    def json(self) -> dict[str, Any]:
        return cast("dict[str, Any]", json.loads(self.body))

    @property
    def hangup(self) -> Hangup | None:
        return self.link.hangup

    @property
    def hung_up(self) -> threading.Event:
        return self.link.hung_up

    def wait_hangup(self, timeout: float = 5.0) -> Hangup:
        """Wait until the client has left this request's connection, and fail if it does not."""
        assert self.link.hung_up.wait(timeout), "the client has not hung up"
        assert self.link.hangup is not None
        return self.link.hangup


class Link(asyncio.Protocol):
    def __init__(self, answer: Callable[[Request], Awaitable[None]]) -> None:
        self.opened_at = time.monotonic()
        self.hangup: Hangup | None = None
        self.hung_up = threading.Event()
        self._answer = answer
        self._buffer = b""
        self._request: Request | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False  # by this side
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        # A frame counts as sent once the kernel has it; what piles up here a RST would discard.
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def eof_received(self) -> None:
        self._note("fin")

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._note("reset")
        self._cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def write(self, data: bytes) -> None:
        self._transport.write(data)
        await self._writable.wait()
        await asyncio.sleep(0)  # a hang-up is looked for between any two frames

    def close(self) -> None:
        """Send FIN once everything written has left."""
        self._closing = True
        self._transport.close()

    def reset(self) -> None:
        """Send RST."""
        self._closing = True
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def abort(self) -> None:
        self._closing = True
        self._transport.abort()

    def _note(self, how: How) -> None:
        if self.hangup is None and not self._closing:
            amid_answer = self._request is not None and not self._request.finished.is_set()
            self.hangup = Hangup(time.monotonic(), how, amid_answer)
            self.hung_up.set()
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _next(self) -> None:
        if self._task is None and (request := self._take()) is not None:
            self._request = request
            self._task = asyncio.ensure_future(self._answer(request))
            self._task.add_done_callback(self._answered)

    def _answered(self, _: object) -> None:
        self._task = None
        if not self._transport.is_closing():
            self._next()

    def _take(self) -> Request | None:
        """Take the next whole request off the buffer; bodies come with a Content-Length."""
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return None
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        size = int(headers.get("content-length", "0"))
        if len(rest) < size:
            return None
        self._buffer = rest[size:]
        method, path, _ = line.split(" ")
        return Request(method, path, headers, rest[:size], self)
