"""The process's open streams: how many there are, how to end them, and how many sources outlived theirs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar

from .forks import in_child

ShutDown = Callable[[], None]


class Unavailable(RuntimeError):
    """No stream is opened now: the answer is 503 with ``Retry-After``, in seconds."""

    status_code = 503
    retry_after = 1
    source_ran = False  # then it has been closed already


class TooManyStreams(Unavailable):
    """`max_streams` are open already, or the sources of ended ones still run."""


class TooManyThreads(TooManyStreams):
    """As many sync sources run already as this process may have threads for."""


class ShuttingDown(Unavailable):
    """The server stops."""

    def __init__(self, *, source_ran: bool = False) -> None:
        super().__init__("the server is shutting down")
        self.source_ran = source_ran


class Place:
    """Room for a stream that is yet to come; called when the server stops, it tells whoever makes that stream."""

    def __init__(self, limit: int | None) -> None:
        self.tell: ShutDown = lambda: None
        self.limit = limit  # for which it was found free

    def __call__(self) -> None:
        self.tell()


# The place that was taken for what runs in this context.
reserved: ContextVar[Place | None] = ContextVar("reserved", default=None)


class Registry:
    """What streams on any thread have to tell, and to be told."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come in while its own thread has it
        self._open: set[ShutDown] = set()  # among them the places of those that are yet to come
        self._stragglers: set[object] = set()
        self.closing = False  # whether new streams are refused
        self.look: Callable[[], None] = lambda: None  # called for each stream, before it opens

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def reserve(self, limit: int | None) -> Place:
        """Take a place before there is a stream; whoever takes it leaves it, also when a stream has had it since.

        Raises what `enter` does.
        """
        place = Place(limit)
        self.enter(place, limit)
        return place

    def enter(self, shut_down: ShutDown, limit: int | None, place: Place | None = None) -> None:
        """A stream opens, which `shut_down` tells to end, in its `place` where that is still there to be had.

        Raises `TooManyStreams` if it would be over `limit`, `ShuttingDown` if it is too late.
        """
        self.look()
        with self._lock:
            if self.closing:
                raise ShuttingDown
            if place is None or place not in self._open:
                self._check(limit)
            else:
                if limit != place.limit:
                    self._check(limit, mine=1)
                self._open.discard(place)
            self._open.add(shut_down)

    def leave(self, shut_down: ShutDown) -> None:
        """An opened stream's request is over, or a place is not needed any more."""
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

    def _check(self, limit: int | None, mine: int = 0) -> None:
        others = self.open - mine
        if limit is None or others + self.stragglers < limit:
            return
        late = f", {self.stragglers} sources of ended ones still run" if self.stragglers else ""
        raise TooManyStreams(f"{others} streams are open{late}, max_streams is {limit}")


streams = Registry()

# A forked worker has none of its parent's streams, and a lock may have been held at the fork.
in_child(streams.__init__)  # type: ignore[misc]
