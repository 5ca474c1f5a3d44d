"""What takes a moment, or cannot be done yet, is tried beside the caller, by one thread for the whole process.

A source that is to be stopped may just not be where it can be: between two reads of one chunk, say. And whoever
asks may be an event loop, which must not wait.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

FIRST, LONGEST = 0.001, 0.25  # seconds between two tries: soon at first, then ever more patiently

Try = Callable[[], bool]

_log = logging.getLogger("sse_bridge")


class Pursuit:
    """Tries of which each goes on until it says that it is over."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._tries: list[Try] = []
        self._runs = False
        self._pause = FIRST

    def pursue(self, attempt: Try) -> None:
        """Try now, beside the caller, and again until it is over."""
        with self._changed:
            self._tries.append(attempt)
            self._pause = FIRST
            self._changed.notify()
            if not self._runs:
                self._start()

    def _start(self) -> None:
        try:
            threading.Thread(target=self._run, name="sse_bridge pursuit", daemon=True).start()
            self._runs = True
        except RuntimeError:  # no thread to be had: the next who asks starts one
            _log.exception("stopping a source has to wait")

    def _run(self) -> None:
        while self._try_all():
            with self._changed:
                pause, self._pause = self._pause, min(self._pause * 2, LONGEST)
                self._changed.wait(pause)

    def _try_all(self) -> bool:
        over = [attempt for attempt in self._tries if _is_over(attempt)]
        with self._changed:
            self._tries = [attempt for attempt in self._tries if attempt not in over]
            self._runs = bool(self._tries)
            return self._runs


def _is_over(attempt: Try) -> bool:
    try:
        return attempt()
    except Exception:  # it must not be the end of the others' tries
        _log.exception("stopping a source raised")
        return True


_pursuit = Pursuit()
pursue = _pursuit.pursue

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pursuit.__init__)  # type: ignore[misc]
