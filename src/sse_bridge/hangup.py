"""Has this WSGI client hung up? Watched while nothing is written to it.

WSGI has no word for it, so each server's own handle on the connection is used, by its file descriptor and
for nothing but asking the kernel: not a byte is read, and the server's own socket is never touched.

Rules of this file:

1. What is watched is a duplicate of the descriptor: the server may close its own, and the number be used again.
2. A live duplicate holds back the server's own FIN: it is closed before the body ends.
3. A client that closed only its sending side looks like one that left, until something is written to it.
   So such a one is *doubtful*: a ping is written, and the kernel then tells a client that left.
4. One thread watches for the whole process. It starts with the first watch and does not survive a fork.
"""

from __future__ import annotations

import importlib
import io
import os
import select
import sys
import threading
from collections.abc import Callable
from typing import Any

from .drivers.threads import Watch

Call = Callable[[], None]

# The kernel's words, which the select module lacks where the platform does.
_RDHUP = getattr(select, "POLLRDHUP", 0)
_HUP = (
    getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0) | getattr(select, "POLLNVAL", 0)
)


def watch(environ: dict[str, Any]) -> Watch | None:
    """The watch that this request's server allows; None for a request that came over no connection, as in tests."""
    body = environ.get("wsgi.input")
    if hasattr(body, "receive") and hasattr(body, "loop"):
        return AsgiWatch(environ)
    descriptor = client_descriptor(environ) if _RDHUP else None
    if descriptor is not None:
        return DescriptorWatch(descriptor, every=0.5 if _under_gevent() else None)
    return None if isinstance(body, io.BytesIO) else BlindWatch()


def client_descriptor(environ: dict[str, Any]) -> int | None:
    """The file descriptor of the client's connection, by each server's own handle."""
    try:
        for key in ("gunicorn.socket", "werkzeug.socket"):
            if key in environ:
                return _valid(environ[key].fileno())
        if "waitress.client_disconnected" in environ:
            return _valid(environ["waitress.client_disconnected"].__self__.socket.fileno())
        if "uwsgi.version" in environ:
            uwsgi: Any = importlib.import_module("uwsgi")  # which exists within its own server only
            return _valid(uwsgi.connection_fd())
        return _valid(_input_descriptor(environ.get("wsgi.input")))
    except (AttributeError, OSError, ValueError, ImportError, io.UnsupportedOperation):
        return None  # a handle that is not what it was: then only writing can tell


def _input_descriptor(body: Any) -> int:
    """Cheroot and wsgiref read the request's body from the connection itself."""
    while hasattr(body, "rfile"):
        body = body.rfile
    descriptor = int(body.fileno())
    if not _is_socket(descriptor):
        raise ValueError("the request's body is not read from a connection")
    return descriptor


def _is_socket(descriptor: int) -> bool:
    import stat

    return stat.S_ISSOCK(os.fstat(descriptor).st_mode)


def _valid(descriptor: int) -> int | None:
    return descriptor if descriptor >= 0 else None


