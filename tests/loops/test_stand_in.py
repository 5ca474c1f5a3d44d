"""Writes that others begin in a sleeping task's stead: as that task, in one context, and never waiting."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from sse_bridge.loops.stand_in import StandIn, with_pauses

Write = Callable[[bytes, bool], Awaitable[None]]
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


async def in_stead(write: Write, *pieces: bytes, by_timer: bool = False) -> list[Any]:
    """What was left of each write that another task, or a timer, began while the first one slept."""
    loop, left = asyncio.get_running_loop(), []
    stand_in = StandIn(loop, write)
    over = loop.create_future()

    def begin() -> None:
        try:
            left.extend(stand_in.write(piece) for piece in pieces)
        except BaseException as error:
            left.append(error)
        over.set_result(None)

    async def another() -> None:
        begin()

    task = None if by_timer else asyncio.create_task(another())
    if by_timer:
        loop.call_later(0, begin)
    await over
    if task is not None:
        await task
    for rest in left:
        if callable(rest):
            await rest()
    stand_in.close()
    return left


@pytest.mark.parametrize("by_timer", [False, True])
def test_a_write_that_does_not_wait_is_done_as_the_sleeping_task(by_timer: bool):
    async def main() -> None:
        told: list[Any] = []

        async def write(data: bytes, more: bool) -> None:
            told.append((data, asyncio.current_task()))

        left = await in_stead(write, b"a", b"b", by_timer=by_timer)
        me = asyncio.current_task()
        assert (told, left) == ([(b"a", me), (b"b", me)], [None, None])

    asyncio.run(main())


def test_all_writes_have_one_context_which_is_a_copy_of_the_tasks():
    async def main() -> None:
        VARIABLE.set("the task's")
        told = []

        async def write(data: bytes, more: bool) -> None:
            told.append(VARIABLE.get())
            VARIABLE.set(data.decode())
            await asyncio.sleep(0)
            told.append(VARIABLE.get())

        await in_stead(write, b"first")
        assert told == ["the task's", "first"]
        assert VARIABLE.get() == "the task's"

        async def quick(data: bytes, more: bool) -> None:
            told.append(VARIABLE.get())
            VARIABLE.set(data.decode())

        told.clear()
        await in_stead(quick, b"first", b"second")
        assert told == ["the task's", "first"]

    asyncio.run(main())


def test_a_write_that_waits_is_finished_by_the_task():
    async def main() -> None:
        told = []

        async def write(data: bytes, more: bool) -> None:
            with anyio.CancelScope():  # asks which task it is, at both ends
                await asyncio.sleep(0.001)
                told.append((data, asyncio.current_task()))

        left = await in_stead(write, b"a")
        assert left != [None]
        assert told == [(b"a", asyncio.current_task())]

    asyncio.run(main())


def test_what_a_write_raises_comes_out_where_it_was_begun():
    async def main() -> None:
        async def write(data: bytes, more: bool) -> None:
            raise ConnectionResetError(data)

        [error] = await in_stead(write, b"a")
        assert isinstance(error, ConnectionResetError)
        assert asyncio.current_task() is not None

    asyncio.run(main())


def test_any_awaitable_is_a_write():
    async def main() -> None:
        loop = asyncio.get_running_loop()

        def write(data: bytes, more: bool) -> Awaitable[None]:
            future = loop.create_future()
            loop.call_soon(future.set_result, None)
            return future

        assert await in_stead(write, b"a") != [None]

    asyncio.run(main())


def test_a_write_that_is_broken_off_is_closed_in_its_context():
    async def main() -> None:
        VARIABLE.set("the task's")
        told = []

        async def write(data: bytes, more: bool) -> None:
            token = VARIABLE.set("the write's")
            try:
                await asyncio.sleep(3600)
            finally:
                VARIABLE.reset(token)  # raises in any other context
                told.append("closed")

        stand_in = StandIn(asyncio.get_running_loop(), write)

        async def another() -> None:
            rest = stand_in.write(b"a")
            assert rest is not None

        task = asyncio.create_task(another())
        await asyncio.wait([task])
        await task
        stand_in.close()
        assert told == ["closed"]

    asyncio.run(main())


def test_a_coroutine_is_heard_each_time_before_it_waits_and_never_else():
    async def main() -> None:
        steps: list[str] = []

        async def run() -> None:
            steps.append("one")
            await asyncio.sleep(0)
            steps.append("two")
            fails = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(fails.set_exception, KeyError("raised"))
            try:
                await fails
            except KeyError:
                steps.append("failed")

        await with_pauses(run(), lambda: steps.append("pause"))
        assert steps == ["one", "pause", "two", "pause", "failed"]

    asyncio.run(main())
