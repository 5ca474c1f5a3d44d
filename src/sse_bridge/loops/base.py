"""Ways to sleep until woken or until a time, and the loops that async sources run on.

A *signal* has one sleeper and remembers one wake-up; it may wake spuriously. A *home* is an event loop
seen from outside: it runs calls and tasks for any thread.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from math import inf
from typing import Any, Protocol

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ThreadSignal:
    """Wakes one sleeping thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def set(self) -> None:
        try:
            self._lock.release()
        except RuntimeError:  # it is set already
            pass

    def wait(self, until: float = inf) -> None:
        """Sleep until set, or until that time of the monotonic clock."""
        # A day is as good as for ever, and no platform refuses it. Without a timer gevent would take a wait for
        # another thread for a deadlock.
        self._lock.acquire(timeout=min(max(0.0, until - time.monotonic()), 86_400))


class TaskSignal(Protocol):
    """Wakes one sleeping task; `set` is called in the loop."""

    @property
    def sleeps(self) -> bool:
        """Whether somebody waits, and has not been woken."""

    def set(self) -> None: ...
    async def wait(self, until: float = inf) -> None: ...
    def move(self, until: float) -> None:
        """Move the deadline of the one who waits."""

    def close(self) -> None: ...


class Running(Protocol):
    """A running task, as its holder sees it; `cancel` is called in the loop."""

    def cancel(self) -> object: ...


# The rest of a write, for its own task to finish; an error that the task has met meanwhile is raised in it.
Unfinished = Callable[..., Coroutine[Any, Any, None]]


class StandIn(Protocol):
    """Begins the writes of one task, in its stead."""

    def write(self, data: bytes) -> Unfinished | None:
        """Begin to write this; returns the rest of the write, for that task to finish."""

    def close(self) -> None: ...


class Ear(Protocol):
    """Listens for the client's disconnect, until it is closed."""

    @property
    def turns(self) -> int:
        """After so many turns of the loop it knows whether the client had disconnected at the start."""

    def look(self) -> None:
        """Look now for what it would learn in the next turn."""

    def close(self) -> None: ...


class Scope(Protocol):
    """Code that can be cancelled; `cancel` is called in the loop."""

    async def run(self, body: Callable[[], Awaitable[None]]) -> None: ...
    def cancel(self) -> None: ...


class Home(Protocol):
    """An event loop, for callers inside and outside of it."""

    def soon(
        self, call: Callable[[], object], from_elsewhere: Callable[[], object] | None = None
    ) -> bool:
        """Make this call in the loop: at once when already there, else soon; False if the loop is closed.

        Called from another thread, a loop that can makes the call `from_elsewhere` instead, if one is given:
        then no task runs.
        """

    def spawn(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> None:
        """Run this as a task of its own, which the loop keeps; called in the loop.

        It begins in any case: a task that is cancelled before its first step is cancelled at its first wait.
        """

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> Running:
        """The same, but the caller has to keep the task: hold on to what this returns."""

    def signal(self, when_due: Callable[[], None] | None = None) -> TaskSignal:
        """A signal; where the loop can, it calls `when_due` at the deadline instead of waking the sleeper."""

    def listen(self, receive: Receive, hang_up: Callable[[], None]) -> Ear:
        """Call `hang_up` when ASGI's `receive` reports that the client has disconnected."""

    def scope(self) -> Scope: ...
    def at_pauses(
        self, run: Callable[[], Coroutine[Any, Any, None]], call: Callable[[], None]
    ) -> Callable[[], Awaitable[None]] | None:
        """The same coroutine function, with a call whenever it is about to wait; None where that is impossible."""

    def stand_in(self, write: Callable[[bytes, bool], Awaitable[None]]) -> StandIn | None:
        """An object with which others begin the calling task's writes; None where that is impossible."""

    def pause(self) -> Awaitable[None]:
        """Let other tasks run."""

    async def in_thread(self, call: Callable[[], None]) -> None:
        """Make a call that may block, in a thread, in this task's context; it is waited for in any case."""

    async def outlast(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Wait to the end, whatever cancels this task, by calling `wait` again; the cancellation is raised then."""

    async def within(self, seconds: float, writing: Coroutine[Any, Any, None]) -> bool:
        """Await this for so many seconds at most; whether it got done."""


def run_in(home: Home, awaitable: Awaitable[Any], context: contextvars.Context) -> Any:
    """Await this in that loop, in `context`, while the calling thread waits; returns or raises what it does.

    Raises `RuntimeError` if that loop is closed.
    """
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    signal = ThreadSignal()
    future.add_done_callback(lambda _: signal.set())

    async def run() -> None:
        try:
            future.set_result(await awaitable)
        except BaseException as error:
            future.set_exception(error)

    if not home.soon(lambda: home.spawn(run, context)):
        if inspect.iscoroutine(awaitable):
            awaitable.close()
        raise RuntimeError("the event loop is closed and can await nothing any more")
    while not future.done():
        signal.wait()
    return future.result()
