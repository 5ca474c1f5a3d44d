"""Stopping the server: its open streams end first, each with a proper ending.

Rules of this file:

1. Importing it changes nothing. `shutdown_on_signal` is the only thing here that installs something.
2. Waiting is done on a thread of its own, which starts with the first stream, or with the shutdown.
3. A shutdown after a signal is final; after one that the app asked for itself, streams may open again
   once its grace period is over and all have ended.
"""

from __future__ import annotations

import logging
import os
import threading
import time  # its `sleep` is asked for each time: gevent may replace it later
from collections.abc import Callable
from functools import cache, partial
from math import inf
from time import monotonic
from typing import Any

from .forks import in_child
from .notice import notice
from .registry import streams

_log = logging.getLogger("sse_bridge")

EVERY = 0.1  # seconds between two checks of what sends no notification
LAST_PATIENCE = 6.0  # seconds for streams that were told to end: `cleanup_timeout`, and some more


def shutdown(grace: float) -> None:
    """Give the open streams some time to finish, then end them as ``shutdown``; new ones are refused with 503.

    It returns at once. It may be called from any thread or task, and again with a shorter grace period.

    Arguments: `grace`, the grace period in seconds, 0 for none. Raises `ValueError` for a negative one.
    """
    _check(grace)
    if (run := _shutdown.begin(grace)) is not None:
        threading.Thread(target=run, name="sse_bridge shutdown", daemon=True).start()


def shutdown_on_signal(grace: float) -> None:
    """From now on, call `shutdown` when the server is told to stop, or when its worker is recycled.

    Call it where the page "Deploy" says for your server. The server's own handlers stay in force.

    Outside the main thread, and in mod_wsgi's sub-interpreters, there are no signals: there it only logs a
    warning, and you have to call `shutdown` yourself.

    Arguments: `grace`, the grace period in seconds, 0 for none. Raises `ValueError` for a negative one.
    """
    _check(grace)
    try:
        if threading.current_thread() is threading.main_thread():
            _lookout.begin(grace)
            return
    except ValueError:  # of `signal`, in a sub-interpreter
        pass
    _warn_of_no_signals()


def closing() -> bool:
    """Whether the server is shutting down: a source that asks may still send a last chunk in the grace period."""
    return streams.closing


def forget() -> None:
    """Forget a shutdown that was asked for, or is under way: it was that of an earlier server."""
    _shutdown.forget()
    streams.reopen()


@cache
def _warn_of_no_signals() -> None:
    _log.warning(
        "shutdown_on_signal: only the main thread of the main interpreter receives signals; here, call "
        "shutdown() yourself"
    )


def _check(grace: Any) -> None:
    if isinstance(grace, bool) or not isinstance(grace, (int, float)) or not 0 <= grace < inf:
        raise ValueError(f"grace must be a number of seconds, 0 or more, got {grace!r}")


class _Shutdown:
    """A shutdown under way."""

    def __init__(self) -> None:
        # A signal handler may call `shutdown` while its own thread does.
        self._lock = threading.RLock()
        self._until = inf
        self._is_final = False
        self._number = 0  # of the server that is shut down

    def begin(self, grace: float, *, final: bool = False) -> Callable[[], None] | None:
        """Begin, or end sooner what has begun; returns what is to run on a thread, None where it runs already."""
        with self._lock:
            if self._is_final:  # there is nothing more to begin
                return None
            runs = self._until < inf
            self._is_final = final
            self._until = min(self._until, monotonic() + grace)
            streams.close()
            return None if runs else partial(self._run, self._number)

    def forget(self) -> None:
        """Forget it, so that another one may begin."""
        with self._lock:
            self._number += 1
            self._until, self._is_final = inf, False

    def _has_grace(self) -> bool:
        return monotonic() < self._until and (streams.open > 0 or not self._is_final)

    def _run(self, number: int) -> None:
        while number == self._number and self._has_grace():
            time.sleep(min(EVERY, max(0.0, self._until - monotonic())))
        if number != self._number:
            return
        streams.shut_down()
        patience = monotonic() + LAST_PATIENCE
        while streams.open and (monotonic() < patience or not self._is_final):
            time.sleep(EVERY / 10)
        with self._lock:
            if number != self._number:
                return
            self._until = inf
            if not self._is_final:
                streams.reopen()
        if notice.kept_back is not None:
            time.sleep(EVERY)  # the server may still be writing the end of the last answer
            os.kill(os.getpid(), notice.kept_back)


class _Lookout:
    """Checks whether the server is about to stop, from the first stream on."""

    def __init__(self) -> None:
        self._grace: float | None = None  # seconds; None: `shutdown_on_signal` was not called
        self._runs = False
        self._number = 0  # of the server that is looked at

    def begin(self, grace: float) -> None:
        """Begin, or begin again for another server in this process."""
        notice.install()
        self._runs = False
        self._number += 1
        self._grace = grace
        forget()
        streams.look = self._look
        if streams.open:
            self._look()

    def after_fork(self) -> None:
        """In a forked child: the parent's thread is not here, and what the parent was told does not count."""
        self._runs = False
        if self._grace is not None:
            notice.after_fork()
            streams.look = self._look

    def _look(self) -> None:
        # A stream that opens at this very moment is let in: gunicorn recycles its worker after such a request.
        if not self._runs:
            self._runs = True
            run = partial(self._run, self._number)
            threading.Thread(target=run, name="sse_bridge lookout", daemon=True).start()

    def _run(self, number: int) -> None:
        while not notice.is_given:
            time.sleep(EVERY)
            if number != self._number:
                return
        assert self._grace is not None, "somebody asked"
        # On this thread: a server that is shutting down may not be able to start another one.
        if (run := _shutdown.begin(self._grace, final=True)) is not None:
            run()


_shutdown = _Shutdown()
_lookout = _Lookout()

in_child(_shutdown.__init__)  # type: ignore[misc]
in_child(_lookout.after_fork)
