"""An ASGI server that is nearly nothing: what is left to measure is the app."""

import asyncio
import gc
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Protocol

from starlette.types import ASGIApp, Message, Scope

from . import contenders
from .measure import Field, Sampler, frozen
from .work import Work, expected, payloads

# How long one sample should take: far above the clock's grain, and short enough to interleave.
SAMPLE_SECONDS = 0.03


class Event(Protocol):
    """An event of asyncio or of trio."""

    def set(self) -> None: ...
    async def wait(self) -> object: ...


class Exchange:
    """One request and its answer, with the manners of uvicorn's `receive` and `send`."""

    def __init__(self, keep: bool = False, over: Event | None = None) -> None:
        self.asked = False
        self.over: Event = asyncio.Event() if over is None else over
        self.frames = 0
        self.kept: list[bytes] | None = [] if keep else None

    async def receive(self) -> Message:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Look at a message as little as a server can, and count what it carries."""
        if message["type"] != "http.response.body":
            return
        body = message.get("body", b"")
        self.frames += body.count(b"data: ")
        if self.kept is not None:
            self.kept.append(body)
        if not message.get("more_body", False):
            self.over.set()


def scope() -> Scope:
    """Return a fresh scope as uvicorn makes it; its spec_version decides how Starlette streams."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1"), (b"accept", b"text/event-stream")],
        "state": {},
    }


async def serve(app: ASGIApp, exchange: Exchange) -> None:
    await app(scope(), exchange.receive, exchange.send)


async def check(app: ASGIApp, work: Work) -> None:
    """Raise where the app does not send exactly the events of this work."""
    exchange = Exchange(keep=True)
    await asyncio.wait_for(serve(app, exchange), timeout=30)
    refuse_other_events(work, b"".join(exchange.kept or ()))


def refuse_other_events(work: Work, body: bytes) -> None:
    found, wanted = payloads(work, body), expected(work)
    if found != wanted:
        raise ValueError(f"{len(found)} events instead of {len(wanted)}; body: {body[:300]!r}")


def refuse_fewer(work: Work, exchanges: Sequence[Exchange]) -> None:
    fewest = min(exchange.frames for exchange in exchanges)
    if fewest < work.events:
        raise ValueError(f"a timed stream had {fewest} events instead of {work.events}")


async def streams(app: ASGIApp, work: Work, count: int) -> float:
    """Return the CPU seconds of that many streams, one after another, each in a task of its own."""
    exchanges = [Exchange() for _ in range(count)]
    start = time.process_time()
    for exchange in exchanges:
        await asyncio.create_task(serve(app, exchange))
    took = time.process_time() - start
    refuse_fewer(work, exchanges)
    return took


async def settle() -> None:
    """Wait until nothing of the streams before is running any more, on any thread."""
    busy = time.process_time()
    for _ in range(100):
        await asyncio.sleep(0.002)
        now = time.process_time()
        if now - busy < 0.0004:
            return
        busy = now


@contextmanager
def field(work: Work, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds that this process spends on one stream of this work."""
    with asyncio.Runner() as runner:
        entered = Field()
        for name in names:
            entered.enter(name, partial(sampler, runner, name, work))
        with frozen():
            yield entered


def count_for(seconds: float) -> int:
    """Return how many streams make one sample, where one of them takes this long."""
    return max(1, round(SAMPLE_SECONDS / max(seconds, 1e-6)))


def sampler(runner: asyncio.Runner, name: str, work: Work) -> Sampler:
    app = contenders.load(name)(work)
    runner.run(check(app, work))
    count = count_for(runner.run(streams(app, work, 1)))

    def sample() -> float:
        gc.collect()
        runner.run(settle())
        return runner.run(streams(app, work, count)) / count

    return sample
