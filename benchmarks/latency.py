"""How long a chunk takes from the source's `yield` to the server when nothing else is ready.

Wall time, since waiting is what is asked about; each sample is the median of many chunks.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

from starlette.types import Message

from . import contenders, wsgi
from .inprocess import Exchange, serve
from .measure import Field, Sampler
from .work import Mode, Work

CHUNKS = 60
PAUSE = 0.001
DIRECT = "direct"


class PacedWork(Work):
    """Work whose source pauses before each chunk, and notes when it yields."""

    def __init__(self, mode: Mode) -> None:
        super().__init__("str", mode, CHUNKS)
        self.yielded: list[float] = []

    def source(self) -> Any:
        self.yielded.clear()
        return self.sync_source() if self.mode == "sync" else self.async_source()

    def sync_source(self) -> Iterator[str]:
        for text in self.chunks():
            time.sleep(PAUSE)
            self.yielded.append(time.perf_counter())
            yield text

    async def async_source(self) -> AsyncIterator[str]:
        for text in self.chunks():
            await asyncio.sleep(PAUSE)
            self.yielded.append(time.perf_counter())
            yield text

    def median_delay(self, received: list[float]) -> float:
        if len(received) != len(self.yielded):
            raise ValueError(f"{len(received)} events for {len(self.yielded)} chunks")
        return median(there - here for here, there in zip(self.yielded, received, strict=True))


def arrivals(body: bytes) -> list[float]:
    """Return the present moment once for each chunk that this write carries."""
    return [time.perf_counter()] * body.count(b"token")


class Watch(Exchange):
    """An exchange that notes when each chunk arrives."""

    def __init__(self) -> None:
        super().__init__()
        self.received: list[float] = []

    async def send(self, message: Message) -> None:
        self.received += arrivals(message.get("body", b""))
        await super().send(message)


@contextmanager
def asgi_field(mode: Mode, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the delay in seconds through each ASGI contender."""
    work = PacedWork(mode)
    with asyncio.Runner() as runner:
        entered = Field()
        entered.enter(DIRECT, lambda: direct_sampler(runner, work))
        for name in names:
            if name == contenders.RAW:  # it has no source, and so nothing to be late for
                continue
            entered.enter(name, partial(asgi_sampler, runner, name, work))
        yield entered


def asgi_sampler(runner: asyncio.Runner, name: str, work: PacedWork) -> Sampler:
    app = contenders.load(name)(work)

    async def one_stream() -> float:
        watch = Watch()
        work.yielded.clear()
        await asyncio.create_task(serve(app, watch))
        return work.median_delay(watch.received)

    return tried(lambda: runner.run(one_stream()))


def direct_sampler(runner: asyncio.Runner, work: PacedWork) -> Sampler:
    if work.mode == "async":
        return tried(lambda: runner.run(direct_async(work)))
    return tried(lambda: work.median_delay([time.perf_counter() for _ in work.source()]))


async def direct_async(work: PacedWork) -> float:
    return work.median_delay([time.perf_counter() async for _ in work.source()])


@contextmanager
def wsgi_field(mode: Mode, _names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the delay in seconds through each WSGI body."""
    work = PacedWork(mode)
    with asyncio.Runner() as runner:
        entered = Field()
        entered.enter(DIRECT, lambda: direct_sampler(runner, work))
        bodies = ("flask", "sse_bridge_wsgi") if mode == "sync" else ("sse_bridge_wsgi",)
        for name in bodies:
            entered.enter(name, partial(wsgi_sampler, wsgi.BODIES[name], work))
        yield entered


def wsgi_sampler(body: wsgi.Body, work: PacedWork) -> Sampler:
    def one_stream() -> float:
        received = [when for frame in body(work) for when in arrivals(frame)]
        return work.median_delay(received)

    return tried(one_stream)


def tried(sample: Callable[[], float]) -> Sampler:
    """Sample once, so that what does not work is known before the others are timed."""
    sample()
    return sample
