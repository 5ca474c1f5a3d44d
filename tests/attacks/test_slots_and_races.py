"""Attacks on the bookkeeping: endings that come at once, places that are not given back, and mix-ups."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anyio
import pytest

from driving import on_anyio
from endless import APPS
from sse_bridge import Ending, Summary
from sse_bridge.drivers.connection import Connection, observer
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import TooManyStreams, streams
from sse_bridge.testing import Client

PATIENCE = 10.0
MANY = 60  # streams that end at one moment
LIMIT = 1000.0  # seconds of `max_duration`, which a test skips


def wait_for(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.01)


class Race:
    """Many streams, and what ends each of them; `told`, what `on_end` heard of each."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.told: dict[int, list[Summary]] = {number: [] for number in range(MANY)}
        self.begun: Counter[int] = Counter()
        self.closed: Counter[int] = Counter()
        self.connections: list[Connection] = []

    def options(self, number: int) -> Options:
        return Options(on_end=self.told[number].append, max_duration=LIMIT, hold=0)

    def sync(self, number: int) -> Iterator[str]:
        self.begun[number] += 1
        try:
            yield "a"
            self.go.wait(PATIENCE)
            raise LookupError(number)
        finally:
            self.closed[number] += 1

    async def task(self, number: int) -> AsyncIterator[str]:
        self.begun[number] += 1
        try:
            yield "a"
            while not self.go.is_set():  # noqa: ASYNC110 - by a thread
                await asyncio.sleep(0.001)
            raise LookupError(number)
        finally:
            self.closed[number] += 1

    async def has_begun(self) -> None:
        """Until all run."""
        while len(self.begun) < MANY:  # noqa: ASYNC110 - by threads
            await asyncio.sleep(0.001)

    def end_all(self) -> None:
        """Their sources fail, their clients leave, their time is over and the server stops: at one moment."""

        def leave() -> None:
            for connection in self.connections:
                connection.pipe.hang_up()

        def expire() -> None:
            for connection in self.connections:
                connection.skip(LIMIT + 1)

        ways = [self.go.set, leave, expire, streams.shut_down]
        random.shuffle(ways)
        barrier = threading.Barrier(len(ways))

        def at_once(way: Callable[[], None]) -> None:
            barrier.wait(PATIENCE)
            way()

        with ThreadPoolExecutor(len(ways)) as threads:
            list(threads.map(at_once, ways))

    def check(self) -> None:
        """Each ended once, in one of these ways, and nothing of it is left."""
        wait_for(lambda: not streams.open and not streams.stragglers and all(self.told.values()))
        assert {len(summaries) for summaries in self.told.values()} == {1}
        assert self.closed == self.begun
        assert set(self.closed.values()) == {1}
        endings = {summaries[0].ending for summaries in self.told.values()}
        assert endings <= {Ending.FAILED, Ending.GONE, Ending.EXPIRED, Ending.SHUTDOWN}


@pytest.mark.parametrize("kind", ["sync", "task"])
@pytest.mark.parametrize("seed", range(2))
def test_four_endings_at_once_on_many_threads_are_one_ending_each(kind: str, seed: int):
    random.seed(seed)
    race, ready = Race(), threading.Barrier(MANY + 1)

    def serve(number: int) -> None:
        source = getattr(race, kind)(number)
        body = Body(source, race.options(number), contextvars.copy_context())
        race.connections.append(body._connection)
        next(body)
        ready.wait(PATIENCE)
        list(body)
        body.close()

    with ThreadPoolExecutor(MANY) as servers:
        serving = [servers.submit(serve, number) for number in range(MANY)]
        ready.wait(PATIENCE)
        race.end_all()
        for server in serving:
            server.result(PATIENCE)
    race.check()


def requests_of(race: Race, kind: str) -> list[asyncio.Future[bytes]]:
    """The requests of a race, each a task of the running loop."""
    return [
        asyncio.ensure_future(on_anyio(getattr(race, kind)(number), race.options(number)))
        for number in range(MANY)
    ]


@pytest.mark.parametrize("kind", ["sync", "task"])
@pytest.mark.parametrize("seed", range(2))
def test_four_endings_at_once_in_one_event_loop_are_one_ending_each(kind: str, seed: int):
    random.seed(seed)
    race = Race()

    async def main() -> None:
        observer.set(race.connections.append)
        requests = requests_of(race, kind)
        await race.has_begun()
        await asyncio.gather(asyncio.to_thread(race.end_all), *requests)

    asyncio.run(main())
    race.check()


@pytest.mark.parametrize("kind", ["sync", "task"])
def test_requests_that_are_cancelled_at_the_moment_of_their_end_end_once(kind: str):
    race = Race()

    async def main() -> None:
        observer.set(race.connections.append)
        requests = requests_of(race, kind)
        await race.has_begun()
        race.go.set()
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    asyncio.run(main())
    race.check()


