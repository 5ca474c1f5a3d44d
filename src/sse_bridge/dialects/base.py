"""What every dialect is: a part in, the bytes of its frames out.

Rules of this file:

1. A `Dialect` is configuration and may serve many streams at once; its `voice` belongs to one stream.
2. A voice has one method for each kind of part, found by the part's exact type.
3. A part for which a dialect has no place is left out, with one warning a stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from ..parts import (
    Choice,
    End,
    Failure,
    Finish,
    Frame,
    Native,
    Part,
    Reasoning,
    Start,
    ToolCall,
    Usage,
    Value,
)
from ..wire import encode_json

_log = logging.getLogger("sse_bridge")


class Dialect(Protocol):
    """A protocol that clients speak."""

    name: str
    headers: tuple[tuple[str, str], ...]  # beyond those of every event stream
    passes: str | None  # the protocol whose chunks pass unchanged
    takes_objects: bool  # an object is sent as its JSON, whatever it is; or it must say something

    def voice(self) -> Callable[[Part], bytes]:
        """A new stream's way of saying parts."""


class Voice:
    """One stream's words; a subclass overrides what its protocol has a place for."""

    name: ClassVar[str]
    done: ClassVar[bytes] = b""  # the frame that says: finished

    def __init__(self) -> None:
        self._said_done = False
        self._failed = False
        self._warned: set[str] = set()

    def __call__(self, part: Part) -> bytes:
        return _METHODS[type(part)](self, part)

    def start(self, part: Start) -> bytes:
        return b""

    def text(self, part: str, choice: int = 0) -> bytes:
        raise NotImplementedError

    def reasoning(self, part: Reasoning, choice: int = 0) -> bytes:
        return self.leave_out("reasoning")

    def tool_call(self, part: ToolCall, choice: int = 0) -> bytes:
        return self.leave_out("a tool call")

    def finish(self, part: Finish, choice: int = 0) -> bytes:
        return b""

    def usage(self, part: Usage) -> bytes:
        return b""

    def value(self, part: Value) -> bytes:
        return self.leave_out("an object that is no chunk of a model")

    def native(self, part: Native) -> bytes:
        return self.value(Value(part.json))

    def frame(self, part: Frame) -> bytes:
        self._said_done = part.data == self.done
        return part.data

    def choice(self, part: Choice) -> bytes:
        return self.leave_out("another choice than the first")

    def failure(self, part: Failure) -> bytes:
        raise NotImplementedError

    def end(self, part: End) -> bytes:
        """The last frame, unless the source framed and sent it itself."""
        return b"" if self._said_done else self.done

    def leave_out(self, what: str) -> bytes:
        if what not in self._warned:
            self._warned.add(what)
            _log.warning("the %s dialect has no place for %s: left out", self.name, what)
        return b""


def say_choice(voice: Voice, part: Choice) -> bytes:
    """A part of another choice, by the method for its kind."""
    match part.part:
        case str() as text:
            return voice.text(text, part.number)
        case Reasoning() as reasoning:
            return voice.reasoning(reasoning, part.number)
        case ToolCall() as call:
            return voice.tool_call(call, part.number)
        case Finish() as finish:
            return voice.finish(finish, part.number)
    return voice.leave_out(f"{type(part.part).__name__} in a further choice")


_METHODS: dict[type, Callable[[Any, Any], bytes]] = {
    str: lambda voice, part: voice.text(part),
    Start: lambda voice, part: voice.start(part),
    Reasoning: lambda voice, part: voice.reasoning(part),
    ToolCall: lambda voice, part: voice.tool_call(part),
    Finish: lambda voice, part: voice.finish(part),
    Usage: lambda voice, part: voice.usage(part),
    Value: lambda voice, part: voice.value(part),
    Frame: lambda voice, part: voice.frame(part),
    Native: lambda voice, part: voice.native(part),
    Choice: lambda voice, part: voice.choice(part),
    Failure: lambda voice, part: voice.failure(part),
    End: lambda voice, part: voice.end(part),
}


def failure_json(part: Failure) -> str:
    """The failure as `plain` and `delta` tell it."""
    return encode_json({"code": part.code, "message": part.message, "retryable": part.retryable})
