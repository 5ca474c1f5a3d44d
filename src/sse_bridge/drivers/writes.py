"""Writes that take too long, where the server makes them: looked at by one thread for the whole process.

A WSGI server writes on its own thread, and a client that does not read holds that thread in it.

Rules of this file:

1. Who gives the server bytes says so in one attribute, and again when it is asked for more: a write costs neither
   a lock nor a timer.
2. So it is enough to look once in a time-out: what has begun since then is not yet due. All are looked at together,
   or each would want a time of its own.
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
LONGEST = 86_400.0  # seconds of one sleep: no platform refuses them

_log = logging.getLogger("sse_bridge")


class Writes:
    """The writes of one answer: `since` is when the server was given its bytes, ``inf`` while it has none to write.

    Arguments: `timeout`, how long one may take, in seconds; `watch`, whose connection is broken off then; `slow`,
    called before that.
    """

    __slots__ = ("_slow", "_timeout", "_watch", "since")

    def __init__(self, timeout: float, watch: Watch, slow: Callable[[], None]) -> None:
        self.since = inf
        self._timeout = timeout
        self._watch: Watch | None = watch
        self._slow = slow

    def look(self, now: float) -> float:
        """Break off a write that takes too long; when to look again, ``inf`` for never."""
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
        """The answer is over."""
        self._watch, self._slow = None, _nobody


class Lookout:
    """Looks at writes when one of them may be due."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[Writes] = set()
        self._runs = False
        self._wakes_at = inf

    def add(self, writes: Writes) -> None:
        """Look at these now and then, until `remove`."""
        due = writes.look(monotonic())
        self._open.add(writes)
        with self._changed:
            if not self._runs:
                self._start()
            if due < self._wakes_at:
                self._wakes_at = due
                self._changed.notify()

    def remove(self, writes: Writes) -> None:
        """Their answer is over. No lock is taken: the collector may call, on any thread."""
        writes.end()
        self._open.discard(writes)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name="sse_bridge writes", daemon=True).start()
            self._runs = True
        except RuntimeError:  # no thread to be had: the next who asks starts one
            _log.exception("a write that takes too long has to wait")

    def _run(self) -> None:
        while True:
            with self._changed:
                self._wakes_at = inf  # who comes while it looks says for himself when to look again
            due = min(map(self._look, list(self._open)), default=inf)
            with self._changed:
                self._wakes_at = min(due, self._wakes_at)
                self._changed.wait(min(max(0.0, self._wakes_at - monotonic()), LONGEST))

    def _look(self, writes: Writes) -> float:
        due = inf
        try:
            due = writes.look(monotonic())
        except Exception:  # it must not be the end of the others' looks
            _log.exception("breaking off a write raised")
        if due == inf:
            self._open.discard(writes)
        return due


def batches(data: bytes) -> Iterator[bytes]:
    """These bytes in single writes."""
    for at in range(0, len(data), BATCH_BYTES):
        yield data[at : at + BATCH_BYTES]


def _nobody() -> None:
    """Nobody is to be told."""


_lookout = Lookout()
look_at, forget = _lookout.add, _lookout.remove

in_child(_lookout.__init__)  # type: ignore[misc]
