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

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Any

from .parts import (
    End,
    Failure,
    Finish,
    Native,
    Part,
    Reasoning,
    SerializationError,
    Start,
    ToolCall,
    UpstreamError,
    Usage,
)

PING = b": ping\n\n"
# After an `id:` line an empty line makes the openai SDK and httpx-sse dispatch a phantom event.
PING_AFTER_ID = b": ping\n"

# A WSGI server sends its headers with the first bytes of the body. So a stream that is open and has
# nothing to say yet does not wait a whole `ping` for that.
FIRST_PING = 0.25

COLLECT_LIMIT = 1_000_000  # characters of text, reasoning and arguments that a Summary gathers

GENERAL_FAILURE = "The answer was interrupted by an error."


class Ending(enum.StrEnum):
    """Why a stream ended."""

    FINISHED = "finished"  # the source ran dry
    FAILED = "failed"  # the source raised, or told of a failure in band
    STALLED = "stalled"  # the source was silent for too long
    EXPIRED = "expired"  # the stream lasted for too long
    GONE = "gone"  # the client left
    SLOW = "slow"  # the client stopped reading
    SHUTDOWN = "shutdown"  # the server stops


@dataclass(slots=True)
class Summary:
    """What happened on one stream, for logs, bills and databases; times are in seconds."""

    ending: Ending
    chunks: int = 0
    events: int = 0
    bytes: int = 0
    pings: int = 0
    time_to_first_chunk: float | None = None
    duration: float = 0.0
    usage: dict[str, int] | None = None
    finish_reason: str | None = None
    text: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, str | None]] | None = None
    error: BaseException | None = None


@dataclass(slots=True)
class Limits:
    """The times of a Stream, in seconds; ``inf`` is never."""

    ping: float = 15.0
    hold: float = 5.0
    first_chunk_timeout: float = inf
    stall_timeout: float = inf
    max_duration: float = inf


