"""The process's open streams: how many there are, how to end them, and how many sources outlived theirs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

ShutDown = Callable[[], None]


class Unavailable(RuntimeError):
    """No stream is opened now: the answer is 503 with ``Retry-After``, in seconds."""

    status_code = 503
    retry_after = 1
    source_ran = False  # then it has been closed already


class TooManyStreams(Unavailable):
    """`max_streams` are open already."""


class ShuttingDown(Unavailable):
    """The server stops."""

    def __init__(self, *, source_ran: bool = False) -> None:
        super().__init__("the server is shutting down")
        self.source_ran = source_ran


class Registry:
    """What streams on any thread have to tell, and to be told."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come in while its own thread has it
        self._open: set[ShutDown] = set()
        self._stragglers: set[object] = set()
        self.closing = False  # whether new streams are refused
        self.look: Callable[[], None] = lambda: None  # called for each stream, before it opens

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def check(self, limit: int | None) -> None:
        """Raise `TooManyStreams` if one more would be over `limit`, `ShuttingDown` if it is too late."""
        self.look()
        self._check(limit)

    def enter(self, shut_down: ShutDown, limit: int | None) -> None:
        """A stream opens, which `shut_down` tells to end; raises what `check` does."""
        self.look()
        with self._lock:
            self._check(limit)
            self._open.add(shut_down)

    def leave(self, shut_down: ShutDown) -> None:
        """An opened stream's request is over."""
        with self._lock:
            self._open.discard(shut_down)

    def close(self) -> None:
        """From now on no stream is opened."""
        with self._lock:
            self.closing = True

    def reopen(self) -> None:
        """Streams are opened again."""
        self.closing = False

    def shut_down(self) -> None:
        """Tell all open streams to end."""
        with self._lock:
            streams = list(self._open)
        for shut_down in streams:
            shut_down()

    @property
    def stragglers(self) -> int:
        """How many sources still run although their streams are over."""
        return len(self._stragglers)

    def straggles(self, worker: object) -> None:
        """This source's stream is over and it still runs."""
        with self._lock:
            self._stragglers.add(worker)

    def ended(self, worker: object) -> bool:
        """This source ended; whether it had outlived its stream."""
        if not self._stragglers:  # nearly always; whoever adds it just now looks once more itself
            return False
        with self._lock:
            straggled = worker in self._stragglers
            self._stragglers.discard(worker)
            return straggled

    def _check(self, limit: int | None) -> None:
        if self.closing:
            raise ShuttingDown
        if limit is not None and self.open >= limit:
            raise TooManyStreams(f"{self.open} streams are open, max_streams is {limit}")


streams = Registry()

# A forked worker has none of its parent's streams, and a lock may have been held at the fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=streams.__init__)  # type: ignore[misc]
