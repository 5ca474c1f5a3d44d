"""The event loop that async sources of WSGI apps run on."""

from __future__ import annotations

import asyncio
import logging
import threading

from ..forks import in_child
from .asyncio import AsyncioHome
from .base import Home, ThreadSignal
from .gevent import Greenlets, start_system_thread, threads_are_greenlets

_log = logging.getLogger("sse_bridge")


class _Background:
    """One loop per process, made when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._home: AsyncioHome | None = None

    def home(self) -> Home:
        with self._lock:
            if self._home is None:
                self._home = self._start()
            return self._home

    def _start(self) -> AsyncioHome:
        started, homes = ThreadSignal(), []

        def run() -> None:
            loop = asyncio.new_event_loop()
            if threads_are_greenlets():
                loop.set_default_executor(Greenlets())
            homes.append(AsyncioHome(loop, threading.get_ident()))
            started.set()
            try:
                _run_for_good(loop)
            finally:  # the loop is broken: the next stream gets a new one
                self._home = None

        start_system_thread(run, "sse_bridge loop")
        while not homes:
            started.wait()
        return homes[0]


def _run_for_good(loop: asyncio.AbstractEventLoop) -> None:
    """Run on even if a task asks the process to exit, or stops the loop, which all streams share."""
    while True:
        try:
            loop.run_forever()
        except (SystemExit, KeyboardInterrupt):
            _log.exception(
                "a task tried to stop the event loop that all streams share; it keeps running"
            )


_background = _Background()
background_home = _background.home

# The loop's thread does not survive a fork, nor may a lock that was held at that moment.
in_child(_background.__init__)  # type: ignore[misc]