class Stream:
    """What happened and when goes in; the bytes to write come out.

    Arguments: `write`, the dialect's voice for this stream, part to bytes; `opening`, what it hears first;
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
        self._opening = opening
        self._limits = limits
        self._retry = b"" if retry is None else b"retry: %d\n" % retry
        self._collected = _Collected() if collect else None
        self._describe = describe
        self._say_end = say_end
        self._waiting = b""  # said by the dialect while HELD
        self._id_seen = False
        self._hold_until = self._ping_at = self._silent_until = self._expires_at = inf
        self._started_at = 0.0
        self._heard_at: float | None = None
        self._ended_at: float | None = None
        self._chunks = self._events = self._bytes = self._pings = 0
        self._usage: Usage | None = None
        self._finish_reason: str | None = None

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
        self._events += self._waiting != b""
        if self._limits.hold:
            return b""
        self._ping_at = now + min(self._limits.ping, FIRST_PING)
        return self._commit()

    def tick(self, now: float) -> bytes:
        """Time passed. Safe to call early: nothing is due, nothing happens."""
        if self.ending is not None:
            return b""
        if now >= self._expires_at:
            return self._expire(now)
        if now >= self._silent_until:
            return self._stall(now)
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
        write, collects = self._write, self._collected is not None
        try:
            for part in parts:
                if collects or type(part) is not str:  # a str has nothing to note
                    self._note(part)
                if frame := write(part):
                    frames.append(frame)
        except Exception as error:
            return self._say(frames, now) + self.fail(error, now)
        return self._say(frames, now)

    def finish(self, now: float) -> bytes:
        """The source ran dry."""
        return self._end(Ending.FINISHED, now)

    def fail(self, error: BaseException, now: float) -> bytes:
        """The source raised, or its chunk could not be written."""
        code, retryable = "upstream_error", getattr(error, "retryable", True)
        if isinstance(error, (SerializationError, UnicodeEncodeError)):
            code, retryable = "serialization_error", False
        return self._end(Ending.FAILED, now, error, code, bool(retryable))

    # -- what others do ---------------------------------------------------------------------------

    def shutdown(self, now: float) -> bytes:
        """The server stops; the client may come back."""
        error = UpstreamError("The server is shutting down.", status_code=503, code="shutdown")
        return self._end(Ending.SHUTDOWN, now, error, "shutdown", True)

    def gone(self, ending: Ending = Ending.GONE) -> None:
        """The client left (or, `Ending.SLOW`, stopped reading): no bytes exist for nobody."""
        if self.ending is None:
            self.ending = ending

    def summary(self, now: float) -> Summary:
        """What happened, once `ending` is set."""
        assert self.ending is not None, "a stream is summed up after its end"
        ended_at = now if self._ended_at is None else self._ended_at
        first = None if self._heard_at is None else self._heard_at - self._started_at
        summary = Summary(
            self.ending,
            chunks=self._chunks,
            events=self._events,
            bytes=self._bytes,
            pings=self._pings,
            time_to_first_chunk=first,
            duration=ended_at - self._started_at,
            usage=_usage_dict(self._usage),
            finish_reason=self._finish_reason,
            error=self.error,
        )
        if self._collected:
            self._collected.fill(summary)
        return summary

    # -- inside -----------------------------------------------------------------------------------

    def _hear(self, now: float, chunks: int) -> None:
        if chunks:
            self._chunks += chunks
            self._silent_until = now + self._limits.stall_timeout
            if self._heard_at is None:
                self._heard_at = now

    def _note(self, part: Part) -> None:
        """Read off a part what the Summary tells."""
        if isinstance(part, Native):
            self._usage = part.usage or self._usage
            self._finish_reason = part.finish_reason or self._finish_reason
        elif isinstance(part, Usage):
            self._usage = part
        elif isinstance(part, Finish):
            self._finish_reason = part.reason
        if self._collected:
            self._collected.add(part)

    def _say(self, frames: list[bytes], now: float) -> bytes:
        """Frames as bytes, behind whatever had to wait for them; they end the silence on the wire."""
        if not frames:
            return b""
        self._events += len(frames)
        data = b"".join(frames)
        if self.held:
            data = self._commit() + data
        if self._retry:
            data, self._retry = self._retry + data, b""
        if not self._id_seen:
            self._id_seen = data.startswith(b"id") or b"\nid" in data or b"\rid" in data
        self._ping_at = now + self._limits.ping
        self._bytes += len(data)
        return data

    def _commit(self) -> bytes:
        """From HELD to OPEN."""
        self.held = False
        waiting, self._waiting = self._waiting, b""
        if waiting and self._retry:
            waiting, self._retry = self._retry + waiting, b""
        self._bytes += len(waiting)
        return waiting

    def _open_in_silence(self, now: float) -> bytes:
        waiting = self._commit()
        self._ping_at = now + self._limits.ping
        return waiting or (self._ping(now) if self._limits.ping != inf else b"")

    def _ping(self, now: float) -> bytes:
        ping = PING_AFTER_ID if self._id_seen else PING
        self._pings += 1
        self._bytes += len(ping)
        self._ping_at = now + self._limits.ping
        return ping

    def _stall(self, now: float) -> bytes:
        error = UpstreamError(
            "The source was silent for too long.", status_code=504, code="upstream_stalled"
        )
        return self._end(Ending.STALLED, now, error, "upstream_stalled", True)

    def _expire(self, now: float) -> bytes:
        error = UpstreamError(
            "The stream reached its max_duration.",
            status_code=504,
            code="max_duration",
            retryable=False,
        )
        return self._end(Ending.EXPIRED, now, error, "max_duration", False)

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
        data = self._say([frame for word in last_words if (frame := self._write(word))], now)
        return data or (self._commit() if self.held else b"")

    def _message(self, error: BaseException) -> str:
        return self._describe(error) if self._describe else GENERAL_FAILURE


def _usage_dict(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


@dataclass(slots=True)
class _Collected:
    """What was said in the first choice, gathered up to a bound."""

    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tool_calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    room: int = COLLECT_LIMIT

    def add(self, part: Part) -> None:
        if isinstance(part, str):
            self._keep(self.text, part)
        elif isinstance(part, Reasoning):
            self._keep(self.reasoning, part.text)
        elif isinstance(part, ToolCall):
            call = self.tool_calls.setdefault(
                part.number, {"id": None, "name": None, "arguments": []}
            )
            call["id"], call["name"] = call["id"] or part.id, call["name"] or part.name
            self._keep(call["arguments"], part.arguments)
        elif isinstance(part, Native):
            for inner in part.parts:
                self.add(inner)

    def _keep(self, pieces: list[str], text: str) -> None:
        if self.room:
            pieces.append(text[: self.room])
            self.room -= len(pieces[-1])

    def fill(self, summary: Summary) -> None:
        summary.text = "".join(self.text)
        summary.reasoning = "".join(self.reasoning)
        summary.tool_calls = [
            {**call, "arguments": "".join(call["arguments"])}
            for _, call in sorted(self.tool_calls.items())
        ]
