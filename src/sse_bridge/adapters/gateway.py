"""Frames for a client that speaks a model's protocol: they pass where they speak it too, and are told in it else.

Rules of this file:

1. The first frame with data decides. Comments and pauses to wait, which come before it, pass as they come; frames
   that anybody may send, as a ping, wait for the one that decides.
2. What is kept is one frame, for as long as it is not known: no more than `LIMIT` bytes. What is larger passes.
3. Only a protocol that is surely known is told in our words; everything else passes as it is.
"""

from __future__ import annotations

import re
from typing import Any

from ..wire import Decoder, ServerSentEvent
from .base import Parts, Wish, in_turn
from .delta import DeltaReader, looks_like_delta
from .openai import OpenAIReader
from .openai_chunk import looks_like_openai
from .protocols import FIRST_EVENTS, recognized
from .relayed import RelayedLines
from .translated import ProtocolReader, Translated, decoded, json_of
from .vendor import VendorReader
from .vendors import vendor_of

LIMIT = 16 * 1024 * 1024  # bytes of a first frame; the decoder has the same for each

_LINE_END = re.compile(rb"[\r\n]")
# Lines that are no part of a frame, the last of them perhaps unfinished.
_AROUND = re.compile(rb"(?:[\r\n]++|(?::|retry:)[^\r\n]*+)*+")
_ANYBODYS = frozenset({"ping", "heartbeat", "keepalive", "keep-alive", "step", "metadata"})
# Those of ours that an app may well send in front of a model's frames.
_AROUND_A_MODEL = frozenset({"source", "file", "data", "tool_result", "approval"})


class Gateway:
    """The bytes of one stream, for a client of whom `wish` says what it speaks."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._lines = RelayedLines(must_speak=True, passes=wish.passes)
        self._decoder = Decoder()
        self._in_comment = False  # or in another line that is no part of a frame
        self._held = bytearray()  # the frames that have told nothing
        self._silent: list[ServerSentEvent] = []  # the same, as far as they are whole
        self._goes_on: RelayedLines | Translated | None = None  # once it is decided

    def read(self, data: bytes) -> Parts:
        """What may leave, now that these bytes have come."""
        if self._goes_on is not None:
            return self._goes_on.read(data)
        start = 0 if self._held else self._end_of_around(data)
        passed = self._lines.read(data[:start]) if start else ()
        if start == len(data):
            return passed
        self._held += data[start:]
        return [*passed, *self._look(data[start:])]

    def end(self) -> Parts:
        """What was left over: a last frame may lack its end."""
        return in_turn(self._last, self._end)

    def _last(self) -> Parts:
        if isinstance(self._goes_on, Translated):
            return self._goes_on.read(b"\n\n")
        if self._goes_on is not None:
            return ()
        return self._look(b"\n\n", is_last=True)

    def _end(self) -> Parts:
        assert self._goes_on is not None, "it was decided"
        return self._goes_on.end()

    def _end_of_around(self, data: bytes) -> int:
        """Up to where these bytes are lines that are no part of a frame."""
        start = 0
        if self._in_comment:
            line_end = _LINE_END.search(data)
            if line_end is None:
                return len(data)
            start = line_end.start()
        found = _AROUND.match(data, start)
        end = start if found is None else found.end()
        self._in_comment = 0 < end == len(data) and not data.endswith((b"\r", b"\n"))
        return end

    def _look(self, data: bytes, *, is_last: bool = False) -> Parts:
        """Decide by the first frame that tells, if these bytes complete it."""
        events, error = decoded(self._decoder, data)
        for place, event in enumerate(events):
            if _is_anybodys(event):
                self._silent.append(event)
                continue
            translated = self._translated(event)
            if translated is None:
                return self._pass()
            self._goes_on = translated
            self._held.clear()
            return [*self._told(translated), *translated.say(events[place:], error)]
        is_too_much = len(self._held) > LIMIT or len(self._silent) > FIRST_EVENTS
        return self._pass() if error or is_too_much or is_last else ()

    def _told(self, translated: Translated) -> Parts:
        """What the frames say that have waited: they are its, or words of ours."""
        if translated.is_ours:
            return translated.say(self._silent)
        reader = DeltaReader(self._wish)
        waited = ((event.event or "", json_of(event)) for event in self._silent)
        ours = (
            chunk for chunk in waited if isinstance(chunk[1], dict) and looks_like_delta(*chunk)
        )
        return [part for chunk in ours for part in reader.read(chunk)]

    def _pass(self) -> Parts:
        self._goes_on = self._lines
        held = bytes(self._held)
        self._held.clear()
        return self._lines.read(held)

    def _translated(self, event: ServerSentEvent) -> Translated | None:
        """What tells the stream in our words that begins with this event; None where it is to pass."""
        fields = json_of(event)
        if not isinstance(fields, dict):
            return None
        reader = _reader_of(event.event or "", fields, self._wish)
        if reader is None:
            return None
        protocol = recognized((event.event or "").encode(), (event.data or "").encode())
        if self._wish.speaks in (reader.name, protocol and protocol.name):
            return None
        finished = () if protocol is None else protocol.finished
        return Translated(reader, self._decoder, frozenset(word.decode() for word in finished))


def _is_anybodys(event: ServerSentEvent) -> bool:
    """Whether it tells nothing of its protocol: some of ours begin with a name that apps have, too."""
    if event.event in _ANYBODYS or not event.data:
        return True
    fields = json_of(event)
    if not isinstance(fields, dict):
        return False
    name = event.event or ""
    return fields.get("type") == "ping" or (
        name in _AROUND_A_MODEL and looks_like_delta(name, fields)
    )


def _reader_of(event: str, fields: dict[str, Any], wish: Wish) -> ProtocolReader | None:
    """What reads a stream that begins with this event; None where nobody does."""
    if looks_like_delta(event, fields):
        return DeltaReader(wish)
    if looks_like_openai(fields):
        return OpenAIReader(wish)
    vendor = vendor_of(fields)
    reader = None if vendor is None else vendor.reader(wish)
    return reader if isinstance(reader, VendorReader) else None  # others read an SDK's objects only
