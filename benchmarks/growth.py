"""How cost grows: with the streams that are open at once, and with the events of one stream.

CPU is sampled as everywhere. Memory, which does not vary, is traced once when a sampler is made:
tracing makes everything slow, and so is off while anything is timed.
"""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from functools import partial

from starlette.types import ASGIApp, Message

from . import contenders, inprocess
from .inprocess import Exchange, serve
from .measure import Field, Sampler, frozen
from .row import grid
from .work import Work

CONTENDERS = ("raw_src", "starlette", "sse_bridge_starlette")
OPEN_STREAMS = (1, 10, 100, 1000, 5000)
LENGTHS = (10, 1000, 100_000)
# About this many events make a sample; each stream has a few rounds at least.
EVENTS, ROUNDS = 4000, 4


class Crowd(Work):
    """Streams that are open at once: each has one event, and then one more at each round."""

    def __init__(self, streams: int) -> None:
        self.streams = streams
        self.rounds = max(ROUNDS, EVENTS // streams)
        super().__init__("str", "async", self.rounds + 1)
        self.bell = asyncio.Event()
        self.all_here = asyncio.Event()
        self.missing = streams

    async def source(self) -> AsyncIterator[str]:
        for text in self.chunks():
            yield text
            await self.bell.wait()

    def came(self, events: int) -> None:
        self.missing -= events
        if not self.missing:
            self.all_here.set()

    async def everyone(self) -> None:
        """Wait until each stream has carried its event of this round."""
        await asyncio.wait_for(self.all_here.wait(), timeout=60)
        self.all_here.clear()
        self.missing = self.streams

    def ring(self) -> None:
        rung, self.bell = self.bell, asyncio.Event()
        rung.set()


class Member(Exchange):
    """An exchange that tells its crowd of each event."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd

    async def send(self, message: Message) -> None:
        before = self.frames
        await super().send(message)
        if self.frames > before and self.frames <= self.crowd.events:
            self.crowd.came(self.frames - before)


@contextmanager
def open_streams(_names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds an event, with so many streams open."""
    with asyncio.Runner() as runner:
        entered = Field()
        for name in CONTENDERS:
            for count in OPEN_STREAMS:
                cell = grid(name, count)
                entered.enter(cell, partial(crowd_sampler, runner, entered, name, count))
        with frozen():
            yield entered


def crowd_sampler(runner: asyncio.Runner, entered: Field, name: str, streams: int) -> Sampler:
    # Caches, which the first stream fills, are not of any one stream.
    runner.run(cpu_of_crowd(name, 1))
    entered.memory[grid(name, streams)] = runner.run(memory_of_crowd(name, streams))
    return lambda: runner.run(cpu_of_crowd(name, streams))


async def cpu_of_crowd(name: str, streams: int) -> float:
    crowd = Crowd(streams)
    gc.collect()
    await inprocess.settle()
    tasks = await opened(contenders.load(name)(crowd), crowd)
    spent = await rounds(crowd)
    await ended(tasks, crowd)
    return spent


async def memory_of_crowd(name: str, streams: int) -> float:
    crowd = Crowd(streams)
    app = contenders.load(name)(crowd)
    gc.collect()
    tracemalloc.start()
    tasks = await opened(app, crowd)
    held, _ = traced_bytes()
    await rounds(crowd)
    await ended(tasks, crowd)
    return held / streams


async def ended(tasks: list[asyncio.Task[None]], crowd: Crowd) -> None:
    crowd.ring()  # The last round: the sources run dry.
    await asyncio.gather(*tasks)


async def opened(app: ASGIApp, crowd: Crowd) -> list[asyncio.Task[None]]:
    """Return the tasks of that many streams, each of which has carried one event."""
    members = [Member(crowd) for _ in range(crowd.streams)]
    tasks = [asyncio.create_task(serve(app, member)) for member in members]
    await crowd.everyone()
    return tasks


async def rounds(crowd: Crowd) -> float:
    """Return the CPU seconds of an event, in rounds in which each stream has one."""
    start = time.process_time()
    for _ in range(crowd.rounds):
        crowd.ring()
        await crowd.everyone()
    return (time.process_time() - start) / (crowd.rounds * crowd.streams)


@contextmanager
def lengths(_names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds an event, in streams of so many events."""
    with asyncio.Runner() as runner:
        entered = Field()
        for name in CONTENDERS:
            for events in LENGTHS:
                cell = grid(name, events)
                entered.enter(cell, partial(length_sampler, runner, entered, name, events))
        with frozen():
            yield entered


def length_sampler(runner: asyncio.Runner, entered: Field, name: str, events: int) -> Sampler:
    work = Work("str", "async", events)
    sample = inprocess.sampler(runner, name, work)
    app = contenders.load(name)(work)
    gc.collect()
    tracemalloc.start()
    runner.run(inprocess.streams(app, work, 1))
    entered.memory[grid(name, events)] = traced_bytes()[1]
    return lambda: sample() / events


def traced_bytes() -> tuple[int, int]:
    """Return the bytes that are held and that were held at most, and trace no further."""
    held = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held
