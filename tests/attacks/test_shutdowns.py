"""Attacks by stopping at odd moments, from odd places: streams end as `shutdown`, and the process ends."""

from __future__ import annotations

import asyncio
import contextvars
import random
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from math import inf, nan
from typing import Any

import pytest

import sse_bridge
from driving import on_anyio
from endless import APPS
from sse_bridge import Ending, Summary, shutdown, shutdown_on_signal, stopping
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import ShuttingDown, streams
from sse_bridge.testing import Client

PATIENCE = 10.0
LAST = b'data: {"code":"shutdown","message":"The server is shutting down.","retryable":true}\n\n'


def wait_for(seen: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _reopened() -> Iterator[None]:
    yield
    wait_for(lambda: not sse_bridge.closing())
    assert streams.open == 0


def body_of(source: Any, **options: Any) -> Body:
    return Body(source, Options(**options), contextvars.copy_context())


def ticking() -> Iterator[str]:
    while True:
        yield "a"
        time.sleep(0.005)


async def async_ticking() -> AsyncIterator[str]:
    while True:
        yield "a"
        await asyncio.sleep(0.005)


# -- from odd places -------------------------------------------------------------------------------


@pytest.mark.parametrize("grace", [0, 0.05])
def test_a_source_that_shuts_down_its_own_server_is_ended_as_any_other(grace: float):
    def source() -> Iterator[str]:
        yield "a"
        shutdown(grace)
        yield from ticking()

    assert b"".join(body_of(source())).endswith(LAST)


def test_an_async_source_that_shuts_down_its_own_server_is_ended_as_any_other():
    async def source() -> AsyncIterator[str]:
        yield "a"
        shutdown(0)
        async for chunk in async_ticking():
            yield chunk

    assert b"".join(body_of(source())).endswith(LAST)
    wait_for(lambda: not sse_bridge.closing())
    assert asyncio.run(on_anyio(source(), Options())).endswith(LAST)


@pytest.mark.parametrize("face", APPS)
def test_a_source_that_shuts_down_before_its_first_word_is_answered_503(face: str):
    def source() -> Iterator[str]:
        shutdown(0)
        time.sleep(0.05)
        yield from ticking()

    with Client(APPS[face](source, hold=60), raise_app_exceptions=False).stream(
        "GET", "/"
    ) as answer:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"


def test_an_on_end_that_shuts_down_ends_the_other_streams_and_waits_for_nobody():
    other = body_of(ticking())
    told: list[Summary] = []

    def on_end(summary: Summary) -> None:
        told.append(summary)
        shutdown(0)

    assert next(other).startswith(b"data: a\n\n")
    list(body_of(iter(["a"]), on_end=on_end))
    assert b"".join(other).endswith(LAST)
    assert [summary.ending for summary in told] == [Ending.FINISHED]


def test_a_cancel_that_shuts_down_ends_the_other_streams():
    other, mine = body_of(ticking()), body_of(ticking(), cancel=lambda: shutdown(0))
    next(other), next(mine)
    mine.close()
    assert b"".join(other).endswith(LAST)


def test_a_describe_that_shuts_down_still_tells_its_failure():
    def failing() -> Iterator[str]:
        yield "a"
        raise LookupError

    def describe(_: BaseException) -> str:
        shutdown(0)
        return "sorry"

    assert b'"message":"sorry"' in b"".join(body_of(failing(), describe=describe))


def test_a_hundred_threads_that_shut_down_at_once_end_each_stream_once():
    told: list[Summary] = []
    bodies = [body_of(ticking(), on_end=told.append) for _ in range(10)]
    barrier = threading.Barrier(100)

    def shut_down(_: int) -> None:
        barrier.wait(PATIENCE)
        shutdown(random.random() / 10)

    with ThreadPoolExecutor(110) as threads:
        reading = [threads.submit(lambda body=body: b"".join(body)) for body in bodies]
        list(threads.map(shut_down, range(100)))
        assert all(read.result(PATIENCE).endswith(LAST) for read in reading)
    assert [summary.ending for summary in told] == [Ending.SHUTDOWN] * 10


def test_streams_that_open_while_the_server_stops_again_and_again_are_refused_or_ended():
    stop = threading.Event()
    counts = {"refused": 0, "ended": 0}

    def open_one() -> None:
        try:
            body = body_of(ticking())
        except ShuttingDown:
            counts["refused"] += 1
            time.sleep(0.001)
        else:
            assert b"".join(body).endswith(LAST)
            counts["ended"] += 1

    def open_many() -> None:
        while not stop.is_set():
            open_one()

    with ThreadPoolExecutor(4) as threads:
        opening = [threads.submit(open_many) for _ in range(4)]
        try:
            wait_for(lambda: _stopped_once(counts))
        finally:  # or they would open streams for ever, whatever came of the wait
            stop.set()
            while not all(one.done() for one in opening):
                shutdown(0)
                time.sleep(0.01)
        for one in opening:
            one.result()


def _stopped_once(counts: dict[str, int]) -> bool:
    shutdown(0)
    time.sleep(0.005)
    return counts["ended"] > 20 and counts["refused"] > 20


@pytest.mark.parametrize("call", [shutdown, shutdown_on_signal])
@pytest.mark.parametrize(
    "grace", [-1, -0.001, nan, inf, -inf, "1", None, True, 10**400, [], 1j], ids=str
)
def test_a_grace_that_is_none_stops_nothing(call: Any, grace: Any):
    handler = signal.getsignal(signal.SIGTERM)
    if grace == 10**400:
        grace = float("1e400")  # an int that large is no float
    with pytest.raises(ValueError, match="grace must be a number of seconds"):
        call(grace)
    assert not sse_bridge.closing()
    assert signal.getsignal(signal.SIGTERM) == handler


# -- sources that do not want to end ---------------------------------------------------------------


def stubborn() -> Iterator[str]:
    """It gives in when it is closed once more, by the collector."""
    for _ in range(2):
        with suppress(GeneratorExit):
            yield from ticking()


class Deaf:
    """It has a `close` that does nothing, and one more word, always."""

    def __iter__(self) -> Deaf:
        return self

    def __next__(self) -> str:
        return "a"

    def close(self) -> None: ...


class Raising(Deaf):
    def close(self) -> None:
        raise SystemExit("never")


@pytest.mark.parametrize("source", [stubborn, Deaf, Raising])
def test_a_sync_source_that_will_not_be_closed_is_ended_all_the_same(source: Any):
    body = body_of(source())
    next(body)
    shutdown(0)
    assert b"".join(body).endswith(LAST)


def test_an_async_source_that_swallows_its_cancelling_is_ended_all_the_same():
    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            await asyncio.sleep(0.3)

    body = body_of(source(), cleanup_timeout=0.05)
    next(body)
    shutdown(0)
    assert b"".join(body).endswith(LAST)
    wait_for(lambda: streams.stragglers == 0)


def test_a_source_that_is_blocked_for_good_keeps_no_stream_open():
    release = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        release.wait(60)

    body = body_of(source())
    next(body)
    shutdown(0)
    assert b"".join(body).endswith(LAST)
    release.set()
    wait_for(lambda: streams.stragglers == 0)


def test_no_thread_is_left_to_look_out_after_all_this():
    stopping.forget()
    wait_for(lambda: not [t for t in threading.enumerate() if t.name == "sse_bridge shutdown"])
