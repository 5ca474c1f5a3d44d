"""One timer of an asyncio loop, for the deadlines of all its streams.

Rules of this file:

1. A deadline is rounded up to a grid, whose step is a sixteenth to a thirty-second of the wait, and a second at
   most: so it may be late by that, but never early, and the deadlines of many streams are met in one turn of the
   loop, with warm caches.
2. One turn meets a limited number of deadlines: then the loop's other callbacks run.
3. A waiter is in one bucket at most, and is taken out of it when it stops waiting: nothing is kept alive here.
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from math import frexp, inf
from time import monotonic
from typing import Protocol

AT_ONCE = 64  # deadlines in one turn of the loop
FINEST, COARSEST = 0.001, 1.0  # seconds between the lines of the grid


class Timed(Protocol):
    """Something with a deadline."""

    def on_time(self, now: float) -> None: ...


class Clock:
    """The deadlines of one loop; used in it only."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._times: list[float] = []  # a heap; each has a bucket
        self._buckets: dict[float, set[Timed]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf

    def add(self, timed: Timed, deadline: float, now: float) -> float:
        """Call its `on_time` at the deadline or a little later; returns when, for `remove`."""
        due = _on_grid(deadline, now)
        bucket = self._buckets.get(due)
        if bucket is None:
            bucket = self._buckets[due] = set()
            heappush(self._times, due)
        bucket.add(timed)
        if due < self._timer_at:
            self._arm(due, now)
        return due

    def remove(self, timed: Timed, due: float) -> None:
        """Forget it; the timer then fires in vain, which costs less than moving it for each stream that ends."""
        bucket = self._buckets.get(due)
        if bucket is not None:
            bucket.discard(timed)

    def _arm(self, due: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = due
        self._timer = self._loop.call_later(max(0.0, due - now), self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_at = None, inf
        now = monotonic()
        try:
            self._meet(now)
        finally:  # one that raises does not hold up the others
            self._drop_empty()
            if self._times and self._times[0] < self._timer_at:
                self._arm(self._times[0], now)

    def _meet(self, now: float) -> None:
        left = AT_ONCE
        while left and self._times and self._times[0] <= now:
            bucket = self._buckets[self._times[0]]
            while bucket and left:
                left -= 1
                bucket.pop().on_time(now)
            self._drop_empty()

    def _drop_empty(self) -> None:
        while self._times and not self._buckets[self._times[0]]:
            del self._buckets[heappop(self._times)]


def _on_grid(deadline: float, now: float) -> float:
    """The next line of the grid, which is finer for closer deadlines."""
    wait = deadline - now
    grain = max(FINEST, min(COARSEST, 2.0 ** (frexp(wait)[1] - 5))) if wait > 0 else FINEST
    return (deadline // grain + 1) * grain
