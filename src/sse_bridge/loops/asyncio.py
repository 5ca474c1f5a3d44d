"""Waiting in asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from math import inf
from typing import Any

from ..forks import in_child
from .base import Ear, Receive, Scope, TaskSignal
from .clock import Clock
from .gevent import Greenlets, threads_are_greenlets
from .listening import HandEar, TaskEar, is_own, listen
from .stand_in import StandIn, resume, with_pauses

GRACE = 0.1  # seconds for a task that others have cancelled already


class AsyncioSignal:
    """Wakes one sleeping asyncio task; the loop's clock keeps its deadline, moved as seldom as possible."""

    __slots__ = (
        "__weakref__",
        "_clock",
        "_due",
        "_loop",
        "_set",
        "_sleeper",
        "_until",
        "_when_due",
    )

    def __init__(self, home: AsyncioHome, when_due: Callable[[], None] | None = None) -> None:
        self._loop, self._clock = home.loop, home.clock
        self._when_due = when_due
        self._set = False
        self._sleeper: asyncio.Future[None] | None = None
        self._until = self._due = inf

    @property
    def sleeps(self) -> bool:
        return self._sleeper is not None and not self._sleeper.done()

    def set(self) -> None:
        self._set = True
        self._wake()

    async def wait(self, until: float = inf) -> None:
        if not self._set:
            self._sleeper = self._loop.create_future()
            self.move(until)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
        self._set = False

    def move(self, until: float) -> None:
        self._until = until
        if until < self._due and self._sleeper is not None:
            self._clock.remove(self, self._due)
            self._due = self._clock.add(self, until, time.monotonic())

    def on_time(self, now: float) -> None:
        """Called by the clock. It may come too early: a deadline that moves later does not move the clock."""
        self._due = inf
        if self._sleeper is None:
            return
        if now < self._until:
            self.move(self._until)
        elif self._when_due is not None:
            self._when_due()
        else:
            self._wake()

    def close(self) -> None:
        self._clock.remove(self, self._due)
        self._due, self._when_due = inf, None

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)


class AsyncioScope:
    """A part of a task that is cancelled at most once, so that its cleanup may await."""

    __slots__ = (
        "_cancelled",
        "_cancelled_it",
        "_cancelling",
        "_task",
    )

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = self._cancelled_it = False
        self._cancelling = 0  # how often others had cancelled the task before us

    async def run(self, body: Callable[[], Awaitable[None]]) -> None:
        self._task = task = asyncio.current_task()
        assert task is not None
        self._cancelling = task.cancelling()
        try:
            if not self._cancelled:
                await body()
        except asyncio.CancelledError:
            if not self._cancelled_it or task.cancelling() > self._cancelling + 1:  # others do, too
                raise
        finally:
            if self._cancelled_it:
                task.uncancel()
            self._task = None

    def cancel(self) -> None:
        if self._cancelled:
            return
        self._cancelled = True
        if self._task is not None and self._task.cancelling() > self._cancelling:
            # A second time would cut its cleanup. But it may be a timeout of its own, which takes that back.
            self._task.get_loop().call_later(GRACE, self._cancel_it)
        else:
            self._cancel_it()

    def _cancel_it(self) -> None:
        if self._task is not None:
            self._cancelled_it = self._task.cancel()


class AsyncioHome:
    """The asyncio loop that runs in `thread_id`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        self.loop, self.clock = loop, Clock(loop)
        self._thread_id = thread_id
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references

    def soon(
        self, call: Callable[[], object], from_elsewhere: Callable[[], object] | None = None
    ) -> bool:
        if threading.get_ident() == self._thread_id:
            call()
            return True
        try:
            self.loop.call_soon_threadsafe(from_elsewhere or call)
        except RuntimeError:  # the loop is closed: nothing can run there any more
            return False
        return True

    def spawn(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> None:
        task = self.start(run, context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> asyncio.Task[None]:
        beginning = _begin(run)
        beginning.send(None)
        return self.loop.create_task(beginning, context=context)

    def signal(self, when_due: Callable[[], None] | None = None) -> TaskSignal:
        return AsyncioSignal(self, when_due)

    def listen(self, receive: Receive, hang_up: Callable[[], None]) -> Ear:
        if is_own(receive):
            return HandEar(self.loop, receive, hang_up)
        return TaskEar(self.start(partial(listen, receive, hang_up), contextvars.copy_context()))

    def scope(self) -> Scope:
        return AsyncioScope()

    def pause(self) -> Awaitable[None]:
        return _turn()

    def at_pauses(
        self, run: Callable[[], Coroutine[Any, Any, None]], call: Callable[[], None]
    ) -> Callable[[], Awaitable[None]]:
        return lambda: with_pauses(run(), call)

    def stand_in(self, write: Callable[[bytes, bool], Awaitable[None]]) -> StandIn:
        return StandIn(self.loop, write)

    async def in_thread(self, call: Callable[[], None]) -> None:
        context = contextvars.copy_context()
        try:
            running = self.loop.run_in_executor(_pool(), context.run, call)
        except RuntimeError:  # the interpreter is shutting down, and starts no thread any more
            context.run(call)
        else:
            await self.outlast(lambda: asyncio.wait([running]))

    async def outlast(self, wait: Callable[[], Awaitable[object]]) -> None:
        cancelled: asyncio.CancelledError | None = None
        while True:
            try:
                await wait()
                break
            except asyncio.CancelledError as error:
                cancelled = cancelled or error
        try:
            if cancelled is not None:
                raise cancelled
        finally:
            del cancelled  # it leads back here

    async def within(self, seconds: float, writing: Coroutine[Any, Any, None]) -> bool:
        # Nearly every write gets done in its first step: then no timer was made for it. One that waits
        # gets a bare timer; a cancel scope entered between its steps would not nest with its own.
        try:
            waits_for = writing.send(None)
        except StopIteration:
            return True
        late = _Late(self.loop, seconds)
        try:
            await resume(writing, waits_for)
        except asyncio.CancelledError:
            if not late.cancelled_it():
                raise
            return False
        finally:
            late.close()
        return True


class _Late:
    """Cancels the current task when a time is up, and can tell that cancellation from others."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task is not None else 0
        self._fired = False
        self._timer = None if seconds == inf else loop.call_later(seconds, self._fire)

    def _fire(self) -> None:
        self._fired = True
        if self._task is not None:
            self._task.cancel()

    def cancelled_it(self) -> bool:
        return self._fired and self._task is not None and self._task.uncancel() <= self._cancelling

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """The same as asyncio.sleep(0), without its frame."""
    yield


async def _begin(run: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Stepped once before it is a task: asyncio forgets a coroutine whose task is cancelled before it has begun."""
    try:
        await _turn()
    except asyncio.CancelledError:
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        task.cancel()
    await run()


def current_home() -> AsyncioHome:
    """The asyncio loop that the caller runs in."""
    loop = asyncio.get_running_loop()
    home: AsyncioHome | None = getattr(_local, "home", None)
    if home is None or home.loop is not loop:
        home = _local.home = AsyncioHome(loop, threading.get_ident())
    return home


_local = threading.local()


# For calls that may block, `on_end` for one. In the loop's own pool they would hold up what else waits, as
# each look-up of a host name does.
POOL_THREADS = 8


@cache
def _pool() -> ThreadPoolExecutor:
    if threads_are_greenlets():
        return Greenlets()
    return ThreadPoolExecutor(POOL_THREADS, thread_name_prefix="sse_bridge on_end")


in_child(_pool.cache_clear)
