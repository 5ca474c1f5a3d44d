"""How long a client waits for its first event: alone, and beside others whose sources never wait."""

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

from starlette.types import ASGIApp, Message

from . import contenders
from .inprocess import Exchange, serve, settle
from .measure import Field, Sampler, frozen
from .work import Mode, Work

LONE_STREAMS = 50
CROWD = 50
# Where one stream keeps all the others waiting, nobody needs to know for how long it would.
GIVE_UP = 0.3

Make = Callable[[asyncio.Runner, str], Sampler]


class FirstExchange(Exchange):
    """An exchange that notes when its first event arrived."""

    def __init__(self, arrived: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.first: float | None = None
        self.arrived = arrived

    async def send(self, message: Message) -> None:
        if self.first is None and b"data: " in message.get("body", b""):
            self.first = time.perf_counter()
            self.arrived()
        await super().send(message)

    def waited(self, since: float) -> float:
        if self.first is None:
            raise ValueError("a client had no event at all")
        return self.first - since


class RelentlessWork(Work):
    """Work whose sources never wait, and end when each client had an event or it took too long."""

    def __init__(self, mode: Mode) -> None:
        super().__init__("str", mode, 1)
        self.begin()

    def begin(self) -> float:
        self.missing = CROWD
        now = time.perf_counter()
        self.end = now + GIVE_UP
        return now

    def served(self) -> None:
        self.missing -= 1

    def goes_on(self) -> bool:
        return self.missing > 0 and time.perf_counter() < self.end

    def source(self) -> Any:
        return self.sync_source() if self.mode == "sync" else self.async_source()

    def sync_source(self) -> Iterator[str]:
        yield " token"
        while self.goes_on():
            yield " token"

    async def async_source(self) -> AsyncIterator[str]:
        yield " token"
        while self.goes_on():
            yield " token"


@contextmanager
def field(make: Make, names: tuple[str, ...]) -> Iterator[Field]:
    with asyncio.Runner() as runner:
        entered = Field()
        for name in names:
            entered.enter(name, partial(make, runner, name))
        with frozen():
            yield entered


def alone(mode: Mode, names: tuple[str, ...]) -> Any:
    """Return a field whose samples are the median wait of a client that is alone."""
    return field(partial(alone_sampler, Work("str", mode, 3)), names)


def alone_sampler(work: Work, runner: asyncio.Runner, name: str) -> Sampler:
    app = contenders.load(name)(work)

    async def sample() -> float:
        gc.collect()
        await settle()
        return median([await one_wait(app) for _ in range(LONE_STREAMS)])

    runner.run(sample())
    return lambda: runner.run(sample())


async def one_wait(app: ASGIApp) -> float:
    exchange = FirstExchange()
    start = time.perf_counter()
    await asyncio.create_task(serve(app, exchange))
    return exchange.waited(start)


def crowded(mode: Mode, names: tuple[str, ...]) -> Any:
    """Return a field whose samples are the longest wait among clients that come all at once."""
    # `raw` has no source that could be kept from waiting.
    return field(
        partial(crowded_sampler, RelentlessWork(mode)),
        tuple(name for name in names if name != contenders.RAW),
    )


def crowded_sampler(work: RelentlessWork, runner: asyncio.Runner, name: str) -> Sampler:
    app = contenders.load(name)(work)

    async def sample() -> float:
        gc.collect()
        await settle()
        exchanges = [FirstExchange(work.served) for _ in range(CROWD)]
        start = work.begin()
        await asyncio.gather(*(serve(app, exchange) for exchange in exchanges))
        return max(exchange.waited(start) for exchange in exchanges)

    runner.run(sample())
    return lambda: runner.run(sample())