class DescriptorWatch:
    """Watches a connection by its descriptor: from the process's thread, or by asking `every` so often."""

    second_ping: float | None = None

    def __init__(self, descriptor: int, every: float | None) -> None:
        self.every = every
        self.descriptor = os.dup(descriptor)
        self._poll = _original("poll")()
        self._poll.register(self.descriptor, _RDHUP)
        self._doubted = self._told = False
        self._doubt: Call = _nobody
        self._gone: Call = _nobody

    def start(self, doubt: Call, gone: Call) -> None:
        self._doubt, self._gone = doubt, gone
        self._doubted = self.is_doubtful()  # who starts us knows that already
        if self.every is None:
            _watcher.add(self)

    def check(self) -> None:
        """Tell what the kernel says; it is asked anew, for an event may be about an older connection."""
        state = self._state()
        if state & _HUP:
            self._told = True
            self._gone()
        elif state & _RDHUP and not self._doubted:
            self._doubted = True
            self._doubt()

    @property
    def wants(self) -> int | None:
        """The events to wait for: once in doubt, only those that end it, which are always told; None: no more."""
        if self._told:
            return None
        return 0 if self._doubted else _RDHUP

    def is_doubtful(self) -> bool:
        return self._state() != 0

    def has_left(self, within: float) -> bool:
        if self.descriptor < 0:
            return False
        poll = _original("poll")()
        poll.register(self.descriptor, 0)
        return bool(poll.poll(within * 1000))

    def stop(self) -> None:
        if self.descriptor >= 0:
            self._doubt = self._gone = _nobody
            descriptor, self.descriptor = self.descriptor, -1
            if self.every is None:
                _watcher.remove(descriptor)
            os.close(descriptor)

    def _state(self) -> int:
        if self.descriptor < 0:
            return 0
        return sum(event for _, event in self._poll.poll(0))


class AsgiWatch:
    """Watches through the ASGI server that a2wsgi stands on: its own message tells."""

    every: float | None = None
    second_ping: float | None = None

    def __init__(self, environ: dict[str, Any]) -> None:
        self._body = environ["wsgi.input"]
        # What `receive` gives next would be the request's body: so it is read, and kept for the app.
        environ["wsgi.input"] = io.BytesIO(self._body.read())
        self._future: Any = None
        self._left = False

    def start(self, doubt: Call, gone: Call) -> None:
        import asyncio

        self._future = asyncio.run_coroutine_threadsafe(self._body.receive(), self._body.loop)
        self._future.add_done_callback(lambda future: self._tell(future, gone))

    def check(self) -> None: ...

    def is_doubtful(self) -> bool:
        return False

    def has_left(self, within: float) -> bool:
        return False

    def stop(self) -> None:
        if self._future is not None:
            self._future.cancel()

    def _tell(self, future: Any, gone: Call) -> None:
        if not future.cancelled() and future.exception() is None:
            gone()


class BlindWatch:
    """Stands for a watch where the server shows no handle: there, only a failed write tells."""

    every: float | None = None
    second_ping: float | None = 0.02

    def start(self, doubt: Call, gone: Call) -> None: ...
    def check(self) -> None: ...
    def is_doubtful(self) -> bool:
        return False

    def has_left(self, within: float) -> bool:
        return False

    def stop(self) -> None: ...


class _Watcher:
    """The process's thread that waits for the kernel's word on every watched connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoll: Any = None
        self._watches: dict[int, DescriptorWatch] = {}

    def add(self, watch: DescriptorWatch) -> None:
        with self._lock:
            if self._epoll is None:
                self._epoll = select.epoll()
                threading.Thread(target=self._run, name="sse_bridge hang-ups", daemon=True).start()
            self._watches[watch.descriptor] = watch
        self._epoll.register(watch.descriptor, (watch.wants or 0) | select.EPOLLONESHOT)

    def remove(self, descriptor: int) -> None:
        if self._watches.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _run(self) -> None:
        while True:
            for descriptor, _ in self._epoll.poll():
                watch = self._watches.get(descriptor)
                if watch is not None:
                    watch.check()
                    self._wait_on(descriptor, watch)

    def _wait_on(self, descriptor: int, watch: DescriptorWatch) -> None:
        if watch.wants is None:
            return
        try:
            self._epoll.modify(descriptor, watch.wants | select.EPOLLONESHOT)
        except OSError:  # it was removed meanwhile
            pass


_watcher = _Watcher()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_watcher.__init__)  # type: ignore[misc]


def _under_gevent() -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def _original(name: str) -> Any:
    """A name of the select module as the system has it: gevent's poll does not know of hang-ups."""
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("select"):
        return monkey.get_original("select", name)
    return getattr(select, name)


def _nobody() -> None:
    """Nobody is to be told."""
