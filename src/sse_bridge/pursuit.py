"""Retries freeing threads from an upstream read until they are in one: on one thread for the whole process.

A source that is to be stopped may not be in a read at that moment: it may be between two reads of one chunk, for
example. And the caller may be an event loop, which must not wait.

Rules of this file:

1. The tries for one thread get ever rarer, and end: one that is in no read by then is stopped at its next chunk.
2. All that is due in a round is checked in one look, and so is what will be due soon: a thousand cost one round.
3. The same thread makes reminder calls: no stream needs a thread of its own to check on its source later.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from math import inf
from time import monotonic
from typing import Protocol

from . import interrupt
from .forks import in_child

FIRST, LONGEST = 0.001, 8.0  # seconds between two tries: soon at first, then ever more patiently
ENDURANCE = 900.0  # seconds until it gives up
ALONG = 4  # a try may come early, by this fraction (1/4) of its pause

_log = logging.getLogger("sse_bridge")


class Place(Protocol):
    """Where a pursued source runs: a thread or a greenlet."""

    @property
    def thread_id(self) -> int | None:
        """The system thread, to see what it is doing; None where that shows nothing."""

    def interrupt(self, unless: Callable[[], bool]) -> bool:
        """Free it if it is blocked in an upstream read; True when there is nothing more to try."""


class _Chase:
    """The pursuit of one place: what to try, and when next."""

    def __init__(self, place: Place, over: Callable[[], bool], now: float) -> None:
        self.place = place
        self._over = over
        self._pause = FIRST
        self._until = now + ENDURANCE
        self.next_at = now

    @property
    def thread_id(self) -> int | None:
        return self.place.thread_id

    def is_due(self, now: float) -> bool:
        return self.next_at - self._pause / ALONG <= now

    def postpone(self, now: float) -> None:
        self._pause = min(self._pause * 2, LONGEST)
        self.next_at = now + self._pause

    def is_over(self, reading: set[int], now: float) -> bool:
        """Try, if that may help; True when there is nothing more to try."""
        try:
            if self._over() or now >= self._until:
                return True
            thread_id = self.place.thread_id
            may_help = thread_id is None or thread_id in reading
            return may_help and self.place.interrupt(self._over)
        except Exception:  # it must not end the tries for others
            _log.exception("stopping a source raised")
            return True


class _Reminder:
    """A call to make once, at a time."""

    thread_id = None

    def __init__(self, call: Callable[[], object], at: float) -> None:
        self._call = call
        self.next_at = at

    def is_due(self, now: float) -> bool:
        return self.next_at <= now

    def postpone(self, now: float) -> None:
        self.next_at = now + LONGEST

    def is_over(self, reading: set[int], now: float) -> bool:
        try:
            self._call()
        except Exception:  # it must not end the tries for others
            _log.exception("checking a source again raised")
        return True


class Pursuit:
    """All pursuits of this process, and all reminder calls."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._chases: list[_Chase | _Reminder] = []
        self._runs = False

    def pursue(self, place: Place, over: Callable[[], bool]) -> None:
        """Free this place on the pursuing thread, now or when it next reads, unless it is `over` by then."""
        self._take(_Chase(place, over, monotonic()))

    def remind(self, call: Callable[[], object], at: float) -> None:
        """Make this call, which must not block, on the pursuing thread, once `monotonic` has reached this time."""
        self._take(_Reminder(call, at))

    def _take(self, chase: _Chase | _Reminder) -> None:
        with self._changed:
            self._chases.append(chase)
            self._changed.notify()
            if not self._runs:
                self._start()

    def _start(self) -> None:
        self._runs = True
        try:
            threading.Thread(target=self._run, name="sse_bridge pursuit", daemon=True).start()
        except RuntimeError:  # no thread could be started: the next caller tries again
            self._runs = False
            _log.exception("stopping a source is delayed: no thread could be started")

    def _run(self) -> None:
        while self._runs:
            try:
                self._round(monotonic())
            except Exception:  # it must not end all tries
                _log.exception("checking the sources to stop raised")
                self._postpone(monotonic())
            with self._changed:
                next_at = min((chase.next_at for chase in self._chases), default=inf)
                self._runs = next_at < inf
                if self._runs:
                    # A reminder may be further away than some platforms can wait.
                    self._changed.wait(min(max(0.0, next_at - monotonic()), ENDURANCE))

    def _round(self, now: float) -> None:
        """Make all tries that are due, or will be soon."""
        due = [chase for chase in self._chases if chase.is_due(now)]
        threads = [chase.thread_id for chase in due]
        reading = interrupt.reading(thread for thread in threads if thread is not None)
        over = {chase for chase in due if chase.is_over(reading, now)}
        self._postpone(now)
        with self._changed:
            self._chases = [chase for chase in self._chases if chase not in over]

    def _postpone(self, now: float) -> None:
        for chase in self._chases:
            if chase.is_due(now):
                chase.postpone(now)


_pursuit = Pursuit()
pursue, remind = _pursuit.pursue, _pursuit.remind

in_child(_pursuit.__init__)  # type: ignore[misc]
