"""The plain dialect: text as it is, an object as one line of JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..parts import End, Failure, Native, Part, Value
from ..wire import ServerSentEvent, data_frame
from .base import Voice, failure_json

# Its id makes an EventSource that reconnects say so: such a request is answered 204 and not run again.
DONE = ServerSentEvent(event="done", id="[DONE]", data="[DONE]").encode()


class Plain:
    """Text as it is, an object as one line of JSON; ends with an event ``done`` or ``error``."""

    name = "plain"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = None
    takes_objects = True

    def voice(self) -> Callable[[Part], bytes]:
        """A new stream's way of saying parts."""
        return PlainVoice()


class PlainVoice(Voice):
    name: ClassVar[str] = "plain"
    done: ClassVar[bytes] = DONE

    def text(self, part: str, choice: int = 0) -> bytes:
        return data_frame(part)

    def value(self, part: Value) -> bytes:
        return data_frame(part.json)

    def native(self, part: Native) -> bytes:
        return data_frame(part.json)

    def failure(self, part: Failure) -> bytes:
        self._failed = True
        return data_frame(failure_json(part), "error")

    def end(self, part: End) -> bytes:
        return b"" if self._failed else super().end(part)
