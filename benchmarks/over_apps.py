"""What the servers serve: each ASGI contender with a source of the pace that a row asks for."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from starlette.types import ASGIApp, Receive, Scope, Send

from . import contenders
from .contenders.raw_src import BODY, END, START, encoder, text_frame
from .work import Work

# backlog: all is ready at once. ticking: the loop turns once before each chunk, so that each is
# written alone. lingering: a pause after the first chunk. idle: nothing after the first chunk.
# telling: idle, and prints when the source is closed.
Pace = Literal["backlog", "ticking", "lingering", "idle", "telling"]

LINGER = 0.002
PING = 5.0
PING_FRAME = b": ping\n\n"


@dataclass
class Paced(Work):
    """Work whose source waits as its pace says."""

    pace: Pace = "backlog"
    ping: float = PING

    def source(self) -> Any:
        if self.pace == "backlog":
            return super().source()
        sources = SYNC_SOURCES if self.mode == "sync" else ASYNC_SOURCES
        return sources[self.pace](self.chunks())


async def ticking(ready: list[Any]) -> AsyncIterator[Any]:
    for chunk in ready:
        await asyncio.sleep(0)
        yield chunk


async def lingering(ready: list[Any]) -> AsyncIterator[Any]:
    yield ready[0]
    await asyncio.sleep(LINGER)
    for chunk in ready[1:]:
        yield chunk


async def idle(ready: list[Any]) -> AsyncIterator[Any]:
    yield ready[0]
    await asyncio.get_running_loop().create_future()


async def telling(ready: list[Any]) -> AsyncIterator[Any]:
    try:
        yield ready[0]
        await asyncio.get_running_loop().create_future()
    finally:
        # On Linux this clock is the same in every process.
        print(time.monotonic(), flush=True)


def lingering_sync(ready: list[Any]) -> Iterator[Any]:
    yield ready[0]
    time.sleep(LINGER)
    yield from ready[1:]


def idle_sync(ready: list[Any]) -> Iterator[Any]:
    yield ready[0]
    threading.Event().wait()


ASYNC_SOURCES: dict[Pace, Callable[[list[Any]], Any]] = {
    "ticking": ticking,
    "lingering": lingering,
    "idle": idle,
    "telling": telling,
}
SYNC_SOURCES: dict[Pace, Callable[[list[Any]], Any]] = {
    "lingering": lingering_sync,
    "idle": idle_sync,
}


def app(name: str, work: Paced) -> ASGIApp:
    """Return what serves this work: the contender itself, unless the pace asks for more of it."""
    return SPECIAL.get((name, work.pace), contenders.load(name))(work)


def raw_ticking(work: Paced) -> ASGIApp:
    frames = [encoder(work.kind)(chunk) for chunk in work.chunks()]

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        for frame in frames:
            await asyncio.sleep(0)
            await send({"type": BODY, "body": frame, "more_body": True})
        await send(END)

    return respond


def raw_lingering(work: Paced) -> ASGIApp:
    frames = [text_frame(chunk) for chunk in work.chunks()]

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": BODY, "body": frames[0], "more_body": True})
        await asyncio.sleep(LINGER)
        for frame in frames[1:]:
            await send({"type": BODY, "body": frame, "more_body": True})
        await send(END)

    return respond


def raw_idle(work: Paced) -> ASGIApp:
    """The pings by hand, from one timer for each stream."""
    frame = text_frame(work.chunks()[0])

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": BODY, "body": frame, "more_body": True})
        while True:
            await asyncio.sleep(work.ping)
            await send({"type": BODY, "body": PING_FRAME, "more_body": True})

    return respond


def sse_starlette_idle(work: Paced) -> ASGIApp:
    from sse_starlette import EventSourceResponse

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await EventSourceResponse(work.source(), ping=work.ping)(scope, receive, send)

    return respond


def sse_bridge_asgi_idle(work: Paced) -> ASGIApp:
    from sse_bridge.asgi import EventStream

    async def opened(_scope: object) -> Any:
        return work.source()

    return EventStream(opened, ping=work.ping)


def sse_bridge_starlette_idle(work: Paced) -> ASGIApp:
    from sse_bridge.starlette import EventSourceResponse

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        await EventSourceResponse(work.source(), ping=work.ping)(scope, receive, send)

    return respond


SPECIAL: dict[tuple[str, Pace], Callable[[Paced], ASGIApp]] = {
    ("raw", "ticking"): raw_ticking,
    ("raw", "lingering"): raw_lingering,
    ("raw", "idle"): raw_idle,
    ("sse_starlette", "idle"): sse_starlette_idle,
    ("sse_bridge_asgi", "idle"): sse_bridge_asgi_idle,
    ("sse_bridge_starlette", "idle"): sse_bridge_starlette_idle,
}
