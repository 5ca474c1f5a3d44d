"""Free a thread that is blocked reading an upstream socket; this and nothing else.

No SDK's ``close()`` wakes a thread that waits for the model's next byte. Raising an exception in it and
then shutting down its socket does. The exception comes first, or the SDK would take the broken connection
for a fault and send, and pay for, the request again.

Rules of this file:

1. A thread is interrupted only inside the read of an HTTP/1.1 client (httpcore, httpcore2, http.client and
   what stands on it). A multiplexed HTTP/2 connection, a database's socket, a sleep are left alone.
2. Looking at the thread and raising in it is one step, during which no other thread can run: a thread that
   has just left its read must not be interrupted. So it is made of C calls only (`_raise_in`). Python 3.13 may
   raise one call later than other versions do: in the client's own next call then, not yet in its user's.
3. No garbage is collected while another thread's frames are read, nor until it has left its read (`_Quiet`). A
   finalizer could run others between the look and the act, or get the exception that was meant for the read.
4. First only the reading side is shut down, so that the read returns an end of file and not an error. An error
   would be passed on before the exception is, maybe to the user's own code.
5. The exception is a GeneratorExit: to the user's generator it is what it means, a close.
"""

from __future__ import annotations

import ctypes
import gc
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from itertools import compress, repeat, starmap
from operator import is_, itemgetter
from types import FrameType
from typing import Any

from .forks import in_child
from .loops.gevent import threads_are_greenlets
from .private import HTTP_CLIENTS, HTTPCORE, MULTIPLEXED, PLUMBING, READS, socket_beneath


class Interrupted(GeneratorExit):
    """Raised in a thread whose upstream read was interrupted because its stream is over."""


def allowed() -> bool:
    """Whether this process may interrupt threads at all: ``SSE_BRIDGE_INTERRUPT=0`` forbids it."""
    if os.environ.get("SSE_BRIDGE_INTERRUPT") == "0":
        return False
    # Without the GIL, looking and raising cannot be one step; and a build that can do without it may switch it
    # on for a moment only, around an import.
    return sys.implementation.name == "cpython" and "t" not in getattr(sys, "abiflags", "")


def interrupt(thread_id: int, *, unless: Callable[[], bool]) -> bool:
    """End the upstream read that this thread is blocked in; False if it is in none now, or `unless` forbids it."""
    with _quiet:
        frame = sys._current_frames().get(thread_id)
        found = None if frame is None else upstream_socket(frame)
        # `unless` is called after the look at the frame: what begins later is no longer in `frame`.
        if frame is None or found is None or unless() or not _raise_in(thread_id, frame):
            return False
        shut_down(found, socket.SHUT_RD)
        _see_off(thread_id, frame)
    shut_down(found, socket.SHUT_RDWR)
    return True


def reading(thread_ids: Iterable[int]) -> set[int]:
    """Those of these threads that are in an upstream read, by one look at all of them."""
    found = set()
    with _quiet:
        frames = sys._current_frames()
        looked_at = {thread_id: frames.get(thread_id) for thread_id in thread_ids}
        del frames  # keeping others' frames would keep their objects from ending where they ran
        while looked_at:
            thread_id, frame = looked_at.popitem()
            if frame is not None and upstream_socket(frame) is not None:
                found.add(thread_id)
    return found


def upstream_socket(frame: FrameType) -> socket.socket | None:
    """The socket that a thread reads as an HTTP/1.1 client, by its innermost frame; None for any other."""
    found: socket.socket | None = None
    reads = False
    at: FrameType | None = frame
    while at is not None and _is_plumbing(_module(at)):
        found = found or _socket_of(at)
        reads = reads or at.f_code.co_name in READS
        at = at.f_back
    if at is None:
        return None
    if _module(at) in HTTPCORE:
        is_read = at.f_code.co_name == "read" and not _is_multiplexed(at)
        return (found or _socket_of(at)) if is_read else None
    return found if reads and _module(at).startswith(HTTP_CLIENTS) else None


