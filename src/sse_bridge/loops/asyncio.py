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
from .base import Scope, TaskSignal
from .gevent import Greenlets, threads_are_greenlets

# Asyncio has no other name for it, and has had these since 3.7.
_enter_task, _leave_task = asyncio.tasks._enter_task, asyncio.tasks._leave_task


GRACE = 0.1  # seconds that a task has which others have cancelled already


class AsyncioSignal:
    """Wakes one sleeping asyncio task, with one timer that is moved as seldom as possible."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._set = False
        self._sleeper: asyncio.Future[None] | None = None
        self._until = self._timer_at = inf
        self._timer: asyncio.TimerHandle | None = None

    def set(self) -> None:
        self._set = True
        self._wake()

    async def wait(self, until: float = inf) -> None:
        if not self._set:
            self._sleeper = self._loop.create_future()
            self._arm(until)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
        self._set = False

    def move(self, until: float) -> None:
        if self._sleeper is not None:
            self._arm(until)

    def close(self) -> None:
        if self._timer:
            self._timer.cancel()

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    def _arm(self, until: float) -> None:
        """A timer that fires too early is moved on then: far cheaper than to move it with every chunk."""
        self._until = until
        if until < self._timer_at:
            self.close()
            self._timer_at = until
            self._timer = self._loop.call_later(max(0.0, until - time.monotonic()), self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, inf
        if time.monotonic() >= self._until:
            self._wake()
        elif self._sleeper is not None:
            self._arm(self._until)


class AsyncioScope:
    """A part of a task that is cancelled at most once, so that its cleanup may await."""

    def __init__(self) -> None:
        self._task: asyncio.Task[Any] | None = None
        self._cancelled = self._cancelled_it = False
        self._cancelling = 0  # how often others had cancelled the task before

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


class AsyncioStead:
    """The place of the task that makes it: what is begun here has that task and one copy of its context."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._task = asyncio.current_task()
        self._context = contextvars.copy_context()

    def begin(self, coroutine: Coroutine[Any, Any, None]) -> Coroutine[Any, Any, None] | None:
        # What asyncio's own eager tasks do: one task steps aside for another. Timeouts, locks and anyio's
        # scopes ask which task it is, and a context variable is reset in the context that it was set in.
        running = asyncio.current_task()
        assert running is not None
        assert self._task is not None
        _leave_task(self._loop, running)
        _enter_task(self._loop, self._task)
        try:
            waits_for = self._context.run(coroutine.send, None)
        except StopIteration:
            return None
        finally:
            _leave_task(self._loop, self._task)
            _enter_task(self._loop, running)
        return self._rest(coroutine, waits_for)

    async def _rest(self, coroutine: Coroutine[Any, Any, None], waits_for: Any) -> None:
        await _resume(coroutine, waits_for, self._context.run)


class AsyncioHome:
    """The asyncio loop that runs in `thread_id`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread_id: int) -> None:
        self.loop = loop
        self._thread_id = thread_id
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references

    def soon(self, call: Callable[[], object]) -> bool:
        if threading.get_ident() == self._thread_id:
            call()
            return True
        try:
            self.loop.call_soon_threadsafe(call)
        except RuntimeError:  # the loop is closed: nobody is left to hear it
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

    def signal(self) -> TaskSignal:
        return AsyncioSignal(self.loop)

    def scope(self) -> Scope:
        return AsyncioScope()

    def pause(self) -> Awaitable[None]:
        return _turn()

    def at_pauses(
        self, run: Callable[[], Coroutine[Any, Any, None]], call: Callable[[], None]
    ) -> Callable[[], Awaitable[None]]:
        return lambda: _with_pauses(run(), call)

    def stead(self) -> AsyncioStead:
        return AsyncioStead(self.loop)

    async def in_thread(self, call: Callable[[], None]) -> None:
        context = contextvars.copy_context()
        try:
            running = self.loop.run_in_executor(_pool(), context.run, call)
        except RuntimeError:  # the interpreter is on its way out, and starts no thread any more
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
            await _resume(writing, waits_for)
        except asyncio.CancelledError:
            if not late.cancelled_it():
                raise
            return False
        finally:
            late.close()
        return True


class _Late:
    """Cancels the current task when a time is up, and can tell that cancelling from another."""

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
    """What asyncio.sleep(0) does, without its own frame."""
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


@types.coroutine
def _with_pauses(
    coroutine: Coroutine[Any, Any, None], call: Callable[[], None]
) -> Generator[Any, Any, None]:
    """Run a coroutine, with a call each time before it waits."""
    resume, sent = coroutine.send, None
    while True:
        try:
            waits_for = resume(sent)
        except StopIteration:
            return
        finally:
            sent = None  # an error leads back here
        call()
        try:
            resume, sent = coroutine.send, (yield waits_for)
        except BaseException as error:
            resume, sent = coroutine.throw, error


@types.coroutine
def _resume(
    coroutine: Coroutine[Any, Any, None],
    waits_for: Any,
    run: Callable[[Callable[[], Any]], Any] = lambda step: step(),
) -> Generator[Any, Any, None]:
    """Go on with a coroutine that was stepped once and gave `waits_for`."""
    step: Callable[[], Any] | None
    while True:
        try:
            sent = yield waits_for
        except BaseException as error:
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, sent)
        try:
            waits_for = run(step)
        except StopIteration:
            return
        finally:
            step = None  # an error in it leads back here


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
