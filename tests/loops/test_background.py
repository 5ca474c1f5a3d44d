"""The loop of all async sources of WSGI apps."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sse_bridge.drivers.threads import Body
from sse_bridge.loops.background import _Background, background_home
from sse_bridge.loops.base import run_in
from sse_bridge.options import Options


def test_sources_of_one_process_share_one_loop():
    loops: set[Any] = set()

    async def source() -> AsyncIterator[str]:
        loops.add(asyncio.get_running_loop())
        yield "a"

    for _ in range(3):
        list(Body(source(), Options(), contextvars.copy_context()))
    assert len(loops) == 1
    assert background_home() is background_home()


def exits() -> None:
    raise SystemExit(3)


def interrupts() -> None:
    raise KeyboardInterrupt


def stops() -> None:
    asyncio.get_running_loop().stop()


@pytest.mark.parametrize("end", [exits, interrupts, stops])
def test_a_task_that_would_end_the_loop_ends_nobody_elses_stream(end: Any):
    async def spawns() -> AsyncIterator[str]:
        async def task() -> None:
            end()

        spawned = asyncio.create_task(task())
        await asyncio.wait([spawned])
        spawned.exception()  # looked at: so nothing is said of it when it is collected
        yield "went on"

    for _ in range(2):
        body = Body(spawns(), Options(), contextvars.copy_context())
        assert b"went on" in b"".join(body)
        body.close()


def broken(background: _Background, home: Any) -> None:
    """Break the loop as a fault of the system's would, and see that nobody gets it any more."""

    def fail() -> None:
        raise OSError("the selector is gone")

    home.loop.call_soon_threadsafe(lambda: setattr(home.loop, "_run_once", fail))
    while background._home is home:
        threading.Event().wait(0.01)
    while home.loop.is_running():
        threading.Event().wait(0.01)
    home.loop.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_loop_that_breaks_all_the_same_is_made_anew():
    background = _Background()
    first: Any = background.home()
    broken(background, first)
    second: Any = background.home()
    assert second is not first
    assert run_in(second, asyncio.sleep(0, "runs"), contextvars.copy_context()) == "runs"
    broken(background, second)
