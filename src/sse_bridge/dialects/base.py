"""The base of all dialects: a part in, the bytes of its frames out.

Rules of this file:

1. A `Dialect` is configuration and may serve many streams at once; its `voice` belongs to one stream.
2. A `Voice`, which writes the parts of one stream, has one method for each kind of part, found by its exact type.
3. Several parts of a kind may be written at once, by `texts`, `lines`, `values`, `natives`: as the same bytes that
   they would be one by one; if that raises, nothing was written.
4. A part that a dialect cannot express is left out, with one warning per stream.
5. A part of a kind that `one_frame` lists is always one frame without an id. A subclass has to declare its own.
6. Lines, plain bytes, stand for the values and natives that a voice writes unchanged. So only a voice that has
   `lines` gets them, and not a subclass that overrides `value` or `native`.
7. The client gets either "finished" or "failed", once; what the source sent itself is not sent again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

from ..parts import (
    Approval,
    Choice,
    Data,
    End,
    Failure,
    File,
    Finish,
    Frame,
    Metadata,
    Native,
    Origin,
    Part,
    Raw,
    Reasoning,
    Relayed,
    Source,
    Start,
    Step,
    ToolCall,
    ToolResult,
    Usage,
    Value,
)
from ..payload import encode_json
from ..wire import Decoder, ServerSentEvent

_log = logging.getLogger("sse_bridge")

Say = Callable[[Part], bytes]


class Dialect(Protocol):
    """A protocol that clients speak. Its attributes are only read, so they may be class attributes."""

    @property
    def name(self) -> str: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers beyond those of every event stream."""

    @property
    def passes(self) -> str | None:
        """The protocol whose chunks pass unchanged."""

    @property
    def takes_objects(self) -> bool:
        """Whether any object is sent as its JSON; if not, a model has to say something."""

    def voice(self) -> Say:
        """The voice for a new stream: the callable that turns its parts into bytes."""


