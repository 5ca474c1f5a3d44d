"""Sleeping until woken, and homes for tasks."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trio

from sse_bridge.loops.asyncio import AsyncioHome
from sse_bridge.loops.background import background_home
from sse_bridge.loops.base import ThreadSignal, run_in
from sse_bridge.loops.current import current_home

LOOPS: dict[str, Callable[..., Any]] = {"asyncio": asyncio.run, "trio": trio.run}


def run(loop: str, call: Callable[[], Any]) -> Any:
    return asyncio.run(call()) if loop == "asyncio" else trio.run(call)


def test_a_thread_signal_remembers_one_wake_up():
    signal = ThreadSignal()
    signal.set()
    signal.set()
    signal.wait()
    signal.wait(time.monotonic())  # returns: its time is up


def test_a_thread_signal_wakes_another_thread():
    signal, woken = ThreadSignal(), threading.Event()
    thread = threading.Thread(target=lambda: (signal.wait(), woken.set()))
    thread.start()
    signal.set()
    assert woken.wait(5)
    thread.join()


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_signal_remembers_one_wake_up(loop: str):
    async def body() -> None:
        signal = current_home().signal()
        signal.set()
        await signal.wait()
        await signal.wait(time.monotonic() - 1)
        signal.close()

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_signal_can_be_set_from_a_thread(loop: str):
    async def body() -> None:
        home = current_home()
        signal = home.signal()
        thread = threading.Thread(target=lambda: home.soon(signal.set))
        thread.start()
        with anyio.fail_after(5):
            await signal.wait()
        thread.join()

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_later_deadline_does_not_wake_early_and_an_earlier_one_does_not_wake_late(loop: str):
    async def body() -> None:
        signal = current_home().signal()
        now = time.monotonic()
        await signal.wait(now + 0.01)
        await signal.wait(now + 0.03)
        assert time.monotonic() >= now + 0.03
        signal.set()
        await signal.wait(now + 60)
        await signal.wait(time.monotonic() + 0.01)
        signal.close()

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_task_runs_in_the_context_it_was_given(loop: str):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")

    async def body() -> None:
        home, done = current_home(), anyio.Event()
        context = contextvars.copy_context()
        context.run(variable.set, "given")
        seen: list[str] = []

        async def task() -> None:
            seen.append(variable.get())
            done.set()

        home.spawn(task, context)
        await done.wait()
        assert seen == ["given"]

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scope_that_is_cancelled_stops_its_body_and_nothing_after_it(loop: str):
    async def body() -> None:
        home = current_home()
        scope, steps = home.scope(), []

        async def inside() -> None:
            steps.append("in")
            home.spawn(stopper, contextvars.copy_context())
            await anyio.sleep_forever()
            steps.append("never")

        async def stopper() -> None:
            scope.cancel()
            scope.cancel()

        await scope.run(inside)
        await anyio.lowlevel.checkpoint()
        steps.append("after")
        assert steps == ["in", "after"]

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_scope_that_was_cancelled_before_does_not_run_its_waiting(loop: str):
    async def body() -> None:
        scope, ran = current_home().scope(), []
        scope.cancel()

        async def inside() -> None:
            await anyio.lowlevel.checkpoint()
            ran.append(True)

        await scope.run(inside)
        assert not ran

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_what_gets_done_within_its_time_is_done(loop: str):
    async def body() -> None:
        home = current_home()

        async def at_once() -> None: ...

        async def later() -> None:
            with anyio.move_on_after(5):
                await anyio.sleep(0.005)

        assert await home.within(5, at_once())
        assert await home.within(5, later())

    run(loop, body)


@pytest.mark.parametrize("loop", LOOPS)
def test_what_does_not_get_done_in_its_time_is_given_up_and_life_goes_on(loop: str):
    async def body() -> None:
        async def stuck() -> None:
            with anyio.move_on_after(5):
                await anyio.sleep_forever()

        assert not await current_home().within(0.005, stuck())
        await anyio.sleep(0.001)

    run(loop, body)


def test_a_thread_can_await_in_a_home():
    async def answer() -> str:
        await asyncio.sleep(0)
        return "42"

    assert run_in(background_home(), answer(), contextvars.copy_context()) == "42"


def test_what_is_raised_there_is_raised_here():
    async def fail() -> None:
        raise LookupError("there")

    with pytest.raises(LookupError, match="there"):
        run_in(background_home(), fail(), contextvars.copy_context())


def test_what_a_loop_that_is_over_is_to_await_is_an_error_and_no_wait_for_ever():
    loop = asyncio.new_event_loop()
    loop.close()

    async def never() -> None: ...

    with pytest.raises(RuntimeError, match="the event loop is closed"):
        run_in(AsyncioHome(loop, 0), never(), contextvars.copy_context())
