"""What a server shows of itself: that it is about to stop, or that its worker can only serve short responses.

Rules of this file:

1. Nothing of a server is patched, and its own signal handlers are called as always.
2. A signal handler takes no lock: it may interrupt the code that holds it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from types import FrameType
from typing import Any

from .private import (
    LOOPS_CTRL_C,
    gunicorn_stops,
    gunicorn_timeout,
    hypercorn_stops,
    server_of,
    uvicorn_stops,
)
from .registry import streams

_log = logging.getLogger("sse_bridge")

SIGNALS = (signal.SIGTERM, signal.SIGINT)
PIPE_BYTES = 65536  # that a pipe holds, on Linux; one for each signal


class Notice:
    """Whether this process has been told to stop, from `install` on.

    Servers differ in how they are told, and in when. Their handlers may be there already (gunicorn's workers; any
    ASGI server in its lifespan), or they come later and replace ours. So there are four ways to learn of it:
    our own handler, before theirs; the wakeup descriptor, into which Python writes each signal; the server's own
    flag, on the object of its handler, which is also set where a worker is recycled without a signal; and the event
    by which hypercorn tells its workers.
    """

    def __init__(self) -> None:
        self._told = self._heard = False
        # The signal that would end the process, or Python's Ctrl-C, held back so that the streams can end first.
        self.kept_back: int | None = None
        self.theirs: dict[int, Any] = {}  # the handlers that were there before ours
        self._pipe: tuple[int, int] | None = None

    def install(self) -> None:
        """Begin, or begin again for another server; in the main thread of the main interpreter only."""
        self._told = self._heard = False
        self.kept_back = None
        for number in SIGNALS:
            theirs = signal.getsignal(number)
            if theirs in (None, signal.SIG_IGN, self._hear):
                continue  # not Python's, nobody's, or ours already
            if _module(theirs) in LOOPS_CTRL_C:
                continue  # Ctrl-C in a loop: it gives back only what is still its own
            self.theirs[number] = theirs
            signal.signal(number, self._hear)
        if self._pipe is None:
            self._listen()
        self._was_woken()  # by a signal to the server before

    @property
    def is_given(self) -> bool:
        """Whether the process has been told."""
        self._told = (
            self._heard or self._told or self._was_woken() or _server_is_stopping(self.theirs)
        )
        return self._told

    def after_fork(self) -> None:
        """In a forked child: what the parent was told, and what comes through its pipe, does not count here."""
        self._told = self._heard = False
        self.kept_back = None
        if self._pipe is not None:
            self._listen()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        theirs = self.theirs[number]
        is_first, ends = not self._heard, theirs in (signal.SIG_DFL, signal.default_int_handler)
        if ends and is_first and streams.open:
            self._heard, self.kept_back = True, number
        elif callable(theirs):
            # A Ctrl-C that Python raises is left to the code that catches it.
            self._heard = self._heard or not ends
            theirs(number, frame)
        else:
            self._heard = True
            signal.signal(number, theirs)
            os.kill(os.getpid(), number)
            if os.getpid() == 1:  # whom the kernel spares
                os._exit(128 + number)

    def _listen(self) -> None:
        """Have each signal written into a pipe of ours, unless somebody else's descriptor gets them already."""
        pipe, before = os.pipe(), self._pipe
        for descriptor in pipe:
            os.set_blocking(descriptor, False)
        others = signal.set_wakeup_fd(pipe[1], warn_on_full_buffer=False)
        if others == -1 or (before is not None and others == before[1]):
            self._pipe, unused = pipe, before
        else:  # an event loop's, or gunicorn's, whose handlers we have found
            signal.set_wakeup_fd(others)
            unused = pipe
        for descriptor in unused or ():
            os.close(descriptor)

    def _was_woken(self) -> bool:
        if self._pipe is None:
            return False
        try:
            return any(map(self._ends, os.read(self._pipe[0], PIPE_BYTES)))
        except BlockingIOError:
            return False

    def _ends(self, number: int) -> bool:
        """Whether a signal is one that ends the server; Python's Ctrl-C is not: our own handler sees that."""
        if number != signal.SIGINT:
            return number == signal.SIGTERM
        handler = signal.getsignal(signal.SIGINT)
        theirs = self.theirs.get(number) if handler == self._hear else handler
        return theirs is not signal.default_int_handler


def _module(handler: Any) -> str:
    return getattr(getattr(handler, "func", handler), "__module__", "")


def _is_of(server: Any, package: str) -> bool:
    return any(kind.__module__.partition(".")[0] == package for kind in type(server).__mro__)


def _server_is_stopping(handlers: dict[int, Any]) -> bool:
    server = _server(handlers)
    if _is_of(server, "uvicorn"):
        return uvicorn_stops(server)
    if _is_of(server, "gunicorn"):
        return gunicorn_stops(server)
    processes = sys.modules.get("multiprocessing.process")
    return processes is not None and hypercorn_stops(processes.current_process())


def _server(handlers: dict[int, Any]) -> Any:
    """The object whose method the handler of SIGTERM is, leaving ours aside."""
    handler = signal.getsignal(signal.SIGTERM)
    if getattr(handler, "__func__", None) is Notice._hear:
        handler = handlers.get(signal.SIGTERM)
    return server_of(handler)


notice = Notice()


def is_stopping() -> bool:
    """Whether the server is shutting down, as far as it shows that, or the streams were told so."""
    return streams.closing or _server_is_stopping(notice.theirs)


# -- gunicorn's sync worker -------------------------------------------------------------------------

_warned = False


def warn_of_sync_worker(environ: dict[str, Any]) -> None:
    """Warn once that this worker serves one request at a time, and is killed if one takes too long."""
    global _warned
    if _warned or environ.get("wsgi.multithread", True) or "gunicorn.socket" not in environ:
        return
    _warned = True
    timeout = gunicorn_timeout(_server(notice.theirs))
    _log.warning(
        "a stream runs under gunicorn's sync worker: it serves one client at a time, and after %s seconds "
        "(timeout) gunicorn kills it, and the stream with it; use --worker-class gthread --threads 100",
        "so many" if timeout is None else timeout,
    )