@pytest.mark.parametrize("kind", ["sync", "task"])
def test_a_body_that_several_threads_close_at_once_tells_its_end_once(kind: str):
    race = Race()
    for number in range(MANY):
        body = Body(getattr(race, kind)(number), race.options(number), contextvars.copy_context())
        next(body)
        barrier = threading.Barrier(4)

        def close(body: Body = body, barrier: threading.Barrier = barrier) -> None:
            barrier.wait(PATIENCE)
            body.close()

        closing = [threading.Thread(target=close) for _ in range(3)]
        for thread in closing:
            thread.start()
        race.go.set()
        close()
        for thread in closing:
            thread.join(PATIENCE)
    race.check()


# -- places ----------------------------------------------------------------------------------------


def test_a_rush_on_the_last_places_never_has_more_streams_than_there_are():
    at_once, most, refused = [0], [0], [0]
    lock = threading.Lock()

    def source() -> Iterator[str]:
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        yield "a"
        with lock:
            at_once[0] -= 1

    def rush(_: int) -> None:
        try:
            list(Body(source(), Options(max_streams=3), contextvars.copy_context()))
        except TooManyStreams:
            refused[0] += 1

    with ThreadPoolExecutor(24) as clients:
        list(clients.map(rush, range(600)))
    assert most[0] <= 3
    assert refused[0] < 600
    assert streams.open == 0


class Odd(Exception):
    pass


def raising(*_: object) -> Any:
    raise Odd


class Watch:
    """A watch that fails where it is asked to."""

    every = second_ping = None

    def __init__(self, fails: str) -> None:
        self._fails = fails

    def __getattribute__(self, name: str) -> Any:
        if name == object.__getattribute__(self, "_fails"):
            return raising
        if name in ("start", "check", "stop"):
            return lambda *_: None
        if name in ("is_doubtful", "has_left"):
            return lambda *_: False
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("fails", ["making", "is_doubtful", "start"])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watch_that_breaks_takes_no_place_with_it(fails: str):
    watch = raising if fails == "making" else lambda: Watch(fails)
    closed = threading.Event()

    def source() -> Iterator[str]:
        try:
            yield "a"
        finally:
            closed.set()

    for _ in range(3):
        with pytest.raises(Odd):
            Body(source(), Options(max_streams=1), contextvars.copy_context(), watch=watch)
        gc.collect()
        wait_for(lambda: streams.open == 0)


@pytest.mark.parametrize("face", APPS)
def test_requests_that_fail_in_every_way_use_up_no_place(face: str):
    def failing(word: str) -> Any:
        if word == "raises":
            raise Odd
        return {"gives nothing": None, "gives an answer": "text", "gives a number": 3}[word]

    for word in ("raises", "gives nothing", "gives an answer", "gives a number"):
        app = APPS[face](lambda word=word: lambda: failing(word), max_streams=1)
        for _ in range(3):
            with Client(app, raise_app_exceptions=False).stream("GET", "/") as answer:
                assert answer.status_code == 500
    good = APPS[face](lambda: iter(["a"]), max_streams=1)
    with Client(good).stream("GET", "/") as answer:
        assert answer.status_code == 200
        answer.read()
    assert streams.open == 0


def test_sources_that_outlive_their_streams_are_counted_down_to_none():
    release = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        release.wait(PATIENCE)
        yield "b"

    def leave(_: int) -> None:
        body = Body(source(), Options(), contextvars.copy_context())
        next(body)
        body.close()

    with ThreadPoolExecutor(20) as clients:
        list(clients.map(leave, range(40)))
        assert streams.stragglers == 40
        late = [clients.submit(leave, number) for number in range(20)]
        release.set()
        for one in late:
            one.result(PATIENCE)
    wait_for(lambda: streams.stragglers == 0)
    assert streams.open == 0


# -- one stream taken for another ------------------------------------------------------------------

who = contextvars.ContextVar("who", default="nobody")


def test_a_hundred_streams_in_one_loop_say_each_their_own_name():
    async def source() -> AsyncIterator[str]:
        for _ in range(20):
            yield who.get()
            await asyncio.sleep(random.random() / 1000)

    async def ask(name: str) -> None:
        who.set(name)
        body = await on_anyio(source(), Options())
        assert body.count(b"data: %b\n\n" % name.encode()) == 20
        assert body.count(b"\n\n") == 21

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(ask, f"name-{number}")

    asyncio.run(main())


def test_streams_on_many_threads_say_each_their_own_name():
    def source() -> Iterator[str]:
        for _ in range(20):
            yield who.get()
            time.sleep(random.random() / 1000)

    def ask(number: int) -> None:
        who.set(f"name-{number}")
        body = b"".join(Body(source(), Options(), contextvars.copy_context()))
        assert body.count(b"data: name-%d\n\n" % number) == 20
        assert body.count(b"\n\n") == 21

    with ThreadPoolExecutor(20) as clients:
        list(clients.map(lambda n: contextvars.Context().run(ask, n), range(100)))
