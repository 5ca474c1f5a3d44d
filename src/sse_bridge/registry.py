"""The process's open streams: how many there are, and how many sources outlived theirs."""

from __future__ import annotations

import os
import threading


class TooManyStreams(RuntimeError):
    """`max_streams` are open already: the answer is 503 with ``Retry-After``, in seconds."""

    status_code = 503
    retry_after = 1


class Registry:
    """Counts that streams on any thread keep."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open = 0
        self._stragglers: set[object] = set()

    def check(self, limit: int | None) -> None:
        """Raise `TooManyStreams` if one more would be over `limit`."""
        if limit is not None and self.open >= limit:
            raise TooManyStreams(f"{self.open} streams are open, max_streams is {limit}")

    def enter(self, limit: int | None) -> None:
        """A stream opens; raises `TooManyStreams` if that is one too many."""
        with self._lock:
            self.check(limit)
            self.open += 1

    def leave(self) -> None:
        """An opened stream's request is over."""
        with self._lock:
            self.open -= 1

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


streams = Registry()

# A forked worker has none of its parent's streams, and a lock may have been held at the fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=streams.__init__)  # type: ignore[misc]
