"""Waiting in asyncio: what the tests of both loops, in test_base.py, leave out."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import weakref

import pytest

from sse_bridge.loops.asyncio import POOL_THREADS, AsyncioHome, current_home


def test_a_cancelling_from_outside_is_not_taken_for_a_late_write():
    async def body() -> None:
        home = current_home()
        task = asyncio.create_task(home.within(60, asyncio.sleep(60)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(body())


def test_a_loop_that_is_closed_hears_nothing_and_raises_nothing():
    loop = asyncio.new_event_loop()
    home = AsyncioHome(loop, threading.get_ident() + 1)
    loop.close()
    home.soon(lambda: pytest.fail("called in a closed loop"))


def test_each_loop_of_a_thread_has_a_home_of_its_own():
    async def home() -> AsyncioHome:
        assert current_home() is current_home()
        return current_home()

    assert asyncio.run(home()) is not asyncio.run(home())


def test_a_task_that_nobody_keeps_is_kept_by_its_home():
    async def body() -> None:
        home, done = current_home(), asyncio.Event()

        async def task() -> None:
            await asyncio.sleep(0.01)
            done.set()

        home.spawn(task, contextvars.copy_context())
        gc.collect()
        await asyncio.wait_for(done.wait(), 5)

    asyncio.run(body())


def test_a_signal_that_was_closed_leaves_no_timer_behind():
    async def body() -> None:
        import time

        signal = current_home().signal()
        signal.set()
        await signal.wait()
        waiting = asyncio.ensure_future(signal.wait(time.monotonic() + 3600))
        await asyncio.sleep(0)
        signal.set()
        await waiting
        reference = weakref.ref(signal)
        signal.close()
        del signal, waiting
        gc.collect()
        assert reference() is None

    asyncio.run(body())


def test_what_may_block_has_a_bounded_pool_of_our_own_and_holds_up_nothing_of_the_loops():
    running, most, go_on = 0, 0, threading.Event()
    lock = threading.Lock()
    names: set[str] = set()

    def block() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            names.add(threading.current_thread().name.rpartition("_")[0])
        go_on.wait(10)
        with lock:
            running -= 1

    async def main() -> None:
        home = current_home()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(60):
                tasks.create_task(home.in_thread(block))
            await asyncio.sleep(0)
            assert await asyncio.get_running_loop().getaddrinfo("127.0.0.1", 80)
            assert await asyncio.to_thread(lambda: "not held up") == "not held up"
            go_on.set()

    asyncio.run(main())
    assert most <= POOL_THREADS
    assert names == {"sse_bridge on_end"}


def test_a_task_that_is_cancelled_before_its_first_step_begins_and_is_cancelled_at_its_first_wait():
    async def body() -> None:
        steps: list[str] = []

        async def task() -> None:
            steps.append("began")
            try:
                await asyncio.sleep(0)
            finally:
                steps.append("cancelled")

        running = current_home().start(task, contextvars.copy_context())
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert steps == ["began", "cancelled"]

    asyncio.run(body())


def test_a_wait_that_outlasts_being_cancelled_is_over_first_and_raises_that_then():
    async def body() -> None:
        event, steps = asyncio.Event(), []

        async def wait() -> None:
            await current_home().outlast(event.wait)

        waiting = asyncio.create_task(wait())
        for _ in range(3):
            await asyncio.sleep(0)
            waiting.cancel()
            steps.append(waiting.done())
        event.set()
        await asyncio.wait([waiting])
        assert steps == [False, False, False]
        assert waiting.cancelled()

    asyncio.run(body())


def test_a_call_in_a_thread_is_made_and_waited_for_although_its_task_is_cancelled():
    async def body() -> None:
        made, go_on = [], threading.Event()

        def call() -> None:
            go_on.wait(5)
            made.append(True)

        calling = asyncio.create_task(current_home().in_thread(call))
        await asyncio.sleep(0)
        calling.cancel()
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait([calling])
        assert calling.cancelled()
        assert made == [True]

    asyncio.run(body())


def test_a_scope_lets_the_cancelling_of_others_out_that_comes_with_its_own():
    async def body() -> None:
        scope = current_home().scope()
        task = asyncio.create_task(scope.run(asyncio.Event().wait))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        scope.cancel()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(body())


def test_a_scope_does_not_cancel_once_more_what_others_have_cancelled_already():
    async def body() -> None:
        steps: list[str] = []
        scope = current_home().scope()

        async def run() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                steps.append("cleanup")
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                steps.append("cleaned up")

        task = asyncio.create_task(scope.run(run))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        scope.cancel()
        await asyncio.wait([task])
        assert steps == ["cleanup", "cleaned up"]

    asyncio.run(body())


def test_a_scope_is_cancelled_although_a_timeout_within_it_was_just_taking_back_its_own():
    async def body() -> None:
        scope = current_home().scope()
        task: asyncio.Task[None]

        async def run() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                scope.cancel()
                task.uncancel()
            await asyncio.Event().wait()

        task = asyncio.create_task(scope.run(run))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait_for(task, 5)
        assert task.cancelling() == 0

    asyncio.run(body())
