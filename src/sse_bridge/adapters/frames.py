"""The frames adapter: an event stream that is one already passes as it is, line by line.

Rules of this file:

1. What is given passes byte by byte as it is. It leaves with the end of its line, and no line is longer held than
   `LINE_LIMIT` bytes: so something of ours may be put between two lines, and what is cut in a line can be dropped.
2. Nothing else is collected: there is no limit on a frame.
3. A body that begins with no field of an event is no event stream. It passes untouched, and nothing is put into it.
   Where a model should speak it is no answer; under a response of ours it ends as one that was cut.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from ..failures import UpstreamError
from ..parts import Frame, Part, Raw, Relayed
from ..surrogates import whole
from ..wire import ServerSentEvent
from .base import Parts, Reader, Wish, broken
from .events import event_of, looks_like_event
from .openai import upstream_cut
from .openai_chunk import says_something
from .protocols import OPENAI, Sightings
from .refusals import refusal_in

_log = logging.getLogger("sse_bridge")

BOM = b"\xef\xbb\xbf"
LINE_LIMIT = 64 * 1024  # bytes of an unfinished line that wait for its end
_REFUSAL_LIMIT = 64 * 1024  # bytes of a body that is no event stream and may tell why

_FIELDS = (b"data", b"event", b"id", b"retry")
_FIELD = re.compile(rb"(?:data|event|id|retry)?:|(?:data|event|id|retry)?[\r\n]")
_LINE_END = re.compile(rb"\r\n|\n|\r")


class Frames:
    """``str`` or ``bytes``, cut anywhere, that are text/event-stream already; lines without their ends; events too.

    Arguments: `exact` (default False), whether nothing but the bytes themselves is to pass: then chunks are never
    taken for lines without ends, and a body that is no event stream passes under any dialect.
    """

    name = "frames"

    def __init__(self, *, exact: bool = False) -> None:
        if not isinstance(exact, bool):
            raise TypeError(f"exact must be True or False, got {exact!r}")
        self.exact = exact

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return FramesReader(wish, exact=self.exact)


class FramesReader:
    def __init__(self, wish: Wish, *, exact: bool = False) -> None:
        self._write = wish.objects.write
        self._exact = exact
        self._may_be_lines = not exact  # until a line end is seen
        self._are_lines = False
        self._must_speak = not exact and not wish.takes_objects
        self._spoke = False
        self._half = ""  # of a character that text was cut in
        self._is_stream: bool | None = None  # or its beginning does not tell yet
        self._rest = bytearray()  # an unfinished line
        self._is_cut = False  # whether the beginning of that line has left
        self._after_cr = False
        self._seen = Sightings()
        self._told: tuple[str | None, bool] = (None, False)
        self._head = b""  # of what is no event stream, to be shown

    def read(self, chunk: Any) -> Parts:
        data = self._with_ends(self._bytes_of(chunk), is_line=chunk is not None)
        if self._is_stream is None:
            self._is_stream = begins_an_event_stream(bytes(self._rest) + data)
            if self._is_stream is False:
                data, self._rest = bytes(self._rest) + data, bytearray()
                self._head = data[:40]
                self._warn()
        if self._is_stream is False:
            return self._raw(data)
        return self._pass_lines(data)

    def end(self) -> Parts:
        if self._is_stream is False:
            return self._end_of_raw()
        parts: list[Part] = []
        if self._rest:
            parts += self._pass(bytes(self._rest))
        if self._seen.failed:
            return broken(parts, UpstreamError("the relayed frames tell of a failure"))
        if (
            self._seen.protocol is OPENAI
            and not self._seen.over
            and not self._seen.has_finish_reason
        ):
            return broken(parts, upstream_cut())
        return parts

    # -- what a chunk is --------------------------------------------------------------------------

    def _bytes_of(self, chunk: Any) -> bytes:
        if isinstance(chunk, str):
            return self._encoded(chunk)
        if isinstance(chunk, (bytes, bytearray, memoryview)):
            return bytes(chunk)
        if chunk is None:
            return b""
        if isinstance(chunk, ServerSentEvent):
            return chunk.encode()
        if looks_like_event(chunk):
            return event_of(chunk, self._write).encode()
        raise TypeError(
            f'adapter="frames" takes str or bytes that are framed already, got {chunk!r:.200}'
        )

    def _encoded(self, text: str) -> bytes:
        if text.isascii() and not self._half:
            return text.encode()
        text, self._half = self._half + text, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._half = text[:-1], text[-1]
        return whole(text).encode()

    def _with_ends(self, data: bytes, *, is_line: bool) -> bytes:
        """Lines come without their ends from what `iter_lines` gives; then the second of them shows it."""
        if not self._may_be_lines or not is_line:
            return data
        if data.endswith((b"\n", b"\r")) or _LINE_END.search(data):
            self._may_be_lines = self._are_lines
            return data
        if self._are_lines:
            return data + b"\n"
        if self._rest and begins_an_event_stream(bytes(self._rest)):
            if not data or begins_an_event_stream(data):
                self._are_lines = True
                return b"\n" + data + b"\n"
            self._may_be_lines = False
        return data

    # -- what passes ------------------------------------------------------------------------------

    def _pass_lines(self, data: bytes) -> Parts:
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

    def _pass(self, piece: bytes) -> Parts:
        if not self._is_cut:
            self._look_at(piece)
        self._is_cut = not piece.endswith((b"\n", b"\r"))
        parts: list[Part] = [Frame(piece, self._spoke or not self._must_speak)]
        told = self._seen.name, self._seen.over
        if told != self._told:
            self._told = told
            parts.append(Relayed(*told))
        return parts

    def _look_at(self, piece: bytes) -> None:
        if self._after_cr:
            piece = piece.removeprefix(b"\n")
        self._after_cr = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = piece.removeprefix(BOM).split(b"\n")
        self._seen.see(lines if lines[-1] else lines[:-1])
        if self._must_speak and not self._spoke:
            self._look_for_words(lines)

    def _look_for_words(self, lines: list[bytes]) -> None:
        """Whether a model has said something; raises what it says instead, while that can still be a status."""
        for line in lines:
            if line.startswith(b"data:"):
                said = says_something(line[5:].strip())
                if isinstance(said, UpstreamError):
                    raise said
                self._spoke = self._spoke or said
        if self._seen.over and not self._spoke:
            raise UpstreamError("the relayed stream ended without a word", code="empty_answer")

    # -- what is no event stream ------------------------------------------------------------------

    def _raw(self, data: bytes) -> Parts:
        if not self._must_speak:
            return (Raw(data),) if data else ()
        self._rest += data[: _REFUSAL_LIMIT - len(self._rest)]
        return ()

    def _end_of_raw(self) -> Parts:
        """Whose own response it is may end as it likes; under ours, what is no event stream has no good end."""
        if self._exact:
            return ()
        raise _no_stream(self._rest, self._head)

    def _warn(self) -> None:
        _log.warning(
            "a body of type text/event-stream is no event stream: its first line is no field of an event; it "
            "passes as it is, without keep-alives. Frame its text as events (`data: ...` and an empty line), or "
            "give it the media type that it has"
        )


def begins_an_event_stream(data: bytes) -> bool | None:
    """Whether these bytes begin one, with a field, a comment or a line end; None if they are too few to tell."""
    if BOM.startswith(data[:3]) and len(data) < 3:
        return None
    data = data.removeprefix(BOM)
    if _FIELD.match(data):
        return True
    return None if any(field.startswith(data) for field in _FIELDS) else False


def _no_stream(body: bytearray, head: bytes) -> UpstreamError:
    """What a body fails with that should have been a model's stream: its own words for it, if it has such."""
    try:
        told = refusal_in(json.loads(body))
    except ValueError:
        told = None
    if told is not None:
        return told
    message = f"the upstream's body is no event stream, and no answer: it begins with {head!r}"
    return UpstreamError(message, code="empty_answer")
