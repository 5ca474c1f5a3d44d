"""The frames adapter: an event stream that is one already passes as it is, line by line.

Rules of this file:

1. What is given passes byte by byte as it is, but for a byte order mark, which would spoil a stream's first
   field. It leaves with the end of its line, and no line is longer held than `LINE_LIMIT` bytes: so something of
   ours may be put between two lines, and what is cut in a line can be dropped.
2. Nothing else is collected: there is no limit on a frame.
3. A body that begins with no field of an event is no event stream. It passes untouched, and nothing is put into it.
   Where a model should speak it is no answer; under a response of ours it ends as one that was cut.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from ..failures import UpstreamError, no_answer, upstream_cut
from ..parts import Frame, Raw, Relayed
from ..surrogates import Pieces
from ..wire import FIELDS, ServerSentEvent
from .base import Parts, Reader, Wish, broken
from .events import event_of, looks_like_event
from .openai_chunk import told_in
from .protocols import Sightings
from .refusals import refusal_in

_log = logging.getLogger("sse_bridge")

BOM = b"\xef\xbb\xbf"
LINE_LIMIT = 64 * 1024  # bytes of an unfinished line that wait for its end
_REFUSAL_LIMIT = 64 * 1024  # bytes of a body that is no event stream and may tell why

_FIELD = re.compile(rb"(?:%b)?[:\r\n]" % b"|".join(FIELDS))


class Frames:
    """``str`` or ``bytes``, cut anywhere, that are text/event-stream already; lines without their ends; events too.

    Arguments: `exact` (default False), whether nothing but the bytes themselves is to pass: then chunks are never
    taken for lines without ends, and a body that is no event stream passes under any dialect.
    """

    name = "frames"
    relays = True

    def __init__(self, *, exact: bool = False) -> None:
        if not isinstance(exact, bool):
            raise TypeError(f"exact must be True or False, got {exact!r}")
        self.exact = exact

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return FramesReader(wish, exact=self.exact)


class FramesReader:
    """Finds out by the first bytes what passes, and lets a reader of its own kind do the rest."""

    def __init__(self, wish: Wish, *, exact: bool = False) -> None:
        self._bytes = _Bytes(wish, may_be_lines=not exact)
        self._must_speak = not exact and not wish.takes_objects
        self._exact = exact
        self._head = b""  # what does not tell yet
        self._passing: _Lines | _NoStream | None = None

    def read(self, chunk: Any) -> Parts:
        data = self._bytes.of(chunk)
        if self._passing is not None:
            return self._passing.read(data)
        self._head += data
        is_stream = begins_an_event_stream(self._head)
        return () if is_stream is None else self._begin(is_stream=is_stream)

    def end(self) -> Parts:
        begun = () if self._passing is not None else self._begin(is_stream=True)
        assert self._passing is not None, "it was begun"
        rest = self._bytes.rest()
        return (*begun, *(self._passing.read(rest) if rest else ()), *self._passing.end())

    def _begin(self, *, is_stream: bool) -> Parts:
        if is_stream:
            self._passing = _Lines(must_speak=self._must_speak)
            return self._passing.read(self._head.removeprefix(BOM)) if self._head else ()
        self._passing = _NoStream(self._head[:40], passes=not self._must_speak, may_end=self._exact)
        return self._passing.read(self._head)


def begins_an_event_stream(data: bytes) -> bool | None:
    """Whether these bytes begin one, with a field, a comment or a line end; None if they are too few to tell."""
    if len(data) < len(BOM) and BOM.startswith(data):
        return None
    data = data.removeprefix(BOM)
    if _FIELD.match(data):
        return True
    return None if any(field.startswith(data) for field in FIELDS) else False


class _Bytes:
    """The bytes of what the source gives: text, bytes, events, and lines whose ends `iter_lines` has taken off."""

    def __init__(self, wish: Wish, *, may_be_lines: bool) -> None:
        self._write = wish.objects.write
        self._text = Pieces()
        self._are_lines: bool | None = None if may_be_lines else False
        self._first = b""  # what may be a line without its end

    def of(self, chunk: Any) -> bytes:
        data = self._encoded(chunk)
        if self._are_lines is False or chunk is None:
            return data
        if self._are_lines:
            return data if data.endswith(b"\n") else data + b"\n"
        return self._look(data)

    def rest(self) -> bytes:
        """What was left over when the source ran dry."""
        return self._text.rest().encode()

    def _look(self, data: bytes) -> bytes:
        """The second of two lines shows that they are such: by beginning like one, or by being empty."""
        first, self._first = self._first, data
        if b"\n" in data or b"\r" in data:
            self._are_lines = False
        elif first and begins_an_event_stream(first):
            self._are_lines = not data or bool(begins_an_event_stream(data))
            return b"\n" + data + b"\n" if self._are_lines else data
        elif first:
            self._first = first + data
        return data

    def _encoded(self, chunk: Any) -> bytes:
        if isinstance(chunk, str):
            return self._text.add(chunk).encode()
        if isinstance(chunk, (bytes, bytearray, memoryview)):
            return self.rest() + bytes(chunk)
        if chunk is None:
            return b""
        if isinstance(chunk, ServerSentEvent):
            return chunk.encode()
        if looks_like_event(chunk):
            return event_of(chunk, self._write).encode()
        raise TypeError(
            f'adapter="frames" takes str or bytes that are framed already, got {chunk!r:.200}'
        )


class _Lines:
    """An event stream's lines, and what they show of it."""

    def __init__(self, *, must_speak: bool) -> None:
        self._spoke = not must_speak
        self._rest = bytearray()  # an unfinished line
        self._is_cut = False  # whether the beginning of that line has left
        self._after_cr = False
        self._seen = Sightings()
        self._told: tuple[str | None, bool] = (None, False)

    def read(self, data: bytes) -> Parts:
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if end:
            piece = bytes(self._rest) + data[:end]
            self._rest = bytearray(data[end:])
            return self._pass(piece)
        self._rest += data
        if len(self._rest) <= LINE_LIMIT:
            return ()
        piece, self._rest = bytes(self._rest), bytearray()
        return self._pass(piece)

    def end(self) -> Parts:
        parts = self._pass(bytes(self._rest)) if self._rest else ()
        if self._seen.failed:
            return broken(parts, UpstreamError("the relayed frames tell of a failure"))
        return broken(parts, upstream_cut()) if self._seen.was_cut else parts

    def _pass(self, piece: bytes) -> Parts:
        if not self._is_cut:
            self._look_at(piece)
        self._is_cut = not piece.endswith((b"\n", b"\r"))
        told = self._seen.name, self._seen.over
        if told == self._told:
            return (Frame(piece, self._spoke),)
        self._told = told
        return (Frame(piece, self._spoke), Relayed(*told))

    def _look_at(self, piece: bytes) -> None:
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.removesuffix(b"\n").split(b"\n")
        self._seen.see(lines)
        if not self._spoke:
            self._look_for_words(lines)

    def _look_for_words(self, lines: list[bytes]) -> None:
        """Whether a model has said something; raises what it says instead, while that can still be a status."""
        for line in lines:
            if line.startswith(b"data:"):
                told = told_in(line[5:].strip())
                if told.failure is not None:
                    raise told.failure
                self._spoke = self._spoke or told.speaks
        if self._seen.over and not self._spoke:
            raise no_answer()


class _NoStream:
    """A body that is no event stream."""

    def __init__(self, head: bytes, *, passes: bool, may_end: bool) -> None:
        self._head, self._passes, self._may_end = head, passes, may_end
        self._body = bytearray()  # what may tell why, where it does not pass
        _log.warning(
            "a body of type text/event-stream is no event stream: its first line is no field of an event; it "
            "passes as it is, without keep-alives. Frame its text as events (`data: ...` and an empty line), or "
            "give it the media type that it has"
        )

    def read(self, data: bytes) -> Parts:
        if self._passes:
            return (Raw(data),) if data else ()
        self._body += data[: _REFUSAL_LIMIT - len(self._body)]
        return ()

    def end(self) -> Parts:
        if self._may_end:
            return ()
        try:
            told = refusal_in(json.loads(self._body))
        except ValueError:
            told = None
        message = (
            f"the upstream's body is no event stream, and no answer: it begins with {self._head!r}"
        )
        raise told or no_answer(message)
