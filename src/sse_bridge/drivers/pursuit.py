"""What could not be done at once is tried again, by one thread for the whole process.

A source that is to be stopped may just not be where it can be: between two reads of one chunk, say.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

FIRST, LONGEST = 0.001, 0.25  # seconds between two tries: soon at first, then ever more patiently

Try = Callable[[], bool]


class Pursuit:
    """Tries of which each goes on until it says that it is over."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tries: list[Try] = []
        self._runs = False
        self._pause = FIRST

    def pursue(self, attempt: Try) -> None:
        """Try at once; if that was not the end of it, again and again beside the caller."""
        if attempt():
            return
        with self._lock:
            self._tries.append(attempt)
            self._pause = FIRST
            if not self._runs:
                self._runs = True
                threading.Thread(target=self._run, name="sse_bridge pursuit", daemon=True).start()

    def _run(self) -> None:
        while self._try_all():
            time.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST)

    def _try_all(self) -> bool:
        over = [attempt for attempt in self._tries if attempt()]
        with self._lock:
            self._tries = [attempt for attempt in self._tries if attempt not in over]
            self._runs = bool(self._tries)
            return self._runs


_pursuit = Pursuit()
pursue = _pursuit.pursue

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pursuit.__init__)  # type: ignore[misc]
