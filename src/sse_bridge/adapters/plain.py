"""The plain adapter: text, bytes, events and objects as they are."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..parts import Frame, Part, Value
from ..shapes import noted
from ..surrogates import whole
from ..wire import ServerSentEvent
from . import events
from .base import Parts, Reader, Wish, in_turn
from .dashscope import looks_like_dashscope, native
from .given import YIELDED, yielded
from .relayed import RelayedLines

_log = logging.getLogger("sse_bridge")

_EVENT_FIELDS = frozenset({"data", "event", "id", "retry", "comment"})
_event_warned = False  # once a process is enough
_STATUSES = range(400, 600)


class Plain:
    """``str`` and ``bytes`` are text, a `ServerSentEvent` is sent as given, anything else is JSON."""

    name = "plain"

    def reader(self, wish: Wish) -> Reader:
        """The reader for a new stream."""
        return PlainReader(wish)


class PlainReader:
    __slots__ = (
        "_decoder",
        "_lines",
        "_must_speak",
        "_passes",
        "_relayed",
        "_warned",
        "_write",
        "spoke",
    )

    def __init__(self, wish: Wish) -> None:
        self._lines = wish.lines and wish.takes_objects
        self._write = wish.objects.write
        self._decoder: codecs.IncrementalDecoder | None = None  # few sources give bytes
        self._warned = False
        self._relayed: RelayedLines | None = None  # few sources give events
        self._must_speak, self._passes = not wish.takes_objects, wish.passes
        self.spoke = False

    def read(self, chunk: Any) -> Parts:
        kind = type(chunk)
        if kind is str:
            return self.text(chunk)
        read = _BY_TYPE.get(kind)
        if read is None:
            read = _remember(kind, chunk)
        return read(self, chunk)

    def end(self) -> Parts:
        return in_turn(self._rest, self._relayed.end) if self._relayed else self._rest()

    def _rest(self) -> Parts:
        """The text for a last character whose bytes were incomplete."""
        rest = self._decoder.decode(b"", True) if self._decoder else ""
        return (rest,) if rest else ()

    def text(self, chunk: str) -> Parts:
        if chunk.endswith("\n"):
            self._warn_if_framed(chunk)
        if not chunk:
            return ()
        self.spoke = True
        return (chunk,)

    def subclass_of_text(self, chunk: str) -> Parts:
        text = str.__str__(chunk)
        return (Frame(whole(text).encode()),) if events.is_framed_text(chunk) else self.text(text)

    def bytes(self, chunk: Any) -> Parts:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        return self.text(self._decoder.decode(bytes(chunk)))

    def nothing(self, chunk: None) -> Parts:
        return ()

    def event(self, chunk: ServerSentEvent) -> Parts:
        if self._relayed is None:
            passes = self._passes
            self._relayed = RelayedLines(
                must_speak=self._must_speak, passes=passes, tells=passes is not None
            )
        return self._relayed.read(chunk.encode())

    def event_of_another(self, chunk: Any) -> Parts:
        return self.event(events.event_of(chunk, self._write))

    def mapping(self, chunk: Mapping[Any, Any]) -> Parts:
        if "data" in chunk and _EVENT_FIELDS.issuperset(chunk):
            _warn_of_event(chunk)
        return self.object(chunk)

    def part(self, chunk: Any) -> Parts:
        self.spoke = True
        return (yielded(chunk, self._write),)

    def dashscope(self, chunk: Any) -> Parts:
        return (native(chunk, self._write),)

    def pair(self, chunk: tuple[Any, ...]) -> Parts:
        if _is_field_of_an_answer(chunk):
            raise TypeError(
                f"the source yields the fields of a whole answer: did you forget stream=True? Got {noted(chunk)}"
            )
        if not self.spoke and _has_status(chunk):
            _warn_of_status(chunk[1])
        return self.object(chunk)

    def stream(self, chunk: Any) -> Parts:
        raise TypeError(
            "a chunk is itself a stream: did you forget `yield from` (or, in an async generator, `async for`)? "
            f"Got {noted(chunk)}"
        )

    def _warn_if_framed(self, chunk: str) -> None:
        if not self._warned and _looks_framed(chunk):
            self._warned = True
            _log.warning(
                '%s looks framed already, but is sent as text; give adapter="frames" to pass frames on',
                noted(chunk),
            )

    def object(self, chunk: Any) -> tuple[Part, ...]:
        line = self._write(chunk)
        self.spoke = True
        return (line if self._lines else Value(line),)


_Read = Callable[[PlainReader, Any], Parts]
_BY_TYPE: dict[type, _Read] = {}
_TYPES = 256


def _remember(kind: type, chunk: Any) -> _Read:
    if len(_BY_TYPE) >= _TYPES:  # some are made at run time
        _BY_TYPE.clear()
    read = _BY_TYPE[kind] = _choose(chunk)
    return read


def _choose(chunk: Any) -> _Read:
    """How to read a type of chunk that was not seen before."""
    return next((read for looks_so, read in _SHAPES if looks_so(chunk)), PlainReader.object)


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda chunk: isinstance(chunk, kinds)


def _is_stream(chunk: Any) -> bool:
    return hasattr(type(chunk), "__next__") or hasattr(type(chunk), "__aiter__")


# The first that fits decides.
_SHAPES: tuple[tuple[Callable[[Any], bool], _Read], ...] = (
    (_is(type(None)), PlainReader.nothing),
    (_is(str), PlainReader.subclass_of_text),
    (_is(bytes, bytearray, memoryview), PlainReader.bytes),
    (_is(ServerSentEvent), PlainReader.event),
    (lambda chunk: type(chunk) is not dict and looks_like_dashscope(chunk), PlainReader.dashscope),
    (_is(Mapping), PlainReader.mapping),
    (events.looks_like_event, PlainReader.event_of_another),
    (_is(*YIELDED), PlainReader.part),
    (_is(tuple), PlainReader.pair),
    (_is_stream, PlainReader.stream),
)


def _looks_framed(chunk: str) -> bool:
    return chunk.endswith(("\n\n", "\r\n\r\n")) and chunk.startswith(
        ("data:", "event:", "id:", "retry:")
    )


def _is_field_of_an_answer(chunk: tuple[Any, ...]) -> bool:
    """Whether it is what iterating OpenAI's whole answer yields first: the name and the value of its id."""
    return len(chunk) == 2 and chunk[0] == "id" and isinstance(chunk[1], str)


def _has_status(chunk: tuple[Any, ...]) -> bool:
    """Whether it looks like what a Flask view returns to refuse: a body, an HTTP status, perhaps headers."""
    if len(chunk) not in (2, 3) or type(chunk[1]) is not int or chunk[1] not in _STATUSES:
        return False
    return isinstance(chunk[0], (str, Mapping))


def _warn_of_status(status: int) -> None:
    _log.warning(
        "the first chunk, a tuple with %d, is sent as JSON, and the response's status is 200: "
        "to refuse a request, raise or abort before the first chunk",
        status,
    )


def _warn_of_event(chunk: Mapping[Any, Any]) -> None:
    global _event_warned
    if not _event_warned:
        _event_warned = True
        _log.warning(
            "%s is sent as JSON; to send an event, yield ServerSentEvent(**chunk)",
            noted(chunk),
        )
