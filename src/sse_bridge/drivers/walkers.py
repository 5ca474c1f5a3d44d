"""Threads for sources: a fresh one for each, or one that has already run the view or the app of the request.

What a framework keeps in thread-locals, or a database lets only one thread use, is found on one thread only.
So a `Walker` runs a whole view or app, then iterates what that returned, while the server's thread waits.

Rules of this file:

1. All calls are made on one thread, in one context, one after the other.
2. What only the server's own thread may do (PEP 3333's `start_response` and `write`), it does while it waits.
3. A walker ends when it is told to, never by itself: what it has made may need it to be closed.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from math import inf
from time import monotonic
from typing import Any, Protocol

from .. import interrupt, pursuit
from ..forks import in_child
from ..loops.base import Home, ThreadSignal
from ..loops.gevent import threads_are_greenlets
from ..pursuit import Place
from ..registry import TooManyThreads
from ..watches import Watch, sleep
from . import sources

Call = Callable[[], Any]


class Threads(Protocol):
    """Where sync sources run."""

    def check(self) -> None:
        """Raise `TooManyThreads` if there is no room for one more."""

    def spawn(self, context: contextvars.Context, call: Call) -> Place:
        """Make this call in `context`, as soon as possible."""

    def discard(self, source: Any, home: Callable[[], Home]) -> None:
        """Close a source that will not be run; an async one in the loop of `home`."""


class OwnThreads:
    """A fresh thread for each source, `most` of them at a time; those that outlive their streams count."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._running: set[object] = set()

    @property
    def running(self) -> int:
        """How many threads run."""
        return len(self._running)

    def check(self) -> None:
        if self.running >= self._most and not threads_are_greenlets():
            raise TooManyThreads(
                f"{self.running} threads run sync sources; {MOST_THREADS} allows {self._most}"
            )

    def start(self, context: contextvars.Context, call: Call) -> OwnThread:
        """Make this call in `context`, on a thread that counts until it has made it; raises `TooManyThreads`."""
        mine = object()
        try:
            with self._lock:
                self.check()
                self._running.add(mine)
            return OwnThread(context, lambda: self._run(call, mine))
        except BaseException:  # no thread could be started
            self._running.discard(mine)
            raise

    def spawn(self, context: contextvars.Context, call: Call) -> Place:
        return self.start(context, call)

    def discard(self, source: Any, home: Callable[[], Home]) -> None:
        sources.discard(source, home)

    def forget(self) -> None:
        """In a forked child none of them runs."""
        self.__init__(self._most)  # type: ignore[misc]

    def _run(self, call: Call, mine: object) -> None:
        try:
            call()
        finally:
            self._running.discard(mine)


# Far more than any server's own pool has, and far less than what a machine breaks down under.
MOST_THREADS, DEFAULT_MOST = "SSE_BRIDGE_MAX_THREADS", 500


def _most_threads() -> int:
    given = os.environ.get(MOST_THREADS, str(DEFAULT_MOST))
    if not given.isdecimal() or int(given) < 1:
        raise ValueError(f"{MOST_THREADS} must be a whole number, 1 or more, got {given!r}")
    return int(given)


own_threads = OwnThreads(_most_threads())

in_child(own_threads.forget)


class OwnThread:
    """A fresh thread that makes one call in `context`; it is freed from an upstream read at most once.

    A second time would interrupt the cleanup that the first one has begun in the HTTP client.
    """

    def __init__(self, context: contextvars.Context, call: Call) -> None:
        self._call = call
        self._number, self._freed = 0, -1  # the current call's number, and the last freed one's
        self._greenlet: interrupt.Blocked | None = None
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="sse_bridge source", daemon=True
        )
        self._thread.start()

    @property
    def thread_id(self) -> int | None:
        return self._thread.ident if self._greenlet is None else None

    def interrupt(self, unless: Callable[[], bool]) -> bool:
        if self._greenlet is not None:
            return self._greenlet.interrupt(unless=unless)
        assert self._thread.ident is not None  # it was started
        number = self._number
        if self._freed != number and interrupt.interrupt(self._thread.ident, unless=unless):
            self._freed = number  # by now it may be at the next call
        return self._freed == number

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return self._thread.ident == threading.get_ident()

    def renew(self) -> None:
        """Called on the thread: from now on it may be freed once more."""
        self._number += 1
        self._greenlet = interrupt.current_greenlet()

    def _run(self) -> None:
        self.renew()
        call, self._call = self._call, _nothing
        call()


