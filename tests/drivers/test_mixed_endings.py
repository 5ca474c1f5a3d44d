"""Ten thousand streams that end in every way there is, and nothing is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import pytest

from driving import on_anyio
from sse_bridge import Ending, Summary
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams

ROUNDS = 1250  # of eight streams


def finishing() -> Iterator[str]:
    yield from "abc"


def failing() -> Iterator[str]:
    yield "a"
    raise LookupError("late")


def refused() -> Iterator[str]:
    raise LookupError("early")
    yield


def endless() -> Iterator[str]:
    while True:
        yield "a"


async def waiting() -> AsyncIterator[str]:
    yield "a"
    await asyncio.Event().wait()


async def cancelling() -> AsyncIterator[str]:
    yield "a"
    raise asyncio.CancelledError


def threads() -> int:
    """How many there are, but for the bounded pool that stays."""
    names = [thread.name for thread in threading.enumerate()]
    return sum(not name.startswith("sse_bridge on_end") for name in names)


@pytest.fixture
def endings() -> Iterator[Counter[Ending]]:
    open_before, threads_before = streams.open, threads()
    counted: Counter[Ending] = Counter()
    yield counted
    assert streams.open == open_before
    assert streams.stragglers == 0
    assert threads() <= threads_before + 1  # the background loop's own


def options_for(endings: Counter[Ending]) -> Options:
    def on_end(summary: Summary) -> None:
        endings[summary.ending] += 1

    return Options(on_end=on_end)


def walk(source: Any, options: Options, *, leave: bool = False) -> None:
    with contextlib.suppress(LookupError):
        body = Body(source, options, contextvars.copy_context())
        if leave:
            next(body)
        else:
            list(body)
        body.close()


def test_after_ten_thousand_mixed_endings_nothing_is_open(
    endings: Counter[Ending], caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL", "sse_bridge")
    options = options_for(endings)

    async def ask(source: Any, *, leave: bool = False) -> None:
        hang_up = anyio.Event()
        if leave:
            hang_up.set()
        with contextlib.suppress(LookupError):
            await on_anyio(source, options, hang_up)

    async def many(make: Callable[[], Any], *, leave: bool = False) -> None:
        for _ in range(ROUNDS):
            await ask(make(), leave=leave)

    for _ in range(ROUNDS):
        walk(finishing(), options)
        walk(failing(), options)
        walk(refused(), options)
        walk(endless(), options, leave=True)
        walk(waiting(), options, leave=True)
    asyncio.run(many(finishing))
    asyncio.run(many(cancelling))
    asyncio.run(many(waiting, leave=True))
    assert endings == {
        Ending.FINISHED: 2 * ROUNDS,
        Ending.FAILED: 3 * ROUNDS,
        Ending.GONE: 3 * ROUNDS,
    }
