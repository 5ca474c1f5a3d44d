"""One connection as a state machine: parts and time in, bytes out.

Rules of this file:

1. No I/O, no clock, no thread, no lock: time is an argument, and only the driver's loop calls in.
2. States: HELD (no byte has been sent, nor the status line), OPEN, ENDED (`ending` is set).
   While HELD every call returns ``b""``; what the dialect says first waits with the first real bytes.
3. The first ending wins. After it every call returns ``b""``.
4. A failure while HELD sends nothing at all: `held` stays true, and the face (the framework integration) raises
   `error`.
5. No exception leaves this file: what a dialect raises for a part becomes the stream's own failure.
6. Somebody else's frames come line by line: a ping goes between two lines, without an empty line within a frame.
7. A model that has not said a word has not answered: where one must have spoken, an empty stream has failed.
8. A chunk that is one part, as nearly all are, takes a short path through a stream that `flows`: it changes
   nothing but the counts and the time.
9. When `ending` is set: write what was returned, close the source, stop. If `cut` is set as well, the client
   could not be told of a failure, or not in a form that it surely knows: end the body as a cut connection does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any

from .failures import UpstreamError, diagnose, no_answer, no_chunk
from .framing import count_frames, count_lines_of_data, end_of_frame, ends_line, has_id
from .parts import Broken, End, Failure, Frame, Part, Raw, Relayed, Start, Value, speaks
from .summary import Ending, Summary, Tally
from .surrogates import Halves
from .times import NEVER, Limits, Times

PING = b": ping\n\n"
# An empty line makes fetch-event-source dispatch a phantom event, and after an `id:` line the openai SDK and
# httpx-sse, too. But readers that part events at empty lines lose one that follows on no such.
LINE_PING = b": ping\n"
PINGS = (PING, LINE_PING)

SHUTDOWN_RETRY = 1000  # milliseconds after which to come back, where the app says nothing else

GENERAL_FAILURE = "The answer was interrupted by an error."

# The message and the code of a stream that a timeout, a time limit or a shutdown has ended.
_GIVEN_UP = {
    Ending.STALLED: ("The source was silent for too long.", "upstream_stalled"),
    Ending.EXPIRED: ("The stream reached its max_duration.", "max_duration"),
    Ending.SHUTDOWN: ("The server is shutting down.", "shutdown"),
}


class Stream:
    """Tell it what happened and when, and it returns the bytes to write.

    Arguments: `write`, the dialect's voice for this stream, from part to bytes (its ``run``, if any, takes several
    parts of a kind at once, and its ``one_frame`` maps kinds of parts to faster ways of writing a single one);
    `opening`, the part that it gets first (None: none); `limits`; `retry`, milliseconds for the first frame's
    ``retry:`` line (None: none); `collect`, whether the Summary has what was said; `describe`, from exception and
    code to the message for the client (None, or where it returns None: our own message); `say_end`, whether a
    finished stream sends an end frame (False where the frames are somebody else's); `must_speak`, whether a
    model speaks here, so that a source which ends without a word has failed; `line_pings`, whether a keep-alive
    ends with one line end.
    """

    __slots__ = (
        "_come_back",
        "_describe",
        "_ended_at",
        "_halves",
        "_id_seen",
        "_is_raw",
        "_last",
        "_line_pings",
        "_must_speak",
        "_one_frame",
        "_opening",
        "_relays",
        "_retry",
        "_say_end",
        "_spoke",
        "_tally",
        "_times",
        "_waiting",
        "_write",
        "_write_run",
        "cut",
        "ending",
        "error",
        "flows",
        "held",
    )

    def __init__(
        self,
        write: Callable[[Part], bytes],
        opening: Start | None,
        limits: Limits,
        *,
        retry: int | None = None,
        collect: bool = False,
        describe: Callable[[BaseException, str], str | None] | None = None,
        say_end: bool = True,
        must_speak: bool = False,
        line_pings: bool = False,
    ) -> None:
        self.ending: Ending | None = None
        self.error: BaseException | None = None
        self.held = True
        self.cut = False
        self.flows = False  # OPEN and speaking: rule 8
        self._write = write
        self._write_run: Callable[[list[Any]], bytes | None] = getattr(write, "run", _one_by_one)
        # By the kind of part: what says one as one frame, without an id. What is gathered up is noted as well.
        self._one_frame: Mapping[type, Callable[[Any, Any], bytes]] = (
            _NO_KINDS if collect else getattr(write, "one_frame", _NO_KINDS)
        )
        self._opening = opening
        self._times = Times(limits)
        self._retry = b"" if retry is None else b"retry: %d\n" % retry
        self._come_back = self._retry or b"retry: %d\n" % SHUTDOWN_RETRY
        self._tally = Tally(collect)
        self._describe = describe
        self._say_end, self._must_speak = say_end, must_speak
        self._line_pings = line_pings
        self._spoke = False
        self._relays = False  # somebody else's frames
        self._is_raw = False  # the body is not an event stream at all
        self._last = b"\n\n"  # what was relayed, as much of it as tells where in a frame it ended
        self._halves: Halves | None = None  # few streams have such
        self._waiting = b""  # said by the dialect while HELD
        self._id_seen = False
        self._ended_at: float | None = None

    # -- what time demands ------------------------------------------------------------------------

    @property
    def deadline(self) -> float:
        """When to call `tick` at the latest; ``inf`` for never."""
        if self.ending is not None:
            return NEVER
        return self._times.deadline(held=self.held)

    def start(self, now: float) -> bytes:
        """The source is about to be asked for its first chunk: the clocks start."""
        self._times.start(now)
        if self._opening is not None:
            self._waiting = self._write(self._opening)
        return b"" if self._times.holds else self._count(self._commit())

    def advance(self, seconds: float) -> None:
        """Pretend, for a test, that so much more time has passed for this stream."""
        self._times.advance(seconds)

    def tick(self, now: float) -> bytes:
        """Time has passed. Calling it early is safe: if nothing is due, nothing happens."""
        if self.ending is not None:
            return b""
        times = self._times
        if times.is_over(now):
            return self._give_up(Ending.EXPIRED, now)
        if times.is_stalled(now):
            return self._give_up(Ending.STALLED, now)
        if self.held:
            return self._open_in_silence(now) if now >= times.opens_at else b""
        return self._ping(now) if times.wants_ping(now) else b""

    # -- what the source does ---------------------------------------------------------------------

    def feed(self, parts: Sequence[Part], now: float, chunks: int = 1) -> bytes:
        """The source said something: `parts`, out of so many of its `chunks`."""
        if self.ending is not None:
            return b""
        if chunks:
            self._tally.chunks += chunks
            self._times.hear(now)
        frames: list[bytes] = []
        # So many frames are known to be single frames without an id.
        known = len(parts) if self._one_frame.keys() >= set(map(type, parts)) else 0
        try:
            for kind, run in groupby(parts, type):
                self._put(kind, list(run), frames)
        except Exception as error:
            return self._say(frames, now) + self.fail(error, now)
        return self._say(frames, now, known)

    def lone(self, part: Part, now: float) -> bytes:
        """The same as `feed` for one chunk that is this one part, in the fewest steps."""
        say = self._one_frame.get(type(part)) if self.flows else None
        if say is None:
            return self.feed((part,), now)
        try:
            data = say(self._write, part)
        except Exception:  # a half of a character, say
            return self.feed((part,), now)
        tally = self._tally
        tally.chunks += 1
        tally.events += 1
        tally.bytes += len(data)
        times = self._times
        times.heard_at = times.spoke_at = now
        return data

    def finish(self, now: float) -> bytes:
        """The source has ended, without an error."""
        if self._must_speak and not self._spoke:
            return self.fail(no_answer(), now)
        return self._end(Ending.FINISHED, now)

    def fail(self, error: BaseException, now: float) -> bytes:
        """The source raised, or its chunk could not be written."""
        return self._end(Ending.FAILED, now, error)

    # -- what others do ---------------------------------------------------------------------------

    def shutdown(self, now: float) -> bytes:
        """The server stops; the client may reconnect."""
        self._retry = self._come_back
        return self._give_up(Ending.SHUTDOWN, now)

    def gone(self, ending: Ending = Ending.GONE) -> None:
        """The client disconnected (or, `Ending.SLOW`, stopped reading): nothing more is written."""
        if self.ending is None:
            self.ending = ending
            self.flows = False

    def summary(self, now: float) -> Summary:
        """What happened, once `ending` is set."""
        assert self.ending is not None, "the summary is made once the stream has ended"
        began_at, heard_at = self._times.started_at, self._times.first_heard_at
        first = None if heard_at is None else heard_at - began_at
        lasted = (now if self._ended_at is None else self._ended_at) - began_at
        return self._tally.summary(self.ending, first, lasted, self.error, held=self.held)

    def probe(self, now: float) -> bytes:
        """The client may have disconnected: a ping, since writing it may show that; none where pings are off."""
        if self.ending is not None or not self._times.pings:
            return b""
        return (self._count(self._commit()) if self.held else b"") + self._ping(now)

    # -- inside -----------------------------------------------------------------------------------

    def _put(self, kind: type, parts: list[Any], frames: list[bytes]) -> None:
        """Write parts run by run: they come in runs of one kind, and a run costs a fraction of single parts."""
        if kind in _RARE:
            self._note(kind, parts)
        self._tally.note(kind, parts)
        said = None
        try:
            if self._halves is None:
                said = self._write_run(parts)
        except Exception:  # what comes before the one that cannot be said is not lost
            pass
        before = len(frames)
        if said is not None:
            frames.append(said)
        else:
            for part in parts:  # one by one, so that those before one that cannot be said are kept
                frames.append(self._say_part(part))  # noqa: PERF401
        if self._spoke:
            return
        if kind is Value and not any(frames[before:]):
            raise no_chunk(parts[0].json)
        self._spoke = speaks(kind, parts)

    def _note(self, kind: type, parts: list[Any]) -> None:
        """Take note of what changes how the stream goes on; raises the failure that a source has reported."""
        if kind is Broken:
            raise parts[0].error
        if kind is Relayed:
            if parts[-1].over and self._must_speak and not self._spoke:
                raise no_answer()
            return
        self._relays, self.flows = True, False
        self._is_raw = self._is_raw or kind is Raw

    def _say_part(self, part: Part) -> bytes:
        if self._halves is None:
            try:
                return self._write(part)
            except UnicodeEncodeError:
                self._halves = Halves()
                self.flows = False  # what follows may have to wait for the other half
        return b"".join(map(self._write, self._halves.mend(part)))

    def _say(self, frames: list[bytes], now: float, known: int = 0) -> bytes:
        """Frames as bytes, after whatever had to wait for them; they end the silence on the wire.

        So many `known` frames are without an id; all others are searched for one.
        """
        data = b"".join(frames)
        if not data:
            return b""
        if self._relays:
            self._follow(data)
        elif known and self._halves is None:
            self._tally.events += known
        elif events := count_lines_of_data(data):  # among which there is no id
            self._tally.events += events
        else:
            self._tally.events += count_frames(data)
            self._id_seen = self._id_seen or has_id(data)
        if self.held:
            data = self._commit() + data
        if self._retry and not self._is_raw:
            data, self._retry = self._retry + data, b""
        self._times.spoke_at = now
        in_the_way = self.ending or self._retry or self._relays or self._halves
        self.flows = self._spoke and not in_the_way
        return self._count(data)

    def _follow(self, data: bytes) -> None:
        """Keep the last bytes of somebody else's frames: these come in pieces, and a frame's end may be split."""
        self._tally.events += count_frames(self._last + data) - count_frames(self._last)
        self._id_seen = self._id_seen or has_id(data)
        self._last = (self._last + data)[-4:]

    def _commit(self) -> bytes:
        """From HELD to OPEN."""
        self.held = False
        waiting, self._waiting = self._waiting, b""
        self._tally.events += count_frames(waiting)
        self._id_seen = self._id_seen or has_id(waiting)
        if waiting and self._retry:
            waiting, self._retry = self._retry + waiting, b""
        return waiting

    def _count(self, data: bytes) -> bytes:
        self._tally.bytes += len(data)
        return data

    def _open_in_silence(self, now: float) -> bytes:
        waiting = self._count(self._commit())
        self._times.spoke_at = now
        return waiting or (self._ping(now) if self._times.pings else b"")

    def _ping(self, now: float) -> bytes:
        self._times.spoke_at = now
        if self._is_raw or not ends_line(self._last):
            return b""
        is_line = self._line_pings or self._id_seen or end_of_frame(self._last)
        self._tally.pings += 1
        return self._count(LINE_PING if is_line else PING)

    def _give_up(self, ending: Ending, now: float) -> bytes:
        message, code = _GIVEN_UP[ending]
        status_code = diagnose(UpstreamError(message, code=code)).status_code
        return self._end(ending, now, UpstreamError(message, status_code=status_code, code=code))

    def _end(self, ending: Ending, now: float, error: BaseException | None = None) -> bytes:
        if self.ending is not None:
            return b""
        self.ending, self.error, self._ended_at = ending, error, now
        self.flows = False
        if error is not None and self.held:
            return b""
        if self._is_raw:
            self.cut = error is not None
            return b""
        words = [self._what_waits(), self._last_words(error)]
        if self.held and self.error is not None:
            return b""
        if any(words) and (lacking := end_of_frame(self._last)):
            return self._say([lacking], now) + self._say(words, now)
        return self._say(words, now) or (self._count(self._commit()) if self.held else b"")

    def _what_waits(self) -> bytes:
        try:
            return b"".join(map(self._write, self._halves.rest())) if self._halves else b""
        except Exception:  # half a character is not worth the last words
            return b""

    def _last_words(self, error: BaseException | None) -> bytes:
        try:
            if error is not None:
                words = self._write(self._failure(error))
                self.cut = bool(words) and getattr(self._write, "cuts", False)
                return words
            return self._write(End()) if self._say_end else b""
        except Exception as raised:
            if error is not None:  # there is nothing left to tell a failure with
                self.cut = True
                return b""
            self.ending, self.error = Ending.FAILED, raised
            return b"" if self.held else self._last_words(raised)

    def _failure(self, error: BaseException) -> Failure:
        code, _, retryable, _ = diagnose(error)
        message = self._describe(error, code) if self._describe else None
        if message is None:  # the messages of _GIVEN_UP are our own, and say what happened
            message = GENERAL_FAILURE if self.ending is Ending.FAILED else str(error)
        return Failure(message, code, retryable)


# The kinds of parts that `_note` needs to see before they are written.
_RARE = frozenset({Broken, Frame, Raw, Relayed})
_NO_KINDS: Mapping[type, Callable[[Any, Any], bytes]] = MappingProxyType({})


def _one_by_one(_parts: list[Any]) -> None:
    """For a voice that cannot write several parts at once."""
