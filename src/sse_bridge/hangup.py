"""Detects that a WSGI client has disconnected (hung up), while nothing is written to it.

WSGI has no message for a disconnect, so each server's own handle on the connection is used: its file descriptor,
and for nothing but asking the kernel. Not a byte is read, and the server's own socket is never touched. The one
exception is a client that does not read: the same handle ends the write in which it holds the server's thread.

Rules of this file:

1. What is watched is a duplicate of the descriptor: the server may close its own, and the number be used again.
2. A live duplicate holds back the server's own FIN: it is closed with the body, which a server closes first.
3. A client that closed only its sending side looks disconnected, until something is written to it.
   So such a client is *doubtful*: a ping is written, and the kernel then shows whether it has disconnected.
4. One thread watches for the whole process. It starts with the first watch and does not survive a fork.
5. It calls back, and forgets a watch, under one lock: after `stop` no callback is made, and no event of a closed
   connection touches the next one, which may have been given the same number. Nor does `break_off`.
"""

from __future__ import annotations

import _socket
import importlib
import io
import os
import select
import socket
import stat
import struct
import time
from _thread import RLock
from collections.abc import Callable
from functools import partial
from typing import Any

from . import notice
from .forks import in_child
from .hangup_a2wsgi import AsgiWatch
from .loops.gevent import original, start_system_thread
from .private import innermost_reader, is_a2wsgis, waitress_socket
from .watches import Watch

Call = Callable[[], None]

# The kernel's flags, which the select module lacks where the platform does.
_RDHUP = getattr(select, "POLLRDHUP", 0)
_HUP = (
    getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0) | getattr(select, "POLLNVAL", 0)
)

PROBE = 0.5  # seconds between two looks, where no thread can watch
CLOSER = 0.01  # and between the first two looks at a doubtful client


def watch(environ: dict[str, Any]) -> Watch | None:
    """The watch that this request's server allows; None for a request without a connection, as in tests."""
    notice.warn_of_sync_worker(environ)
    body = environ.get("wsgi.input")
    if is_a2wsgis(body):
        return AsgiWatch(environ)
    descriptor = client_descriptor(environ) if _RDHUP else None
    if descriptor is not None:
        try:
            # Streams of HTTP/2 share a connection, which none of them may end.
            shared = environ.get("SERVER_PROTOCOL", "").startswith("HTTP/2")
            return DescriptorWatch(descriptor, breaks=not shared)
        except OSError:  # no descriptor left for the duplicate
            return BlindWatch()
    return None if isinstance(body, io.BytesIO) else BlindWatch()


def client_descriptor(environ: dict[str, Any]) -> int | None:
    """The file descriptor of the client's connection, from the server's own handle; None where there is none."""
    try:
        for key in ("gunicorn.socket", "werkzeug.socket"):
            if key in environ:
                return _valid(environ[key].fileno())
        if "waitress.client_disconnected" in environ:
            return _valid(waitress_socket(environ["waitress.client_disconnected"]).fileno())
        if "uwsgi.version" in environ:
            uwsgi: Any = importlib.import_module("uwsgi")  # which exists within its own server only
            return _valid(uwsgi.connection_fd())
        return _valid(_input_descriptor(environ.get("wsgi.input")))
    except (AttributeError, OSError, ValueError, ImportError, io.UnsupportedOperation):
        return None  # not the handle that we know: then only a failed write shows a disconnect


def _input_descriptor(body: Any) -> int:
    """The descriptor that the request's body is read from: under cheroot and wsgiref, the connection itself."""
    descriptor = int(innermost_reader(body).fileno())
    if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
        raise ValueError("the request's body is not read from a connection")
    return descriptor


def _valid(descriptor: int) -> int | None:
    return descriptor if descriptor >= 0 else None


