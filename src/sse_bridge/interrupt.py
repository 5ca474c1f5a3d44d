"""Free a thread that is blocked reading an upstream socket; this and nothing else.

No SDK's ``close()`` wakes a thread that waits for the model's next byte. An exception raised in it, and
then its socket shut down, does; the exception comes first, or the SDK would take the broken connection
for a fault and ask, and pay, again.

Rules of this file:

1. A thread is interrupted only inside the read of an HTTP/1.1 client (httpcore, httpcore2, http.client and
   what stands on it). A multiplexed HTTP/2 connection, a database's socket, a sleep are left alone.
2. Looking at the thread and raising in it is one step, during which no other thread can run: what was
   read a moment ago must not be interrupted. So it is made of C calls only (`_raise_in`).
3. The exception is a GeneratorExit: to the user's generator it is the close that it is.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from itertools import compress, repeat, starmap
from operator import is_, itemgetter
from types import FrameType
from typing import Any


class Interrupted(GeneratorExit):
    """Raised in a thread whose upstream read was interrupted because its stream is over."""


def allowed() -> bool:
    """Whether this process may interrupt threads at all: ``SSE_BRIDGE_INTERRUPT=0`` forbids it."""
    if os.environ.get("SSE_BRIDGE_INTERRUPT") == "0":
        return False
    # Without the GIL, looking and raising cannot be one step.
    gil = getattr(sys, "_is_gil_enabled", None)
    return sys.implementation.name == "cpython" and (gil is None or bool(gil()))


def interrupt(thread_id: int, *, unless: Callable[[], bool]) -> bool:
    """End the upstream read that this thread is blocked in; False if it is in none now, or `unless` says so."""
    frame = sys._current_frames().get(thread_id)
    found = None if frame is None else upstream_socket(frame)
    # Asked behind the look: what begins after it is no longer in `frame`.
    if frame is None or found is None or unless() or not _raise_in(thread_id, frame):
        return False
    shut_down(found)
    return True


def upstream_socket(frame: FrameType) -> socket.socket | None:
    """The socket that a thread reads as an HTTP/1.1 client, by its innermost frame; None for any other."""
    found: socket.socket | None = None
    reads = False
    at: FrameType | None = frame
    while at is not None and _is_plumbing(_module(at)):
        found = found or _socket_of(at)
        reads = reads or at.f_code.co_name in _READS
        at = at.f_back
    if at is None:
        return None
    if _module(at) in _HTTPCORE:
        is_read = at.f_code.co_name == "read" and not _is_multiplexed(at)
        return (found or _socket_of(at)) if is_read else None
    return found if reads and _module(at).startswith(_HTTP_CLIENTS) else None


def shut_down(sock: socket.socket) -> None:
    """Wake whoever reads it; the plain socket's own method also for TLS, which must not send a word now."""
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    except OSError:  # it was closed meanwhile
        pass


_READS = ("recv", "recv_into", "read", "readinto")
_HTTPCORE = ("httpcore._backends.sync", "httpcore2._backends.sync")
_HTTP_CLIENTS = ("http.client", "urllib3.")


def _is_plumbing(module: str) -> bool:
    """Whether this stands between a client's read and the system's."""
    return module in ("socket", "ssl", "select", "selectors") or module.startswith("gevent.")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _socket_of(frame: FrameType) -> socket.socket | None:
    """The socket that a method of a socket, or of what wraps one, works on."""
    owner: Any = frame.f_locals.get("self")
    for thing in (owner, getattr(owner, "_sock", None)):
        if isinstance(thing, socket.socket):
            return thing
    return None


def _is_multiplexed(frame: FrameType | None) -> bool:
    """Whether an HTTP/2 connection does this read, for all the streams that share it."""
    while frame is not None:
        if _module(frame).endswith("._sync.http2"):
            return True
        frame = frame.f_back
    return False


def _raise_in(thread_id: int, frame: FrameType) -> bool:
    """Raise `Interrupted` in the thread if `frame` is still its innermost one.

    Between bytecodes another thread may be given its turn, and this one may leave its read. Within a C call it
    cannot. So the look and the act are one pipeline of C iterators, consumed by one call.
    """
    now_there = map(itemgetter(thread_id), starmap(sys._current_frames, [()]))
    still_there = map(partial(is_, frame), now_there)
    arguments = (ctypes.c_ulong(thread_id), ctypes.py_object(Interrupted))
    try:
        return list(starmap(_SET_ASYNC_EXC, compress(repeat(arguments), still_there))) == [1]
    except KeyError:  # the thread has ended
        return False


_SET_ASYNC_EXC = ctypes.pythonapi.PyThreadState_SetAsyncExc
