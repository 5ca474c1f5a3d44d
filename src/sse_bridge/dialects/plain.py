"""The plain dialect: text as it is, an object as one line of JSON."""

from __future__ import annotations

from typing import ClassVar

from ..framing import data_frame, data_frames, json_frame, json_frames
from ..parts import Failure, Native, Value
from ..wire import ServerSentEvent
from .base import Say, Voice, failure_json


class Plain:
    """Text as it is, an object as one line of JSON; ends with an event ``done`` or ``error``."""

    name = "plain"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = None
    takes_objects = True

    def voice(self) -> Say:
        """The voice for a new stream."""
        return PlainVoice()


def _line(_: Voice, part: bytes) -> bytes:
    return b"data: %b\n\n" % part


class PlainVoice(Voice):
    name: ClassVar[str] = "plain"
    # An EventSource that reconnects sends this id: such a request is answered 204, and not run again.
    done: ClassVar[ServerSentEvent] = ServerSentEvent(event="done", id="[DONE]", data="[DONE]")
    failures: ClassVar[tuple[str, ...]] = ("error",)

    def text(self, part: str) -> bytes:
        return data_frame(part)

    def texts(self, parts: list[str]) -> bytes:
        return data_frames(parts)

    one_frame: ClassVar = {str: text, bytes: _line}

    def lines(self, parts: list[bytes]) -> bytes:
        return json_frames(parts)

    def value(self, part: Value) -> bytes:
        return json_frame(part.json)

    def values(self, parts: list[Value]) -> bytes:
        return json_frames([part.json for part in parts])

    def native(self, part: Native) -> bytes:
        return json_frame(part.json)

    def natives(self, parts: list[Native]) -> bytes:
        return json_frames([part.json for part in parts])

    def failure(self, part: Failure) -> bytes:
        return data_frame(failure_json(part), "error")
