"""One connection as a state machine: parts and time in, bytes out.

Rules of this file:

1. No I/O, no clock, no thread, no lock: time is an argument, and only the driver's loop calls in.
2. States: HELD (no byte has left, the status line is not yet sent), OPEN, ENDED (`ending` is set).
   While HELD every answer is ``b""``; what the dialect says first waits with the first real bytes.
3. The first ending wins. After it every input answers ``b""``.
4. A failure while HELD says nothing at all: `held` stays true and the face raises `error`.
5. Nothing raises out of here: what a dialect raises over a part becomes the stream's own failure.
6. When `ending` is set: write what was returned, close the source, stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

from .framing import count_frames, count_lines_of_data
from .parts import End, Failure, Part, SerializationError, Start, UpstreamError, may_work_later
from .summary import Ending, Summary, Tally

PING = b": ping\n\n"
# After an `id:` line an empty line makes the openai SDK and httpx-sse dispatch a phantom event.
PING_AFTER_ID = b": ping\n"
PINGS = (PING, PING_AFTER_ID)

# A WSGI server sends its headers with the first bytes of the body. So a stream that is open and has
# nothing to say yet does not wait a whole `ping` for that.
FIRST_PING = 0.25

SHUTDOWN_RETRY = 1000  # milliseconds after which to come back, where the app says nothing else

GENERAL_FAILURE = "The answer was interrupted by an error."

# What a stream fails with that somebody's patience has ended: message, status, code, retryable.
_GIVEN_UP = {
    Ending.STALLED: ("The source was silent for too long.", 504, "upstream_stalled", True),
    Ending.EXPIRED: ("The stream reached its max_duration.", 504, "max_duration", False),
    Ending.SHUTDOWN: ("The server is shutting down.", 503, "shutdown", True),
}


class Limits(NamedTuple):
    """The times of a Stream, in seconds; ``inf`` is never."""

    ping: float = 15.0
    hold: float = 5.0
    first_chunk_timeout: float = inf
    stall_timeout: float = inf
    max_duration: float = inf


class Stream:
    """What happened and when goes in; the bytes to write come out.

    Arguments: `write`, the dialect's voice for this stream, part to bytes (its ``run``, where it has one, takes
    several of a kind at once); `opening`, what it hears first;
    `limits`; `retry`, milliseconds for the first frame's ``retry:`` line (None: none); `collect`, gather what
    was said; `describe`, exception to the message that the client may see (None: a general sentence);
    `say_end`, whether a finished stream says so (False where the frames are somebody else's).
    """

    def __init__(
        self,
        write: Callable[[Part], bytes],
        opening: Start,
        limits: Limits,
        *,
        retry: int | None = None,
        collect: bool = False,
        describe: Callable[[BaseException], str] | None = None,
        say_end: bool = True,
    ) -> None:
        self.ending: Ending | None = None
        self.error: BaseException | None = None
        self.held = True
        self._write = write
        self._write_run: Callable[[list[Any]], bytes | None] = getattr(write, "run", _one_by_one)
        self._opening = opening
        self._limits = limits
        self._retry = b"" if retry is None else b"retry: %d\n" % retry
        self._come_back = self._retry or b"retry: %d\n" % SHUTDOWN_RETRY
        self._tally = Tally(collect)
        self._describe = describe
        self._say_end = say_end
        self._waiting = b""  # said by the dialect while HELD
        self._id_seen = False
        self._hold_until = self._ping_at = self._silent_until = self._expires_at = inf
        self._started_at = 0.0
        self._heard_at: float | None = None
        self._ended_at: float | None = None

    # -- what time demands ------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When to call `tick` at the latest; ``inf`` for never."""
        if self.ending is not None:
            return inf
        word = self._hold_until if self.held else self._ping_at
        return min(word, self._silent_until, self._expires_at)

    def start(self, now: float) -> bytes:
        """The source is about to be asked for its first chunk."""
        self._started_at = now
        self._hold_until = now + self._limits.hold
        self._silent_until = now + self._limits.first_chunk_timeout
        self._expires_at = now + self._limits.max_duration
        self._waiting = self._write(self._opening)
        if self._limits.hold:
            return b""
        self._ping_at = now + (
            min(self._limits.ping, FIRST_PING) if self._limits.ping != inf else inf
        )
        return self._count(self._commit())

    def tick(self, now: float) -> bytes:
        """Time passed. Safe to call early: nothing is due, nothing happens."""
        if self.ending is not None:
            return b""
        if now >= self._expires_at:
            return self._give_up(Ending.EXPIRED, now)
        if now >= self._silent_until:
            return self._give_up(Ending.STALLED, now)
        if self.held:
            return self._open_in_silence(now) if now >= self._hold_until else b""
        return self._ping(now) if now >= self._ping_at else b""

    # -- what the source does ---------------------------------------------------------------------

    def feed(self, parts: Iterable[Part], now: float, chunks: int = 1) -> bytes:
        """The source said something: `parts`, out of so many of its `chunks`."""
        if self.ending is not None:
            return b""
        self._hear(now, chunks)
        frames: list[bytes] = []
        try:
            for kind, run in groupby(parts, type):
                self._put(kind, list(run), frames)
        except Exception as error:
            return self._say(frames, now) + self.fail(error, now)
        return self._say(frames, now)

    def finish(self, now: float) -> bytes:
        """The source ran dry."""
        return self._end(Ending.FINISHED, now)

    def fail(self, error: BaseException, now: float) -> bytes:
        """The source raised, or its chunk could not be written."""
        status = getattr(error, "status_code", getattr(error, "code", None))
        code, retryable = "upstream_error", getattr(error, "retryable", may_work_later(status))
        if isinstance(error, (SerializationError, UnicodeEncodeError)):
            code, retryable = "serialization_error", False
        return self._end(Ending.FAILED, now, error, code, bool(retryable))

    # -- what others do ---------------------------------------------------------------------------

    def shutdown(self, now: float) -> bytes:
        """The server stops; the client may come back."""
        self._retry = self._come_back
        return self._give_up(Ending.SHUTDOWN, now)

    def gone(self, ending: Ending = Ending.GONE) -> None:
        """The client left (or, `Ending.SLOW`, stopped reading): no bytes exist for nobody."""
        if self.ending is None:
            self.ending = ending

    def summary(self, now: float) -> Summary:
        """What happened, once `ending` is set."""
        assert self.ending is not None, "a stream is summed up after its end"
        ended_at = now if self._ended_at is None else self._ended_at
        first = None if self._heard_at is None else self._heard_at - self._started_at
        return self._tally.summary(self.ending, first, ended_at - self._started_at, self.error)

    def probe(self, now: float) -> bytes:
        """The client may have left: a ping, that writing it may tell; none where pings are off."""
        if self.ending is not None or self._limits.ping == inf:
            return b""
        return (self._count(self._commit()) if self.held else b"") + self._ping(now)

    # -- inside -----------------------------------------------------------------------------------

    def _hear(self, now: float, chunks: int) -> None:
        if chunks:
            self._tally.chunks += chunks
            self._silent_until = now + self._limits.stall_timeout
            if self._heard_at is None:
                self._heard_at = now

    def _put(self, kind: type, parts: list[Part], frames: list[bytes]) -> None:
        """Parts come in runs of one kind, and said by the run they cost a fraction."""
        self._tally.note(kind, parts)
        try:
            said = self._write_run(parts)
        except Exception:  # what comes before the one that cannot be said is not lost
            said = None
        if said is not None:
            frames.append(said)
        else:
            frames += map(self._write, parts)

    def _say(self, frames: list[bytes], now: float) -> bytes:
        """Frames as bytes, behind whatever had to wait for them; they end the silence on the wire."""
        data = b"".join(frames)
        if not data:
            return b""
        if events := count_lines_of_data(data):  # among which there is no id
            self._tally.events += events
        else:
            self._tally.events += count_frames(data)
            self._id_seen = self._id_seen or _has_id(data)
        if self.held:
            data = self._commit() + data
        if self._retry:
            data, self._retry = self._retry + data, b""
        self._ping_at = now + self._limits.ping
        return self._count(data)

    def _commit(self) -> bytes:
        """From HELD to OPEN."""
        self.held = False
        waiting, self._waiting = self._waiting, b""
        self._tally.events += count_frames(waiting)
        self._id_seen = self._id_seen or _has_id(waiting)
        if waiting and self._retry:
            waiting, self._retry = self._retry + waiting, b""
        return waiting

    def _count(self, data: bytes) -> bytes:
        self._tally.bytes += len(data)
        return data

    def _open_in_silence(self, now: float) -> bytes:
        waiting = self._count(self._commit())
        self._ping_at = now + self._limits.ping
        return waiting or (self._ping(now) if self._limits.ping != inf else b"")

    def _ping(self, now: float) -> bytes:
        ping = PING_AFTER_ID if self._id_seen else PING
        self._tally.pings += 1
        self._ping_at = now + self._limits.ping
        return self._count(ping)

    def _give_up(self, ending: Ending, now: float) -> bytes:
        message, status_code, code, retryable = _GIVEN_UP[ending]
        error = UpstreamError(message, status_code=status_code, code=code, retryable=retryable)
        return self._end(ending, now, error, code, retryable)

    def _end(
        self,
        ending: Ending,
        now: float,
        error: BaseException | None = None,
        code: str = "",
        retryable: bool = False,
    ) -> bytes:
        if self.ending is not None:
            return b""
        self.ending, self.error, self._ended_at = ending, error, now
        if error is None:
            last_words: tuple[Part, ...] = (End(),) if self._say_end else ()
        elif self.held:
            return b""
        else:
            last_words = (Failure(self._message(error), code, retryable),)
        data = self._say([self._say_last(word) for word in last_words], now)
        return data or (self._count(self._commit()) if self.held else b"")

    def _say_last(self, word: Part) -> bytes:
        try:
            return self._write(word)
        except Exception as error:  # there is nothing left to tell a failure with
            self.error = self.error or error
            return b""

    def _message(self, error: BaseException) -> str:
        if self._describe:
            return self._describe(error)
        return GENERAL_FAILURE if self.ending is Ending.FAILED else str(error)  # ours, of _GIVEN_UP


def _has_id(frames: bytes) -> bool:
    return frames.startswith(b"id") or b"\nid" in frames or b"\rid" in frames


def _one_by_one(_parts: list[Any]) -> None:
    """For a voice that has no way of saying several at once."""
