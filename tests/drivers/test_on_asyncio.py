"""Waiting in asyncio: what the tests of both loops, in test_waiting.py, leave out."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import pytest

from sse_bridge.drivers.on_asyncio import POOL_THREADS, AsyncioHome, current_home


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

        import contextvars

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