class Voice:
    """Writes the parts of one stream: called with a part, it returns bytes; a subclass is one for a protocol."""

    name: ClassVar[str]
    done: ClassVar[ServerSentEvent]  # the event that says: finished
    # That event, and its bytes.
    _last_frame: ClassVar[tuple[ServerSentEvent | None, bytes]] = (None, b"")
    failures: ClassVar[tuple[str, ...]] = ()  # the names of events that say: failed
    has_choices: ClassVar[bool] = False
    one_frame: ClassVar[Mapping[type, Callable[[Any, Any], bytes]]] = {}  # rule 5
    takes_lines: ClassVar[bool] = False  # rule 6
    opens: ClassVar[bool] = True  # it wants `Start`
    _methods: ClassVar[dict[type, Callable[[Any, Any], bytes]]]
    _plurals: ClassVar[dict[type, Callable[[Any, list[Any]], bytes]]]

    def __init__(self) -> None:
        self.number = 0  # the choice that the current part belongs to
        self._over = False  # finished or failed, by us or by a frame of the source's own
        self._is_told = False  # by the reader, which knows the frames' own protocol
        self._warned: frozenset[str] = frozenset()

    def __init_subclass__(cls) -> None:
        # Looked up once per class: bound methods kept by a voice would make a reference cycle.
        cls._methods = {kind: getattr(cls, name) for kind, name in _METHODS.items()}
        plurals = ((kind, _plural(cls, *names)) for kind, names in _SINGULARS.items())
        cls._plurals = {kind: say for kind, say in plurals if say is not None}
        cls.takes_lines = bytes in cls._plurals
        cls.one_frame = vars(cls).get("one_frame", {})
        cls.opens = (cls.start, cls.__call__) != (Voice.start, Voice.__call__)
        if isinstance(done := vars(cls).get("done"), ServerSentEvent):
            cls._last_frame = done, done.encode()

    @property
    def cuts(self) -> bool:
        """Whether a failure that was sent is to end with a cut connection as well."""
        return False

    @property
    def last_frame(self) -> bytes:
        """The frame that says "finished"."""
        done, frame = self._last_frame
        return frame if self.done is done else self.done.encode()

    def say(self, part: Part) -> bytes:
        """The frames for one part; empty for what says nothing in this dialect."""
        return self._methods[type(part)](self, part)

    __call__ = say

    def run(self, parts: list[Any]) -> bytes | None:
        """The frames for parts of one kind, all at once; None where they have to be written one by one."""
        say = self._plurals.get(type(parts[0]))
        return None if say is None else say(self, parts)

    # -- what a subclass overrides ----------------------------------------------------------------

    def start(self, part: Start) -> bytes:
        return b""

    def origin(self, part: Origin) -> bytes:
        return b""

    def text(self, part: str) -> bytes:
        raise NotImplementedError

    def reasoning(self, part: Reasoning) -> bytes:
        return self.leave_out("reasoning")

    def tool_call(self, part: ToolCall) -> bytes:
        return self.leave_out("a tool call")

    def tool_result(self, part: ToolResult) -> bytes:
        return self.leave_out("a tool's result")

    def approval(self, part: Approval) -> bytes:
        return self.leave_out("a call that waits for approval")

    def source(self, part: Source) -> bytes:
        return self.leave_out("a source")

    def file(self, part: File) -> bytes:
        return self.leave_out("a file")

    def data(self, part: Data) -> bytes:
        return self.leave_out("data of the app's own")

    def step(self, part: Step) -> bytes:
        return b""

    def metadata(self, part: Metadata) -> bytes:
        return self.leave_out("metadata")

    def finish(self, part: Finish) -> bytes:
        return b""

    def usage(self, part: Usage) -> bytes:
        return b""

    def line(self, part: bytes) -> bytes:
        return self.value(Value(part))

    def value(self, part: Value) -> bytes:
        return self.leave_out("an object that is not a chunk of a model")

    def native(self, part: Native) -> bytes:
        return self.value(Value(part.json))

    def failure(self, part: Failure) -> bytes:
        raise NotImplementedError

    def end(self) -> bytes:
        """The last frames of a stream that finished."""
        return self.last_frame

    # -- what all have in common ------------------------------------------------------------------

    def frame(self, part: Frame) -> bytes:
        if not self._is_told and (self._over or _MAY_END.search(part.data)):
            self._note_end(part.data)
        return part.data

    def raw(self, part: Raw) -> bytes:
        return part.data

    def relayed(self, part: Relayed) -> bytes:
        self._over, self._is_told = part.over, True
        return b""

    def choice(self, part: Choice) -> bytes:
        if not self.has_choices:
            return self.leave_out("another choice than the first")
        self.number = part.number
        try:
            return self.say(part.part)
        finally:
            self.number = 0

    def leave_out(self, what: str) -> bytes:
        if what not in self._warned:
            self._warned |= {what}
            _log.warning("the %s dialect cannot express %s: left out", self.name, what)
        return b""

    def _note_end(self, frame: bytes) -> None:
        """Note whether the source itself has sent that it finished or failed, and nothing after that."""
        for event in Decoder().feed(frame):
            is_done = (event.event, event.data) == (self.done.event, self.done.data)
            self._over = is_done or event.event in self.failures

    def _fail_once(self, part: Failure) -> bytes:
        if self._over:
            return b""
        words = self.failure(part)
        self._over = True
        return words

    def _end_once(self, part: End) -> bytes:
        if self._over:
            return b""
        words = self.end()
        self._over = True
        return words


_MAY_END = re.compile(rb"\[DONE\]|event: ?error")

_METHODS: dict[type, str] = {
    str: "text",
    bytes: "line",
    Start: "start",
    Origin: "origin",
    Reasoning: "reasoning",
    ToolCall: "tool_call",
    ToolResult: "tool_result",
    Approval: "approval",
    Source: "source",
    File: "file",
    Data: "data",
    Step: "step",
    Metadata: "metadata",
    Finish: "finish",
    Usage: "usage",
    Value: "value",
    Frame: "frame",
    Raw: "raw",
    Relayed: "relayed",
    Native: "native",
    Choice: "choice",
    Failure: "_fail_once",
    End: "_end_once",
}


# The methods for several parts at once: each with its singular, and what else it stands for.
_SINGULARS: dict[type, tuple[str, ...]] = {
    str: ("text",),
    bytes: ("line", "value", "native"),
    Value: ("value",),
    Native: ("native",),
}


def _plural(cls: type[Voice], *names: str) -> Callable[[Any, list[Any]], bytes] | None:
    """The method for several parts at once; None where a subclass overrides the singular only."""
    for base in cls.__mro__:
        if several := vars(base).get(f"{names[0]}s"):
            made: Callable[[Any, list[Any]], bytes] = several
            return made
        if any(name in vars(base) for name in names):
            break
    return None


def failure_json(part: Failure) -> str:
    """The failure as `plain` and `delta` send it."""
    return encode_json({"code": part.code, "message": part.message, "retryable": part.retryable})
