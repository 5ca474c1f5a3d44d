"""The driver for WSGI: the server's thread waits and writes, the source runs on another."""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from math import inf
from time import monotonic
from typing import Any

from ..failures import CutShort
from ..loops.background import background_home
from ..loops.base import ThreadSignal
from ..options import Options
from ..stream import PINGS
from ..watches import Watch, sleep
from .affinity import explain
from .connection import Connection
from .farewell import call_on_end
from .thread_worker import ThreadWorker
from .walkers import Threads, own_threads
from .writes import BATCH_BYTES, Writes, batches, forget, look_at

_log = logging.getLogger("sse_bridge")

# Seconds to wait for proof that a client has disconnected before its source began.
DOUBT = 0.05


class Body(Iterator[bytes]):
    """The body of a response, which a WSGI server iterates and closes.

    Making it starts the source and waits out `hold`; a failure in that time is raised here.
    Arguments: `source`; `options`; `context`, in which the source runs; `watch`, returns the watch on the client,
    or None where only a failed write shows a disconnect; `leave`, called in the context when the source is over;
    `threads`, where sync sources run (default: each on a fresh one).
    """

    def __init__(
        self,
        source: Any,
        options: Options,
        context: contextvars.Context,
        *,
        watch: Callable[[], Watch | None] = lambda: None,
        leave: Callable[[], None] = lambda: None,
        threads: Threads = own_threads,
    ) -> None:
        self._signal = ThreadSignal()
        self._released = True
        self._releasing: dict[str, int] = {}  # by which thread
        self._watch: Watch | None = None
        self._writes: Writes | None = None
        self._beside = threads is own_threads
        self._connection = Connection(
            source,
            options,
            context,
            self._signal.set,
            background_home,
            leave=leave,
            threads=threads,
        )
        self._stream = self._connection.stream
        self._first = self._connection.open(monotonic())
        self._released = False
        self._second_ping_at = inf
        self._watch = watch()
        self._doubtful = self._watch is not None and self._watch.is_doubtful()
        self._begin()
        self._batches: Iterator[bytes] | None = batches(self._first)
        self._first = b""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The bytes that the server is to write next. It writes until it calls this again, or `close`."""
        writes = self._writes
        if writes is not None:
            writes.since = inf
        data = self._next_batch() if self._batches is not None else self._next_bytes()
        if len(data) > BATCH_BYTES:
            self._batches = batches(data)
            data = next(self._batches)
        elif not data:
            self._release()
        if writes is not None:
            writes.since = monotonic()  # of what ends the body, too
        if data:
            return data
        raise CutShort if self._stream.cut else StopIteration

    def close(self) -> None:
        """The server is done with it: if the stream has no ending yet, the client has disconnected."""
        try:
            self._forget_client()
        finally:
            self._connection.part()
            self._release()

    def __del__(self) -> None:
        # A body that was made and then neither iterated nor closed must not leave its source running.
        # Closing takes time and locks, and the garbage collector may be running on any thread at all. At the end
        # of the process no thread can be started, and the holder of a lock may be gone: all ends by itself then.
        if _is_finalizing():
            return
        if not self._released and self._connection.farewell.is_ours:
            self._releasing.clear()  # a thread that began it was kept from finishing
            threading.Thread(target=self.close, name="sse_bridge forgotten", daemon=True).start()
        else:
            self._forget_client()

    # -- inside -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the watch and the source; but write first to a client that may have disconnected."""
        pipe, timeout = self._connection.pipe, self._connection.options.send_timeout
        if self._watch is not None:
            self._watch.start(pipe.doubt, pipe.hang_up)
            if self._watch.breaks and timeout < inf:
                self._writes = Writes(timeout, self._watch, pipe.give_up)
                look_at(self._writes)
        if self._doubtful:
            self._first += self._connection.resolve_doubt(monotonic())
            return
        self._connection.begin()
        self._hold()

    def _hold(self) -> None:
        while self._stream.held and self._stream.ending is None:
            self._first += self._step_or_sleep()
        if (refusal := self._connection.refusal) is not None:
            self._forget_client()
            self._release()
            raise refusal

    def _next_batch(self) -> bytes:
        """The rest of bytes that are too many for one write, or else what comes next."""
        for batch in self._batches or ():
            return batch
        self._batches = None
        return self._next_bytes()

    def _next_bytes(self) -> bytes:
        if self._doubtful:
            self._settle_doubt()
        data = b""
        while not data and self._stream.ending is None:
            data = self._step_or_sleep()
        return data

    def _settle_doubt(self) -> None:
        """After a write: now it is known whether the client is still there, so that the source may start."""
        self._doubtful = False
        if self._watch is not None and self._watch.has_left(DOUBT):
            self._connection.part()
        elif self._stream.ending is None:
            self._connection.begin()

    def _step_or_sleep(self) -> bytes:
        now = monotonic()
        data = self._connection.step(now)
        if now >= self._second_ping_at:
            self._second_ping_at = inf
            data = data or self._connection.probe(now)
        elif data:
            self._second_ping_at = self._second_ping_after(data, now)
        if not data and self._stream.ending is None and self._connection.pipe.idle():
            self._sleep(now)
        return data

    def _second_ping_after(self, data: bytes, now: float) -> float:
        """The first write to a disconnected client succeeds, only the next one fails: so a second ping follows."""
        if self._watch is None or self._watch.second_ping is None or data not in PINGS:
            return inf
        return now + self._watch.second_ping

    def _sleep(self, now: float) -> None:
        until = min(self._connection.deadline, self._second_ping_at)
        sleep(self._signal, self._watch, now, until)

    def _release(self) -> None:
        """Stop the source, give its cleanup some time, and end the request.

        The server's own timeout may be raised at any moment. So this may be called again, also by the collector.
        """
        me = threading.get_ident()
        if self._released or self._releasing.setdefault("by", me) != me:  # atomic
            return
        connection, since = self._connection, monotonic()
        if not connection.farewell.is_ours:
            self._released = True  # a forked child's copy: the stream goes on in its parent
            return
        if self._beside and isinstance(connection.worker, ThreadWorker):
            explain(self._stream.error)
        try:
            connection.conclude(since)
            while not connection.worker.done and monotonic() < (
                until := connection.patience(since)
            ):
                self._signal.wait(until)
        finally:
            self._let_go(since)
            self._releasing.clear()

    def _forget_client(self) -> None:
        """Release the connection, which the server has to end."""
        if self._writes is not None:
            forget(self._writes)
        if self._watch is not None:
            self._watch.stop()

    def _let_go(self, since: float) -> None:
        connection, summary = self._connection, self._connection.farewell.summary
        if not connection.concluded or summary is None:  # not even that was reached
            return
        on_end = connection.release(since)
        context = connection.context.copy()
        self._released = True
        if on_end is not None:
            context.run(call_on_end, on_end, summary, background_home)


_is_finalizing = sys.is_finalizing  # by then `sys` may have been taken apart
