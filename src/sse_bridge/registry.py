"""The process's open streams: how many there are, how to end them, and how many sources outlived their streams."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from .forks import in_child
from .keys import Key

ShutDown = Callable[[], None]


class Unavailable(RuntimeError):
    """No stream can be opened now: the response is 503 with ``Retry-After``, in seconds."""

    status_code = 503
    retry_after = 1
    source_ran = False  # if it ran, it has been closed already


class TooManyStreams(Unavailable):
    """`max_streams` are open already, or the sources of ended ones still run."""


class TooManyForKey(TooManyStreams):
    """One key of `max_streams_per` has `max_streams` open already: the response is 429 with ``Retry-After``."""

    status_code = 429


class TooManyThreads(TooManyStreams):
    """As many sync sources run already as this process may have threads for."""


class ShuttingDown(Unavailable):
    """The server stops."""

    def __init__(self, *, source_ran: bool = False) -> None:
        super().__init__("the server is shutting down")
        self.source_ran = source_ran


class Place:
    """Room for a stream that is yet to open; called when the server stops, it tells whoever opens that stream."""

    def __init__(self, limit: int | None, key: Key | None = None) -> None:
        self.tell: ShutDown = lambda: None
        self.limit, self.key = limit, key  # the ones that it was reserved for

    def __call__(self) -> None:
        self.tell()


# The place that was reserved for a stream of this context.
reserved: ContextVar[Place | None] = ContextVar("reserved", default=None)


class Registry:
    """All open streams, on any thread: it counts them, refuses new ones, and tells them to end."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may come in while its own thread has it
        # Each with its key. Among the open ones are the places of those that are yet to come.
        self._open: dict[ShutDown, Key | None] = {}
        self._stragglers: dict[object, Key | None] = {}
        self._warned_of: set[object] = set()  # stragglers
        self._of_key: dict[Key, set[object]] = {}  # both, of each key that has any
        self.closing = False  # whether new streams are refused
        self.look: Callable[[], None] = lambda: None  # called for each stream, before it opens

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def reserve(self, limit: int | None, key: Key | None = None) -> Place:
        """Reserve a place before there is a stream; the caller leaves it, even if a stream has used it since.

        Raises what `enter` does.
        """
        place = Place(limit, key)
        self.enter(place, limit, key=key)
        return place

    def enter(
        self,
        shut_down: ShutDown,
        limit: int | None,
        place: Place | None = None,
        key: Key | None = None,
    ) -> Key | None:
        """A stream opens, in its reserved `place` where that is still there; `shut_down` is how it is told to end.

        `limit` counts all streams, or those of its `key`. Returns the key that it counts for: its place's, where
        it has none of its own. Raises `TooManyStreams` if it would be over `limit`, `ShuttingDown` if the server
        is stopping.
        """
        self.look()
        with self._lock:
            if self.closing:
                raise ShuttingDown
            if place is None or place not in self._open:
                self._check(limit, key)
            else:
                if (limit, key) != (place.limit, place.key):
                    self._check(limit, key, place)
                key = place.key if key is None else key
                self._strike(self._open, place)
            self._note(self._open, shut_down, key)
            return key

    def leave(self, shut_down: ShutDown) -> None:
        """The request of an open stream is over, or a reserved place is not needed any more."""
        with self._lock:
            self._strike(self._open, shut_down)

    def close(self) -> None:
        """Refuse new streams from now on."""
        with self._lock:
            self.closing = True

    def reopen(self) -> None:
        """Allow new streams again."""
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

    def straggles(self, worker: object, key: Key | None = None) -> None:
        """This source still runs although its stream, which counted for `key`, is over."""
        with self._lock:
            self._note(self._stragglers, worker, key)

    def warn_of(self, worker: object) -> bool:
        """The log is about to warn of this source; True if it still runs although its stream is over."""
        with self._lock:
            if worker in self._stragglers:
                self._warned_of.add(worker)
            return worker in self._stragglers

    def ended(self, worker: object) -> bool | None:
        """This source ended; returns whether the log warned of it, None if it had not outlived its stream."""
        if not self._stragglers:  # nearly always; one that adds it just now checks again itself
            return None
        with self._lock:
            if worker not in self._stragglers:
                return None
            was_warned_of = worker in self._warned_of
            self._strike(self._stragglers, worker)
            self._warned_of.discard(worker)
            return was_warned_of

    def _note(self, book: dict[Any, Key | None], who: object, key: Key | None) -> None:
        book[who] = key
        if key is not None:
            self._of_key.setdefault(key, set()).add(who)

    def _strike(self, book: dict[Any, Key | None], who: object) -> None:
        """Remove it; a thread interrupted here does it again, so `who` is removed last."""
        key = book.get(who)
        if key is not None and key in self._of_key:
            self._of_key[key].discard(who)
            if not self._of_key[key]:
                del self._of_key[key]
        book.pop(who, None)

    def _check(self, limit: int | None, key: Key | None, mine: Place | None = None) -> None:
        if limit is None:
            return
        if key is not None:
            self._check_key(limit, key, mine)
            return
        others = self.open - (mine is not None)
        if others + self.stragglers < limit:
            return
        late = f", {self.stragglers} sources of ended streams still run" if self.stragglers else ""
        raise TooManyStreams(f"{others} streams are open{late}, max_streams is {limit}")

    def _check_key(self, limit: int, key: Key, mine: Place | None) -> None:
        others = len(self._of_key.get(key, ())) - (mine is not None and mine.key == key)
        if others >= limit:  # the key is a user's, and not for the log
            raise TooManyForKey(f"{others} streams of one key are open, max_streams is {limit}")


streams = Registry()

# A forked worker has none of its parent's streams, and a lock may have been held at the fork.
in_child(streams.__init__)  # type: ignore[misc]