def shut_down(sock: socket.socket, how: int) -> None:
    """Wake the thread that reads it; for TLS, too, by the plain socket's method, for TLS must send nothing now."""
    try:
        socket.socket.shutdown(sock, how)
    except OSError:  # it was closed meanwhile
        pass


def _is_plumbing(module: str) -> bool:
    """Whether this frame is between a client's read and the system's."""
    return module in PLUMBING or module.startswith("gevent.")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _socket_of(frame: FrameType) -> socket.socket | None:
    """The socket that this frame, a method of a socket or of its wrapper, works on."""
    owner: Any = frame.f_locals.get("self")
    for thing in (owner, socket_beneath(owner)):
        if isinstance(thing, socket.socket):
            return thing
    return None


def _is_multiplexed(frame: FrameType | None) -> bool:
    """Whether an HTTP/2 connection does this read, for all the streams that share it."""
    while frame is not None:
        if _module(frame).endswith(MULTIPLEXED):
            return True
        frame = frame.f_back
    return False


def _raise_in(thread_id: int, frame: FrameType) -> bool:
    """Raise `Interrupted` in the thread if `frame` is still its innermost one.

    Between bytecodes another thread may run, and the thread may leave its read. Within a C call that cannot
    happen. So the look and the raise are one pipeline of C iterators, consumed by one call.
    """
    now_there = map(itemgetter(thread_id), starmap(sys._current_frames, [()]))
    still_there = map(partial(is_, frame), now_there)
    arguments = (ctypes.c_ulong(thread_id), ctypes.py_object(Interrupted))
    try:
        return list(starmap(_SET_ASYNC_EXC, compress(repeat(arguments), still_there))) == [1]
    except KeyError:  # the thread has ended
        return False


def _see_off(thread_id: int, frame: FrameType) -> None:
    """Wait a moment for the thread to leave its read."""
    for _ in range(_LOOKS):
        if sys._current_frames().get(thread_id) is not frame:
            return
        time.sleep(_PAUSE)


_LOOKS, _PAUSE = 50, 0.0002  # ten milliseconds at most; mostly it has left at the second look
_SET_ASYNC_EXC = ctypes.pythonapi.PyThreadState_SetAsyncExc


class _Quiet:
    """For one thread at a time: no garbage is collected.

    Python 3.11 collects within any C call that makes an object, and a finalizer may let another thread run there.
    `sys._current_frames` holds a lock: if that thread wanted it, the process would deadlock.
    `frame.f_back` and `frame.f_locals` hold the address of a frame: if that thread left it, they would go on
    with whatever is there then, and the process would end with a segmentation fault.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._paused = False

    def __enter__(self) -> None:
        self._lock.acquire()
        self._paused = gc.isenabled()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        if self._paused:
            gc.enable()
        self._paused = False
        self._lock.release()

    def forked(self) -> None:
        """In a forked child no thread is inside."""
        if self._paused:
            gc.enable()
        self.__init__()  # type: ignore[misc]


_quiet = _Quiet()

in_child(_quiet.forked)


# -- under gevent ----------------------------------------------------------------------------------


class Blocked:
    """A greenlet that may be freed, once."""

    def __init__(self, greenlet: Any, run_callback: Callable[[Callable[[], None]], Any]) -> None:
        self._greenlet = greenlet
        self._run_callback = run_callback
        self._freed = False

    def interrupt(self, *, unless: Callable[[], bool]) -> bool:
        """Free it, soon, if it is blocked in an upstream read then; True if it was freed already."""
        if not self._freed:
            self._run_callback(lambda: self._free(unless))
        return self._freed

    def _free(self, unless: Callable[[], bool]) -> None:
        # While the loop's own greenlet runs, no other does: what the frame shows now still holds at the raise.
        frame = self._greenlet.gr_frame
        if self._freed or unless() or frame is None or upstream_socket(frame) is None:
            return
        self._freed = True
        self._greenlet.throw(Interrupted)


def current_greenlet() -> Blocked | None:
    """The greenlet that stands for the current thread; None where threads are threads."""
    if not threads_are_greenlets():
        return None
    gevent: Any = sys.modules["gevent"]
    return Blocked(gevent.getcurrent(), gevent.get_hub().loop.run_callback_threadsafe)
