"""The driver for WSGI: the server's thread waits and writes, the source runs beside it."""

from __future__ import annotations

import asyncio
import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..options import Options
from .connection import Connection
from .farewell import call_on_end
from .on_asyncio import AsyncioHome
from .waiting import Home, ThreadSignal


class Body(Iterator[bytes]):
    """The body of a response, which a WSGI server walks and closes.

    Making it starts the source and waits out `hold`; a failure in that time is raised here.
    Arguments: `source`; `options`; `context`, in which the source runs; `framed`, it is an event stream
    already; `watch`, called with what to call when the client has left, gives a callable that ends the watch.
    """

    def __init__(
        self,
        source: Any,
        options: Options,
        context: contextvars.Context,
        *,
        framed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._signal = ThreadSignal()
        self._released = True
        self._connection = Connection(
            source, options, context, self._signal.set, background_home, framed=framed
        )
        self._stream = self._connection.stream
        self._first = self._connection.start(clock())
        self._released = False
        self._hold()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        data = self._next_bytes()
        if not data:
            self._release()
            raise StopIteration
        return data

    def close(self) -> None:
        """The server is through with it: if the stream has no ending yet, the client has left."""
        self._stream.gone()
        self._release()

    def __del__(self) -> None:
        # A body that was made and then neither walked nor closed must not leave its source running.
        if not self._released:
            self.close()

    # -- inside -----------------------------------------------------------------------------------

    def _hold(self) -> None:
        while self._stream.held and self._stream.ending is None:
            self._first += self._step_or_sleep()
        if (refusal := self._connection.refusal) is not None:
            self._release()
            raise refusal

    def _next_bytes(self) -> bytes:
        data = b""
        while not data and self._stream.ending is None:
            data = self._step_or_sleep()
        return data

    def _step_or_sleep(self) -> bytes:
        data = self._connection.step(self._clock())
        if not data and self._stream.ending is None and self._connection.handover.idle():
            self._signal.wait(self._stream.deadline)
        return data

    def _release(self) -> None:
        """Stop the source, give its cleanup some time, and let the request go."""
        if self._released:
            return
        self._released = True
        connection, since = self._connection, self._clock()
        connection.conclude(since)
        while not connection.worker.done and self._clock() < (until := connection.patience(since)):
            self._signal.wait(until)
        on_end = connection.release()
        if on_end is not None and connection.farewell.summary is not None:
            context = connection.context.copy()
            context.run(call_on_end, on_end, connection.farewell.summary, background_home)


class _Background:
    """The event loop that async sources of WSGI apps run on: one a process, made when first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._home: AsyncioHome | None = None

    def home(self) -> Home:
        with self._lock:
            if self._home is None:
                self._home = self._start()
            return self._home

    def _start(self) -> AsyncioHome:
        _refuse_gevent()
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="sse_bridge loop", daemon=True)
        thread.start()
        assert thread.ident is not None
        return AsyncioHome(loop, thread.ident)


def _refuse_gevent() -> None:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and monkey.is_module_patched("threading"):
        raise RuntimeError(
            "an async source needs an event loop on a thread of its own, and under gevent there are no "
            "threads: use a sync source (the SDK's sync client), or the gthread worker"
        )


_background = _Background()
background_home = _background.home

# The loop's thread does not survive a fork, nor may a lock that was held at that moment.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_background.__init__)  # type: ignore[misc]
