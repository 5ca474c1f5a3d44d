"""Ways to sleep until woken or until a time, and the loops that async sources run on.

A *signal* has one sleeper and remembers one wake-up; it may wake for nothing. A *home* is an event loop
seen from outside: it runs calls and tasks, whichever thread asks for them.
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
        # another thread for one that nobody can end.
        self._lock.acquire(timeout=min(max(0.0, until - time.monotonic()), 86_400))


class TaskSignal(Protocol):
    """Wakes one sleeping task; `set` is called in the loop."""

    @property
    def sleeps(self) -> bool:
        """Whether somebody waits, and has not been woken."""

    def set(self) -> None: ...
    async def wait(self, until: float = inf) -> None: ...
    def move(self, until: float) -> None:
        """Let whoever waits do so until then."""

    def close(self) -> None: ...


class Running(Protocol):
    """A task, for whoever holds it; `cancel` is called in the loop."""

    def cancel(self) -> object: ...


# What is left of a write, for its own task to go on with; an error that this has met meanwhile is raised in it.
Unfinished = Callable[..., Coroutine[Any, Any, None]]


class StandIn(Protocol):
    """Begins the writes of one task, in its stead."""

    def write(self, data: bytes) -> Unfinished | None:
        """Begin to write this; what is left of it is for that task to go on with."""

    def close(self) -> None: ...


class Ear(Protocol):
    """Hears the client leave, until it is closed."""

    @property
    def turns(self) -> int:
        """After so many turns of the loop it has heard of whoever had left at the start."""

    def look(self) -> None:
        """Hear now what it would hear in the next turn."""

    def close(self) -> None: ...


class Scope(Protocol):
    """Code that can be cancelled; `cancel` is called in the loop."""

    async def run(self, body: Callable[[], Awaitable[None]]) -> None: ...
    def cancel(self) -> None: ...


class Home(Protocol):
    """An event loop, for whoever is inside or outside it."""

    def soon(
        self, call: Callable[[], object], from_elsewhere: Callable[[], object] | None = None
    ) -> bool:
        """Make this call in the loop: at once when already there, else soon; False where the loop is over.

        A loop that knows how makes the call `from_elsewhere` instead, if there is one, when it is called from
        another thread: then no task runs.
        """

    def spawn(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> None:
        """Run this as a task of its own, which the loop keeps; called in the loop.

        It begins in any case: who is cancelled before its first step is cancelled at its first wait.
        """

    def start(
        self, run: Callable[[], Coroutine[Any, Any, None]], context: contextvars.Context
    ) -> Running:
        """The same, but the caller keeps the task: hold on to what this gives."""

    def signal(self, when_due: Callable[[], None] | None = None) -> TaskSignal:
        """A signal; `when_due` is called in the loop, where that is of use, instead of waking who sleeps."""

    def listen(self, receive: Receive, hang_up: Callable[[], None]) -> Ear:
        """Call `hang_up` when ASGI's `receive` tells that the client has left."""

    def scope(self) -> Scope: ...
    def at_pauses(
        self, run: Callable[[], Coroutine[Any, Any, None]], call: Callable[[], None]
    ) -> Callable[[], Awaitable[None]] | None:
        """The same coroutine function, with a call whenever it is about to wait; None where that cannot be."""

    def stand_in(self, write: Callable[[bytes, bool], Awaitable[None]]) -> StandIn | None:
        """For others to begin the calling task's writes; None where that cannot be."""

    def pause(self) -> Awaitable[None]:
        """Let others have a turn."""

    async def in_thread(self, call: Callable[[], None]) -> None:
        """Make a call that may block, beside the loop, in this task's context; it is waited for in any case."""

    async def outlast(self, wait: Callable[[], Awaitable[object]]) -> None:
        """Wait to the end, calling `wait` again if need be, whatever cancels this task: that is raised then."""

    async def within(self, seconds: float, writing: Coroutine[Any, Any, None]) -> bool:
        """Await this, but not for longer; whether it got done."""


def run_in(home: Home, awaitable: Awaitable[Any], context: contextvars.Context) -> Any:
    """Await this in that loop, in `context`, while the calling thread waits; gives or raises what it does.

    Raises `RuntimeError` where that loop is over.
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
        raise RuntimeError("the event loop is over, and awaits nothing any more")
    while not future.done():
        signal.wait()
    return future.result()