class DescriptorWatch:
    """Watches a connection by its descriptor: on the process's thread, or by a `check` each `every` seconds."""

    second_ping: float | None = None

    def __init__(self, descriptor: int, *, breaks: bool = True) -> None:
        self.every: float | None = None
        self.breaks = breaks
        self.descriptor = os.dup(descriptor)
        self._doubted = self._told = False
        self._doubt: Call = _nobody
        self._gone: Call = _nobody

    def start(self, doubt: Call, gone: Call) -> None:
        self._doubt, self._gone = doubt, gone
        if self.every is None and not _watcher.add(self):
            self.every = PROBE

    def check(self) -> None:
        """Ask the kernel and call back; it is asked again, since an event may be about an older connection."""
        state = self._state()
        if state & _HUP:
            self._told = True
            self._gone()
        elif self._doubted:
            self._look_less_often()
        elif state & _RDHUP:
            self._doubted = True
            if self.every is not None:
                self.every = CLOSER
            self._doubt()

    @property
    def wants(self) -> int | None:
        """The events to wait for; 0 once in doubt, for those that settle it always come; None: no more events."""
        if self._told:
            return None
        return 0 if self._doubted else _RDHUP

    def is_doubtful(self) -> bool:
        self._doubted = self._state() != 0  # the caller knows it then, and gets no callback for it
        return self._doubted

    def has_left(self, within: float) -> bool:
        end = time.monotonic() + within
        while not self._state() & _HUP:
            if time.monotonic() >= end:
                return False
            time.sleep(0.002)  # not in a poll: under gevent other greenlets must run
        return True

    def break_off(self) -> None:
        with _watcher.lock:
            if self.descriptor >= 0:
                _break_off(self.descriptor)

    def stop(self) -> None:
        with _watcher.lock:
            if self.descriptor >= 0:
                _watcher.remove(self.descriptor)
                self._doubt = self._gone = _nobody
                descriptor, self.descriptor = self.descriptor, -1
                os.close(descriptor)

    def _look_less_often(self) -> None:
        """A client that closed only its sending side may go on reading for long."""
        if self.every is not None:
            self.every = min(self.every * 2, PROBE)

    def _state(self) -> int:
        if self.descriptor < 0:
            return 0
        poll = original(select, "poll")()
        poll.register(self.descriptor, _RDHUP)
        return sum(event for _, event in poll.poll(0))


def _break_off(descriptor: int) -> None:
    """Make a blocked write to it fail; what the kernel still has to send is discarded at the close."""
    connection = _socket.socket(fileno=descriptor)  # the system's own, also under gevent
    try:
        # It ends with a reset: where the body ends with the connection, this one must not look complete.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the client has disconnected meanwhile
        pass
    finally:
        connection.detach()


class BlindWatch:
    """The watch where the server shows no handle: there, only a failed write shows a disconnect."""

    every: float | None = None
    second_ping: float | None = 0.02
    breaks: bool = False

    def start(self, doubt: Call, gone: Call) -> None: ...
    def check(self) -> None: ...
    def is_doubtful(self) -> bool:
        return False

    def has_left(self, within: float) -> bool:
        return False

    def break_off(self) -> None: ...
    def stop(self) -> None: ...


class _Watcher:
    """The process's thread that waits for the kernel's events on all watched connections."""

    def __init__(self) -> None:
        # Re-entrant: the garbage collector may stop a forgotten watch at any moment.
        # The system's own lock, also under gevent, since the watching thread is not a greenlet.
        self.lock = RLock()
        self._epoll: Any = None
        self._watches: dict[int, DescriptorWatch] = {}

    def add(self, watch: DescriptorWatch) -> bool:
        """Watch from now on; False where the system has no descriptor or thread left."""
        with self.lock:
            try:
                self._ensure_running()
                self._epoll.register(watch.descriptor, (watch.wants or 0) | select.EPOLLONESHOT)
            except (OSError, RuntimeError):  # no descriptor or no thread is left
                return False
            self._watches[watch.descriptor] = watch
        return True

    def remove(self, descriptor: int) -> None:
        with self.lock:
            if self._watches.pop(descriptor, None) is not None:
                self._epoll.unregister(descriptor)

    def _ensure_running(self) -> None:
        if self._epoll is None:
            epoll = original(select, "epoll")()
            start_system_thread(partial(self._run, epoll), "sse_bridge hang-ups")
            self._epoll = epoll

    def _run(self, epoll: Any) -> None:
        while True:
            for descriptor, _ in epoll.poll():
                with self.lock:
                    self._look(epoll, descriptor)

    def _look(self, epoll: Any, descriptor: int) -> None:
        watch = self._watches.get(descriptor)
        if watch is None:
            return
        watch.check()
        if watch.wants is not None and self._watches.get(descriptor) is watch:
            epoll.modify(descriptor, watch.wants | select.EPOLLONESHOT)


_watcher = _Watcher()

in_child(_watcher.__init__)  # type: ignore[misc]


def _nobody() -> None:
    """Stands for a callback where none is to be made."""
