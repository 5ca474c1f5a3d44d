"""The frames adapter: a source that is already an event stream passes unchanged, line by line.

Rules of this file:

1. Every byte passes unchanged, except a byte order mark, which would spoil a stream's first field. A line is
   passed on when its end has come, or when `LINE_LIMIT` bytes of it have: so something of ours may be put between
   two lines, and a line that was cut can be dropped.
2. Nothing else is buffered: there is no limit on a frame.
3. Where a dialect was named that speaks for a model, frames of another protocol are translated: see `gateway`.
4. A body that does not begin with a field of an event is not an event stream. It passes unchanged, and nothing is
   put into it. Where a model should speak, it is no answer; in a response of ours it ends as a cut body does.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from ..failures import no_answer
from ..parts import Raw
from ..shapes import noted
from ..surrogates import Pieces
from ..wire import FIELDS, ServerSentEvent
from .base import Parts, Reader, Wish, in_turn
from .events import event_of, looks_like_event
from .gateway import Gateway
from .refusals import refusal_in
from .relayed import LINE_LIMIT, RelayedLines

_log = logging.getLogger("sse_bridge")

BOM = b"\xef\xbb\xbf"
_REFUSAL_LIMIT = 64 * 1024  # bytes kept of a body that is not an event stream and may say why

_FIELD = re.compile(rb"(?:%b)[:\r\n]|:" % b"|".join(FIELDS))
_SHORT = re.compile(rb"(?:event|id|retry): ?[^\s:]+$")  # surely a whole line, if a field follows it


class Frames:
    """``str`` or ``bytes``, cut anywhere, that are text/event-stream already; lines without their ends; events too.

    Under a dialect that speaks for a model, frames of another model's protocol are translated into it.

    Arguments: `exact` (default False), whether exactly the given bytes are to pass: then chunks are never taken for
    lines without ends, no protocol is translated, and a body that is not an event stream passes under any dialect.
    Raises `TypeError` for another type. Format: the WHATWG HTML standard (text/event-stream).
    """

    name = "frames"
    relays = True

    def __init__(self, *, exact: bool = False) -> None:
        if not isinstance(exact, bool):
            raise TypeError(f"exact must be True or False, got {exact!r}")
        self.exact = exact

    def reader(self, wish: Wish) -> Reader:
        """The reader for a new stream."""
        return FramesReader(wish, exact=self.exact)


class FramesReader:
    """Finds out from the first bytes what kind of body passes, and leaves the rest to a reader of that kind."""

    def __init__(self, wish: Wish, *, exact: bool = False) -> None:
        self._bytes = _Bytes(wish, may_be_lines=not exact)
        self._wish = wish
        self._must_speak = not exact and not wish.takes_objects
        self._exact = exact
        self._head = bytearray()  # what does not tell yet
        self._telling = b""  # as much of it as there is to ask
        self._passing: RelayedLines | Gateway | _NoStream | None = None

    def read(self, chunk: Any) -> Parts:
        return self._pass(self._bytes.of(chunk))

    def end(self) -> Parts:
        return in_turn(self._rest, self._begun, self._end)

    def _rest(self) -> Parts:
        rest = self._bytes.rest()
        return self._pass(rest) if rest else ()

    def _begun(self) -> Parts:
        return () if self._passing is not None else self._begin(is_stream=True)

    def _end(self) -> Parts:
        assert self._passing is not None, "it was begun"
        return self._passing.end()

    def _pass(self, data: bytes) -> Parts:
        if self._passing is not None:
            return self._passing.read(data)
        self._head += data
        self._telling = _what_tells(self._telling + data)
        is_stream = begins_an_event_stream(self._telling)
        if is_stream is None and len(self._head) <= LINE_LIMIT:
            return ()
        return self._begin(is_stream=is_stream is not False)  # so many empty lines are a stream's

    def _begin(self, *, is_stream: bool) -> Parts:
        head = bytes(self._head)
        self._head.clear()
        if is_stream:
            self._passing = self._stream()
            return self._passing.read(head.removeprefix(BOM)) if head else ()
        self._passing = _NoStream(head[:40], passes=not self._must_speak, may_end=self._exact)
        return self._passing.read(head)

    def _stream(self) -> RelayedLines | Gateway:
        if self._wish.speaks is not None and not self._exact:
            return Gateway(self._wish)
        return RelayedLines(must_speak=self._must_speak, passes=self._wish.passes)


def begins_an_event_stream(data: bytes) -> bool | None:
    """Whether these bytes begin one, with a field, a comment or a line end; None if they are too few to tell."""
    if len(data) < len(BOM) and BOM.startswith(data):
        return None
    data = data.removeprefix(BOM).lstrip(b"\r\n")
    if _FIELD.match(data):
        return True
    return None if any(field.startswith(data) for field in FIELDS) else False


def _what_tells(head: bytes) -> bytes:
    """The same beginning, to decide whether it is one of an event stream: many line ends are merged into one."""
    unmarked = head.removeprefix(BOM)
    rest = unmarked.lstrip(b"\r\n")
    return head if len(rest) == len(unmarked) else b"\n" + rest


class _Bytes:
    """Turns chunks into bytes: text, bytes, events, and lines whose ends `iter_lines` has removed."""

    def __init__(self, wish: Wish, *, may_be_lines: bool) -> None:
        self._write = wish.objects.write
        self._text = Pieces()
        self._are_lines: bool | None = None if may_be_lines else False
        self._first = _First()

    def of(self, chunk: Any) -> bytes:
        data = self._encoded(chunk)
        if self._are_lines is False or chunk is None:
            return data
        if self._are_lines:
            return data if data.endswith(b"\n") else data + b"\n"
        self._are_lines = self._first.add(data)
        return b"" if self._are_lines is None else self._let_go()

    def rest(self) -> bytes:
        """The bytes that were left over when the source ended."""
        if self._are_lines is None:
            self._are_lines = self._first.has_empty
        return self._let_go() + self._text.rest().encode()

    def _let_go(self) -> bytes:
        return self._first.joined(b"\n" if self._are_lines else b"")

    def _encoded(self, chunk: Any) -> bytes:
        if isinstance(chunk, str):
            return self._text.add(chunk).encode()
        if isinstance(chunk, (bytes, bytearray, memoryview)):
            return self._text.rest().encode() + bytes(chunk)
        if chunk is None:
            return b""
        if isinstance(chunk, ServerSentEvent):
            return chunk.encode()
        if looks_like_event(chunk):
            return event_of(chunk, self._write).encode()
        raise TypeError(
            f'adapter="frames" takes str or bytes that are framed already, got {noted(chunk)}'
        )


class _First:
    """The first pieces of a source, as long as they may be lines without their ends.

    Such lines have no line ends in them. Each is a field, and an empty one comes between two events: but a piece
    that was cut anywhere may be empty too, or begin in mid-line with what looks like a field. Each is checked once.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self.has_empty = False

    def add(self, data: bytes) -> bool | None:
        """Whether the source yields line by line; None: not known yet."""
        are_lines = self._judge(data)
        self._pieces.append(data)
        self._size += len(data) + 1  # an empty one is kept, too
        self.has_empty = self.has_empty or not data
        return are_lines

    def joined(self, end: bytes) -> bytes:
        """All of them, each with this line end; they are not kept any longer."""
        pieces, self._pieces = self._pieces, []
        return b"".join(data + end for data in pieces)

    def _judge(self, data: bytes) -> bool | None:
        if b"\n" in data or b"\r" in data or self._size + len(data) > LINE_LIMIT:
            return False
        if data and not _FIELD.match(data + b"\n"):
            return False
        last = self._pieces[-1] if self._pieces else b""
        if not data:
            return True if _is_whole(last) else None
        is_behind_another = self.has_empty or _SHORT.match(last)
        return True if is_behind_another and not data.startswith(b":") else None


def _is_whole(line: bytes) -> bool:
    """Whether a line is surely complete: it holds JSON, or is OpenAI's last, ``[DONE]``."""
    data = line.partition(b":")[2].strip()
    if data == b"[DONE]":
        return True
    try:
        return data.startswith((b"{", b"[")) and json.loads(data) is not None
    except (ValueError, RecursionError):  # too deep: it has an end, but who knows where
        return False


class _NoStream:
    """The reader of a body that is not an event stream."""

    def __init__(self, head: bytes, *, passes: bool, may_end: bool) -> None:
        self._head, self._passes, self._may_end = head, passes, may_end
        self._body = bytearray()  # it may say why, where it does not pass
        _log.warning(
            "a body of type text/event-stream is not an event stream: its first line is not a field of an event. "
            "It passes unchanged, without keep-alives. Frame its text as events (`data: ...` and an empty line), "
            "or declare its real media type"
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
        except (ValueError, RecursionError):
            told = None
        message = (
            "the upstream's body is not an event stream, so it is no answer: it does not begin with a field of an "
            f"event, but with {noted(self._head)}"
        )
        raise told or no_answer(message)
