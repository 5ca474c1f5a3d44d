"""Ends a WSGI server's writes that take too long: one thread checks them for the whole process.

A WSGI server writes on its own thread, and a client that does not read blocks that thread in a write.

Rules of this file:

1. A body that gives the server bytes notes that in one attribute, and again when it is asked for more: a write
   costs neither a lock nor a timer.
2. So it is enough to check once per timeout: a write that has begun since then is not yet due. All are checked
   together, instead of each at a time of its own.
3. A stream that is over leaves nothing here. The thread starts with the first stream, stays, and does not survive a
   fork.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from math import inf
from time import monotonic

from ..forks import in_child
from ..watches import Watch

BATCH_BYTES = 64 * 1024  # no single write is larger
LONGEST = 86_400.0  # seconds of one sleep, which no platform refuses

_log = logging.getLogger("sse_bridge")


class Writes:
    """The writes of one response: `since` is when the server was given bytes, ``inf`` while it has none to write.

    Arguments: `timeout`, how long one may take, in seconds; `watch`, whose connection is ended then; `slow`,
    called before that.
    """

    __slots__ = ("_slow", "_timeout", "_watch", "since")

    def __init__(self, timeout: float, watch: Watch, slow: Callable[[], None]) -> None:
        self.since = inf
        self._timeout = timeout
        self._watch: Watch | None = watch
        self._slow = slow

    def look(self, now: float) -> float:
        """End the connection of a write that takes too long; returns when to check again, ``inf`` for never."""
        watch = self._watch
        if watch is None:
            return inf
        due = min(self.since, now) + self._timeout
        if due > now:
            return due
        self._slow()
        watch.break_off()
        return inf

    def end(self) -> None:
        """The response is over."""
        self._watch, self._slow = None, _nobody


class Lookout:
    """Checks all writes when one of them may be due."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[Writes] = set()
        self._runs = False
        self._wakes_at = inf

    def add(self, writes: Writes) -> None:
        """Check these writes from now on, until `remove`."""
        due = writes.look(monotonic())
        self._open.add(writes)
        with self._changed:
            if not self._runs:
                self._start()
            if due < self._wakes_at:
                self._wakes_at = due
                self._changed.notify()

    def remove(self, writes: Writes) -> None:
        """Their response is over. No lock is taken: the garbage collector may call this, on any thread."""
        writes.end()
        self._open.discard(writes)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name="sse_bridge writes", daemon=True).start()
            self._runs = True
        except RuntimeError:  # no thread could be started: the next caller tries again
            _log.exception("ending slow writes is delayed: no thread could be started")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wakes_at = inf  # writes that are added meanwhile set it for themselves
            due = min(map(self._look, list(self._open)), default=inf)
            with self._changed:
                self._wakes_at = min(due, self._wakes_at)
                self._changed.wait(min(max(0.0, self._wakes_at - monotonic()), LONGEST))

    def _look(self, writes: Writes) -> float:
        due = inf
        try:
            due = writes.look(monotonic())
        except Exception:  # it must not end the checks of the others
            _log.exception("ending a slow write raised")
        if due == inf:
            self._open.discard(writes)
        return due


def batches(data: bytes) -> Iterator[bytes]:
    """These bytes, cut into single writes."""
    for at in range(0, len(data), BATCH_BYTES):
        yield data[at : at + BATCH_BYTES]


def _nobody() -> None:
    """Stands for a callback that does nothing."""


_lookout = Lookout()
look_at, forget = _lookout.add, _lookout.remove

in_child(_lookout.__init__)  # type: ignore[misc]