class Errand:
    """A call that is made on another thread, and its outcome."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._value: Any = None
        self._error: BaseException | None = None
        self.done = False

    def run(self) -> None:
        """Make the call; it raises nothing, but keeps what was raised."""
        try:
            self._value = self._call()
        except BaseException as error:
            self._error = error
        self._call = _nothing
        self.done = True

    def result(self) -> Any:
        """What it returned; raises what it raised. To be called once."""
        value, error = self._value, self._error
        self._value = self._error = None
        try:
            if error is not None:
                raise error
            return value
        finally:
            del error  # it leads back here


class Pending(Exception):
    """The call still runs; `errand` will have its outcome."""

    def __init__(self, errand: Errand) -> None:
        super().__init__("the call still runs")
        self.errand = errand


class Walker:
    """One thread that makes call after call for a request, in `context`, until it is told to end.

    Arguments: `context`; `last`, called there before it ends; `interrupts`, whether it may be freed from an
    upstream read when its client has disconnected.
    """

    def __init__(
        self, context: contextvars.Context, last: Call | None = None, *, interrupts: bool
    ) -> None:
        self.context = context
        self.lent = False  # whether a stream still uses it, and will end it
        self._last = last or _nothing
        self._interrupts = interrupts
        self._ends = threading.Lock()  # taken by the one who ends it
        self._orders: deque[Call | None] = deque()
        self._asked: deque[Errand] = deque()
        self._ordered, self._answered, self._news = ThreadSignal(), ThreadSignal(), ThreadSignal()
        self._left = self._deserted = False
        self._pending: Errand | None = None
        self._thread = own_threads.start(context, self._run)

    def do(self, call: Call, watch: Watch | None = None, until: float = inf) -> Any:
        """Have the call made, wait for it, and return or raise its outcome; raises `Pending` at `until`.

        When the client has disconnected, or may have, `Pending` is raised at once, since a write will then show it;
        without an `until` nothing can be written, and the call is freed from its upstream read.
        """
        if self._ends.locked():
            raise RuntimeError("the request is over, and its thread has ended")
        errand = Errand(call)
        self._order(errand.run)
        try:
            if watch is not None:
                watch.start(self.hang_up, self.hang_up)
            self._wait_for(errand, watch, until)
        except BaseException:  # the server's own timeout, for example
            self._deserted = True
            self._answered.set()
            self.free(errand)
            raise
        if not errand.done:
            self._pending = errand
            raise Pending(errand)
        return errand.result()

    def ask(self, call: Call) -> Any:
        """Have this call made by the thread that waits for the walker, which may be the caller's own."""
        if not self._thread.is_current():
            return call()
        errand = Errand(call)
        self._asked.append(errand)
        self._news.set()
        while not errand.done:
            if self._deserted:
                raise RuntimeError("the server does not wait for this request any more")
            self._answered.wait()
        return errand.result()

    def check(self) -> None:
        """There is room: the thread exists already."""

    def spawn(self, context: contextvars.Context, call: Call) -> Place:
        """Run a worker's source here, instead of in `context` on a thread of its own."""
        self._order(call)
        return self

    def discard(self, source: Any, home: Callable[[], Home]) -> None:
        """Close it here once the current call is over, which is freed from an upstream read."""
        if self._pending is not None:
            self.free(self._pending)
        if sources.is_async(source) or self._ends.locked():
            sources.discard(source, home)
        else:
            self._order(lambda: sources.close_sync(None, source))

    def hang_up(self) -> None:
        """The client has disconnected, or may have, or the server is about to stop."""
        self._left = True
        self._news.set()

    @property
    def thread_id(self) -> int | None:
        return self._thread.thread_id

    def interrupt(self, unless: Callable[[], bool]) -> bool:
        return self._thread.interrupt(unless)

    def free(self, errand: Errand) -> None:
        """Free this call from the upstream read that it may be blocked in."""
        if self._interrupts:
            pursuit.pursue(self, lambda: errand.done)

    def end(self) -> None:
        """Make the last call, and end: at once on its own thread, else after the calls that are waiting."""
        if not self._ends.acquire(blocking=False):
            return
        if self._thread.is_current():
            self._say_last()
        else:
            self._order(self._say_last)
        self._order(None)

    # -- inside -----------------------------------------------------------------------------------

    def _say_last(self) -> None:
        last, self._last = self._last, _nothing
        try:
            last()
        except BaseException as error:
            sources.report_cleanup(error)

    def _order(self, call: Call | None) -> None:
        self._orders.append(call)
        self._ordered.set()

    def _run(self) -> None:
        while (call := self._next_order()) is not None:
            self._thread.renew()
            call()
            del call  # nothing of it is kept while it waits for the next
            self._news.set()

    def _next_order(self) -> Call | None:
        while not self._orders:
            self._ordered.wait()
        return self._orders.popleft()

    def _wait_for(self, errand: Errand, watch: Watch | None, until: float) -> None:
        while not errand.done and monotonic() < until:
            if self._asked:
                self._asked.popleft().run()
                self._answered.set()
            elif self._left:
                if until < inf:
                    return
                self._left, watch = False, None  # reported once, and not checked any more
                self.free(errand)
            else:
                sleep(self._news, watch, monotonic(), until)


class Walked(Iterator[Any]):
    """An iterable for the server that is iterated and closed on the thread that made it; then its walker ends."""

    def __init__(self, walker: Walker, items: Iterable[Any]) -> None:
        walker.lent = True
        self._walker, self._items = walker, items
        self._next: Call | None = None
        self._closed = False

    def __next__(self) -> Any:
        if self._closed:
            raise StopIteration
        if self._next is None:
            self._next = self._walker.do(lambda: iter(self._items).__next__)
        return self._walker.do(self._next)

    def close(self) -> None:
        """The server is done with it."""
        if self._closed:
            return
        self._closed = True
        try:
            if (close := getattr(self._items, "close", None)) is not None:
                self._walker.do(close)
        finally:
            self._walker.end()

    def __del__(self) -> None:
        self._walker.end()


def _nothing() -> None:
    """Stands for a callback that does nothing."""
