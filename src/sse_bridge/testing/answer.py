"""One response, as far as it has come: a server puts it in, a client takes it out.

Rules of this file:

1. A server and a client may be on different threads. What one of them changes, it announces with a bell.
2. A server goes on only while there is room, as with a socket: an endless source does not run ahead for ever.
3. Nothing waits here.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..drivers.connection import Connection
from ..drivers.sources import name_of
from .request import Headers

# Bytes that may wait for the client. Few, since a busy loop lets the test's thread run when it waits.
ROOM = 4 * 1024

# The streams that tests hold, for the fixture: the end of a loop may close one that was left open before it looks.
held: set[object] = set()


class Bell:
    """Wakes all that listen at the moment, on any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: set[Callable[[], object]] = set()

    def ring(self) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener()

    @contextmanager
    def heard_by(self, listener: Callable[[], object]) -> Iterator[None]:
        with self._lock:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._lock:
                self._listeners.discard(listener)


class Answer:
    """One response, as far as it has come."""

    def __init__(self) -> None:
        self.bell = Bell()  # for the client
        self.wake_server: Callable[[], object] = lambda: None
        self.on_headers: Callable[[Headers], object] = lambda _: None
        self.status_code: int | None = None
        self.headers = Headers()
        self.complete = False  # the end of the body has come
        self.over = False  # the app has returned, or raised
        self.error: BaseException | None = None  # which it raised
        self.gone = False  # the client has disconnected
        self.connection: Connection | None = None  # if the stream is one of ours
        self.source = ""  # what the app streams, by its name
        self._lock = threading.Lock()
        self._pieces: deque[bytes] = deque()
        self._waiting = 0  # bytes

    # -- the server's side ------------------------------------------------------------------------

    def observe(self, connection: Connection) -> None:
        """The app has made a stream of ours."""
        self.connection = connection
        self.source = name_of(connection.source)  # of which the worker lets go in the end
        self.bell.ring()

    def start(self, status_code: int, headers: list[tuple[str, str]]) -> None:
        self.headers = Headers(headers)
        self.on_headers(self.headers)
        self.status_code = status_code
        self.bell.ring()

    @property
    def has_room(self) -> bool:
        """Whether the server need not wait: the client reads, or has disconnected."""
        return self.gone or self._waiting < ROOM

    def put(self, piece: bytes) -> None:
        """Put in a piece of the body; it is dropped if the client has disconnected."""
        if piece and not self.gone:
            with self._lock:
                self._pieces.append(piece)
                self._waiting += len(piece)
            self.bell.ring()

    def finish(self) -> None:
        """The body has been sent."""
        self.complete = True
        self.bell.ring()

    def end(self, error: BaseException | None = None) -> None:
        """The app has returned, or raised."""
        self.error, self.over = error, True
        self.bell.ring()

    # -- the client's side ------------------------------------------------------------------------

    def take(self) -> bytes:
        """Take out the next piece; empty if there is none."""
        with self._lock:
            piece = self._pieces.popleft() if self._pieces else b""
            self._waiting -= len(piece)
        if piece:
            self.wake_server()
        return piece

    def hang_up(self) -> None:
        """The client disconnects."""
        self.gone = True
        self.wake_server()

    # -- how the stream ends ----------------------------------------------------------------------

    @property
    def source_closed(self) -> bool:
        """Whether no source of ours runs any more, or none ever ran."""
        if self.connection is None or self.connection.worker.done:
            return True
        return self.over and not self.connection.begun

    @property
    def summed_up(self) -> bool:
        """Whether everything about how the stream ended is known."""
        connection = self.connection
        if connection is None or connection.farewell.summary is None:
            return self.over
        return self.over or connection.worker.done
