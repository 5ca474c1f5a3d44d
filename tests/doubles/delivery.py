"""One streamed answer on its way to the client, with the turns it takes."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from .answers import BEFORE_HEADERS, Cut, Fault, Raw, Reply, Reset, Stall
from .link import Request


class Gate:
    """Permits, first come, first served; used on the double's loop only."""

    def __init__(self) -> None:
        self._permits: float = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def add(self, permits: float) -> None:
        self._permits += permits
        while self._waiting and self._permits:
            waiter = self._waiting.popleft()
            if not waiter.done():  # it is done when its client has hung up
                self._permits -= 1
                waiter.set_result(None)

    async def passed(self) -> None:
        if self._permits:
            self._permits -= 1
            return
        self._waiting.append(waiter := asyncio.get_running_loop().create_future())
        await waiter


class Delivery:
    def __init__(
        self,
        reply: Reply,
        request: Request,
        headers: Mapping[str, str],
        fault: Callable[[Fault, int], bytes],
        gate: Gate,
    ) -> None:
        self._reply, self._request, self._link = reply, request, request.link
        self._headers, self._fault, self._gate = headers, fault, gate

    async def run(self, frames: Sequence[bytes]) -> None:
        if not await self._turn(BEFORE_HEADERS):
            return
        await self._link.write(head(200, self._headers))
        last = None if len(frames) in self._reply.at else len(frames) - 1
        for position, frame in enumerate(frames):
            if self._reply.gated:
                await self._gate.passed()
            if not await self._turn(position, frame):
                return
            self._request.frames_sent += 1  # before: a client that has a frame finds it counted
            await self._send(frame, last=position == last)
        if last is None and await self._turn(len(frames)):
            await self._end()

    async def _turn(self, position: int, frame: bytes = b"") -> bool:
        """Take the turn that stands here; say whether the answer goes on."""
        turn = self._reply.at.get(position)
        if isinstance(turn, Raw):
            await self._send(turn.data)
        elif isinstance(turn, Fault):
            await self._send(self._fault(turn, position), last=True)
        elif isinstance(turn, Stall):
            self._request.stalled.set()
            await asyncio.Event().wait()
        elif isinstance(turn, Cut):
            await self._cut(frame)
        elif isinstance(turn, Reset):
            self._link.reset()
        return turn is None or isinstance(turn, Raw)

    async def _cut(self, frame: bytes) -> None:
        if frame:
            await self._link.write(b"%x\r\n%b" % (len(frame), frame[: len(frame) // 2]))
        self._link.close()

    async def _send(self, data: bytes, *, last: bool = False) -> None:
        # A byte in an HTTP chunk of its own reaches the decoder alone, however TCP packs it.
        size = 1 if self._reply.bytewise else len(data)
        for start in range(0, len(data) - size, size):
            await self._link.write(http_chunk(data[start : start + size]))
        await (self._end if last else self._link.write)(http_chunk(data[-size:]))

    async def _end(self, data: bytes = b"") -> None:
        # In one write with the last frame: SDKs close at [DONE], and may not wait for more.
        self._request.finished.set()
        await self._link.write(data + http_chunk(b""))


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers; chunked when no length is given."""
    framing = {} if "Content-Length" in headers else {"Transfer-Encoding": "chunked"}
    lines = [f"{name}: {value}\r\n" for name, value in {**headers, **framing}.items()]
    return f"HTTP/1.1 {status} Double\r\n{''.join(lines)}\r\n".encode()


def http_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def to_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
