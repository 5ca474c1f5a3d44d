"""What a test can ask about a response; it is the same for tests that wait in a thread and in a loop.

Rules of this file:

1. A question is a *look*: a call that returns None as long as there is no answer. The one who waits looks again.
2. A look raises as soon as there will never be an answer: what the app raised, or an AssertionError that shows
   what came.
3. Events are taken once, in order. Pings are counted apart, and each is waited for once.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..drivers.connection import Connection
from ..summary import Ending, Summary
from ..wire import Decoder, ServerSentEvent
from .answer import Answer
from .request import Request

T = TypeVar("T")
Look = Callable[[], T | None]

LIMIT = 16 * 1024 * 1024  # bytes of a body, more than any test reads
SHOWN = 1000  # bytes of it in a message


class Reading:
    """A response as a test sees it; `raises`, whether the app's failure is raised here."""

    def __init__(self, request: Request, answer: Answer, *, raises: bool) -> None:
        self._request, self._answer, self._raises = request, answer, raises
        self._decoder = Decoder(on_comment=self._hear)
        self._events: deque[ServerSentEvent] = deque()
        self._body = bytearray()
        self._pings = self._awaited_pings = 0
        self._is_summed_up = False

    # -- what there is to see ---------------------------------------------------------------------

    @property
    def status_code(self) -> int:
        assert self._answer.status_code is not None, f"{self._request} has not been answered"
        return self._answer.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, by name in any case."""
        return self._answer.headers

    @property
    def body(self) -> bytes:
        """All bytes that have been read so far; the whole body if it is not an event stream."""
        return bytes(self._body)

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self._body)

    @property
    def pings(self) -> int:
        """How many pings have been read so far."""
        return self._pings

    @property
    def ending(self) -> Ending | None:
        """Why the stream ended, as the server's side knows it; None while it goes on."""
        return self._connection("an ending").stream.ending

    @property
    def summary(self) -> Summary:
        """The Summary that `on_end` gets, available once the stream was read to its end, or hung up."""
        summary = self._connection("a summary").farewell.summary
        if summary is None or not self._is_summed_up:
            raise AssertionError(
                f"{self._request} is not over: read() it to its end, or hang_up(), before you ask for its summary"
            )
        return summary

    @property
    def source_closed(self) -> bool:
        """Whether the source is over: it ended, raised, or was closed, and its cleanup is done."""
        self._connection("a source")
        return self._answer.source_closed

    def advance(self, seconds: float) -> None:
        """Pretend that so many more seconds have passed for this stream, which may then ping, stall or expire."""
        if seconds < 0:
            raise ValueError(f"seconds must not be negative, got {seconds!r}")
        self._connection("a clock").skip(seconds)

    def _connection(self, what: str) -> Connection:
        if self._answer.connection is None:
            raise RuntimeError(
                f"{self._request} is not a stream of sse_bridge's: it does not have {what}"
            )
        return self._answer.connection

    def _advance_if_ours(self, seconds: float) -> None:
        """The same, but does nothing if the response turned out to be another."""
        if self._answer.connection is not None:
            self.advance(seconds)

    # -- looks ------------------------------------------------------------------------------------

    def _look_for_clock(self) -> bool | None:
        """Whether time may pass: the stream has begun, or the response is not a stream."""
        connection = self._answer.connection
        begun = connection is not None and connection.stream.deadline != float("inf")
        return True if begun or self._is_started() or self._answer.over else None

    def _look_for_status(self) -> bool | None:
        """The status and headers are there; if it is not an event stream, the body is, too."""
        if not self._is_started():
            self._check("an answer was wanted")
            return None
        if self.headers.get("content-type", "").startswith("text/event-stream"):
            if self._request.method != "HEAD":
                return True
        elif self.status_code >= 500 and self._raises and not self._answer.over:
            return None  # frameworks answer first, and then raise
        complete = self._answer.complete
        while self._read():
            pass
        if not complete:
            self._check("the rest of the body was wanted")
        elif self._answer.over:
            self._raise_failure()
        return True if complete and self._sum_up() else None

    def _look_for_events(self, number: int) -> list[ServerSentEvent] | None:
        """So many events."""
        if number < 0:
            raise ValueError(f"number must be 0 or more, got {number!r}")
        complete = self._answer.complete or self._answer.over
        while len(self._events) < number and self._read():
            pass
        if len(self._events) >= number:
            return [self._events.popleft() for _ in range(number)]
        if complete:
            self._check(f"{count(number, 'event')} wanted", ended=True)
        return None

    def _look_for_ping(self) -> bool | None:
        """One more ping."""
        complete = self._answer.complete or self._answer.over
        while self._pings <= self._awaited_pings and self._read():
            pass
        if self._pings > self._awaited_pings:
            self._awaited_pings += 1
            return True
        if complete:
            self._check("a ping was wanted", ended=True)
        return None

    def _look_for_rest(self) -> list[ServerSentEvent] | None:
        """All events until the end, and the summary."""
        complete = self._answer.complete or self._answer.over
        while self._read():
            pass
        if not complete:
            return None
        if not self._answer.complete:
            self._raise_failure()
        if not self._sum_up():
            return None
        rest = list(self._events)
        self._events.clear()
        return rest

    def _look_for_end(self) -> bool | None:
        """The app has returned, and no source runs."""
        if not (self._answer.over and self._answer.source_closed):
            return None
        self._is_summed_up = True
        return True

    # -- what went wrong --------------------------------------------------------------------------

    def _too_late(self, wanted: str, timeout: float) -> AssertionError:
        """The error for a wait that took too long."""
        return AssertionError(f"{wanted}, but not within {timeout:g} s\n{self._shown()}")

    def _still_runs(self, timeout: float, place: str) -> AssertionError:
        """The error for an app that did not end."""
        after = f"{timeout:g} s after the client disconnected"
        if self._answer.connection is not None and not self._answer.source_closed:
            return AssertionError(
                f"{self._request}: the source {self._answer.source} still runs {after}"
            )
        return AssertionError(f"{self._request}: the app still runs {after}\n{place}".rstrip())

    def _check(self, wanted: str, *, ended: bool = False) -> None:
        """Raise if what is wanted will never come."""
        if self._answer.over:
            self._raise_failure()
        if ended or self._answer.over:
            why = "the stream ended" if self._is_started() else "the app returned without an answer"
            connection = self._answer.connection
            if connection is not None and connection.stream.ending is not None:
                why += f" as {connection.stream.ending}"
            raise AssertionError(f"{wanted}, but {why}\n{self._shown()}")

    def _raise_failure(self) -> None:
        """Raise what the app has raised, if it should be raised here and was not yet."""
        error = self._answer.error
        if error is not None and self._raises:
            self._answer.error = None
            raise error

    def _shown(self) -> str:
        if not self._is_started():
            return (
                f"{self._request}: nothing came. Until the first chunk the status is held back, for up to `hold` "
                "seconds; stream(..., advance=seconds) lets them pass."
            )
        last = bytes(self._body[-SHOWN:]).decode("utf-8", "replace")
        cut = "..." if len(self._body) > SHOWN else ""
        came = f"{self._request}: received {self.status_code}, {len(self._body)} bytes"
        return f"{came}:\n{cut}{last}" if last else came

    # -- inside -----------------------------------------------------------------------------------

    def _is_started(self) -> bool:
        return self._answer.status_code is not None

    def _sum_up(self) -> bool:
        """Whether all about the stream's end is known, if it is ours."""
        self._is_summed_up = self._answer.connection is None or self._answer.summed_up
        return self._is_summed_up

    def _read(self) -> bool:
        """Read one more piece, if there is one."""
        if not (piece := self._answer.take()):
            return False
        self._body += piece
        if len(self._body) > LIMIT:
            raise AssertionError(f"{self._request} does not end: {len(self._body)} bytes came")
        self._events += self._decoder.feed(piece)
        return True

    def _hear(self, comment: str) -> None:
        self._pings += comment.startswith(": ping")


def count(number: int, noun: str) -> str:
    """The number and the noun, as the beginning of a sentence."""
    return f"1 {noun} was" if number == 1 else f"{number} {noun}s were"
