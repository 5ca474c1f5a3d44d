"""text/event-stream both ways: events to bytes, bytes to events.

The rules that everything here keeps:

1. Only CR LF, LF and CR end a line. str.splitlines() would also split at U+2028 and others.
2. One encode() is one event, or none where there is no data: nothing that could break out of its
   frame becomes a ServerSentEvent. It is refused, never repaired. Line ends in data become LF.
3. An event without any field encodes to no bytes: a lone blank line would be an event of its own
   to readers that dispatch every blank line (httpx-sse, the openai SDK).
4. The decoder returns the same events however the bytes are cut, and never raises for their
   content. Its one error, BufferExceeded, is for size alone, and comes at the same place for every cut.
5. A decoded event has the fields of its own block: event None or "" both mean "message", id is None
   where the block had none. Its last_event_id is the id in force then.
6. What has no effect is not kept: a comment, or an unknown field, may be of any length.
7. A str is data as it is, and None is no data; any other value becomes one line of JSON when the event is made.
"""

import codecs
import json
from collections.abc import Callable
from typing import Any, NoReturn

from .failures import SerializationError
from .objects import object_json
from .shapes import named, noted

# Every Python converts this many digits, whatever sys.set_int_max_str_digits() says.
_RETRY_DIGITS = 640
_RETRY_LIMIT = 10**_RETRY_DIGITS
# An error message need not repeat a whole answer.
_SHOWN = 200


class ServerSentEvent:
    """One event, checked when it is made and immutable from then on; without data it is invisible to clients.

    Arguments: `data`, a str, sent as it is, or a mapping, list, number, bool, dataclass or pydantic object, sent as
    one line of JSON (default None: no data); `event`, its name, and `id`, each a single line; `retry`, the client's
    reconnection delay in milliseconds; `comment`, a text that clients ignore (each default None: none). Raises
    `ValueError` or `TypeError` that names the argument. Format: the WHATWG HTML standard (text/event-stream).
    """

    __match_args__ = ("data", "event", "id", "retry", "comment")
    __slots__ = (*__match_args__, "_last_event_id")

    data: str | None
    event: str | None
    id: str | None
    retry: int | None
    comment: str | None
    _last_event_id: str

    def __init__(
        self,
        data: Any = None,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
        comment: str | None = None,
    ) -> None:
        _set_data(self, None if data is None else _data(data))
        _set_event(self, None if event is None else one_line("event", event))
        _set_id(self, None if id is None else one_line("id", id))
        _set_retry(self, None if retry is None else _milliseconds(retry))
        _set_comment(self, None if comment is None else _text("comment", comment))
        _set_last_event_id(self, self.id or "")

    @property
    def last_event_id(self) -> str:
        """The id in force when the event came, its own or that of one before it; ``""`` for none."""
        last: str = self._last_event_id
        return last

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"a ServerSentEvent cannot be changed: {name} stays as it is")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"a ServerSentEvent cannot be changed: {name} stays as it is")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ServerSentEvent):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def __repr__(self) -> str:
        fields = zip(self.__match_args__, self._fields(), strict=True)
        told = ", ".join(f"{name}={value!r}" for name, value in fields if value is not None)
        return f"ServerSentEvent({told})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _decoded, (*self._fields(), self._last_event_id)

    def _fields(self) -> tuple[Any, ...]:
        return self.data, self.event, self.id, self.retry, self.comment

    def json(self) -> Any:
        """Return `data`, parsed as JSON; raises `ValueError` if it is not JSON, or if the event has no data."""
        if self.data is None:
            raise ValueError("data is None: an event without data has no JSON")
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError) as error:
            name = named(self.event or "message")
            raise ValueError(
                f"data of the event {name} is not JSON, got {noted(self.data)}: {error}"
            ) from None

    def encode(self) -> bytes:
        """Return the bytes of one frame, to be written at once."""
        frame = ""
        if self.comment is not None:
            frame = lines("", self.comment)
        if self.retry is not None:
            frame += f"retry: {self.retry}\n"
        if self.event is not None:
            frame += f"event: {self.event}\n"
        if self.id is not None:
            frame += f"id: {self.id}\n"
        if self.data is not None:
            frame += lines("data", self.data)
        return f"{frame}\n".encode() if frame else b""


# These fill an immutable object; object.__setattr__() takes twice as long.
# (A frozen dataclass would do all this, and importing dataclasses costs more than all of ours.)
_new_event = object.__new__
_set_data, _set_event, _set_id, _set_retry, _set_comment, _set_last_event_id = (
    vars(ServerSentEvent)[field].__set__ for field in ServerSentEvent.__slots__
)


def lines(name: str, text: str) -> str:
    """The lines of one field, for a text of any line ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text:
        text = text.replace("\n", f"\n{name}: ")
    return f"{name}: {text}\n"


def _data(value: Any) -> str:
    if isinstance(value, str):
        return _text("data", value)
    try:
        return object_json(value).decode()
    except SerializationError as error:
        raise SerializationError(
            f"data must be a str, None, or a value that JSON can represent, got {noted(value)}"
        ) from error


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{field} must be a str or None, got {noted(value)}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{field} has a lone surrogate, which UTF-8 cannot encode: {value[error.start]!r} "
                f"at {error.start} in {noted(value)}"
            ) from None
    # A subclass (a str enum) may format itself as something else than it was checked as.
    return str.__str__(value)


def one_line(field: str, value: Any) -> str:
    text = _text(field, value)
    if "\n" in text or "\r" in text or "\0" in text:
        raise ValueError(f"{field} must be a single line without NUL, got {_show(value)}")
    return text


def _milliseconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"retry must be a non-negative int, got {_show(value)}")
    if value >= _RETRY_LIMIT:
        raise ValueError(f"retry must have at most {_RETRY_DIGITS} digits, got {_show(value)}")
    return int.__int__(value)


def _show(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write out an int of more than 4300 digits.
        return f"an int of {value.bit_length()} bits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class BufferExceeded(ValueError):
    """An event was larger than the decoder may keep; .events are those complete before it."""

    def __init__(self, limit: int, events: list[ServerSentEvent]) -> None:
        super().__init__(
            f"an event needs more than max_buffer, {limit} bytes: "
            "allow more with Decoder(max_buffer=...)"
        )
        self.events = events


class Decoder:
    """Turns the bytes of an event stream, cut anywhere, into its events.

    Arguments: `max_buffer` (16 MiB), bytes that one event may have; `on_comment` (None), called with each line that
    has no effect, such as a comment, to see why no event arrives. Raises `ValueError` or `TypeError` that names the
    argument. Format: the WHATWG HTML standard (text/event-stream).
    """

    def __init__(
        self,
        *,
        max_buffer: int = 16 * 1024 * 1024,
        on_comment: Callable[[str], object] | None = None,
    ) -> None:
        if max_buffer <= 0:
            raise ValueError(f"max_buffer must be positive, got {_show(max_buffer)}")
        if on_comment is not None and not callable(on_comment):
            raise TypeError(f"on_comment must be callable or None, got {_show(on_comment)}")
        self._max_buffer = max_buffer
        self._on_comment = on_comment
        self._last_event_id = ""
        self._retry: int | None = None
        # Lines are kept, split and recognized as bytes: UTF-8 is decoded only when an event is
        # whole, so no cut can split a character, and a piece costs no more than its own length.
        self._tail = bytearray()
        self._data = bytearray()
        self.eof()

    @property
    def last_event_id(self) -> str:
        """What a reconnecting client sends as Last-Event-ID."""
        return self._last_event_id

    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds that the stream asked for, if it did."""
        return self._retry

    def eof(self) -> None:
        """Discard an unfinished event; last_event_id and retry stay for the next stream."""
        self._tail.clear()
        self._data.clear()
        self._event: str | None = None
        self._own_id: str | None = None
        self._own_retry: int | None = None
        self._at_start = True
        self._after_cr = False
        self._exceeded = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """Return the events that this chunk completes; raises `BufferExceeded` for one that is too large."""
        events: list[ServerSentEvent] = []
        data = self._data
        for line in self._split(chunk):
            if not line:
                self._dispatch(events)
            elif len(line) + len(data) > self._max_buffer and not _is_ignored(line):
                self._exceed(events)
            elif line.startswith(b"data: "):  # By far the most frequent line.
                data += line[6:]
                data += b"\n"
            else:
                self._field(line)
        if len(self._tail) + len(data) > self._max_buffer:
            is_ignored = _is_ignored(self._tail)
            if is_ignored is False:  # or it is too short to tell
                self._exceed(events)
            del self._tail[_SHOWN:]
        return events

    def _split(self, chunk: bytes) -> list[bytes]:
        if self._exceeded:
            self._exceed([])
        if self._at_start:
            chunk = self._without_mark(chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        if chunk.find(b"\r") >= 0:  # Much faster than `in`, which tries an int first.
            # A CR ends its line at once; the LF that may follow it is dropped when it comes.
            self._after_cr = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        rest = lines.pop()
        if lines and self._tail:
            lines[0] = bytes(self._tail) + lines[0]
            self._tail.clear()
        if rest:
            self._tail += rest
        return lines

    def _without_mark(self, chunk: bytes) -> bytes:
        head = bytes(self._tail) + chunk
        self._tail.clear()
        if len(head) < len(codecs.BOM_UTF8) and codecs.BOM_UTF8.startswith(head):
            self._tail += head  # The mark may come in pieces.
            return b""
        self._at_start = False
        return head.removeprefix(codecs.BOM_UTF8)

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")  # A comment is a field without a name.
        value = value.removeprefix(b" ")
        if not self._take(name, value) and self._on_comment is not None:
            self._on_comment(line.decode("utf-8", "replace"))

    def _take(self, name: bytes, value: bytes) -> bool:
        """Take a field; whether it has an effect."""
        if name == b"data":
            self._data += value + b"\n"
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._own_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():  # bytes.isdigit() knows ASCII digits only.
            digits = value.lstrip(b"0") or b"0"
            if len(digits) > _RETRY_DIGITS:
                return False
            self._retry = self._own_retry = int(digits)
        else:
            return False
        return True

    def _dispatch(self, events: list[ServerSentEvent]) -> None:
        if self._own_id is not None:
            self._last_event_id = self._own_id
        if self._data:
            self._data.pop()  # One trailing LF.
            data = self._data.decode("utf-8", "replace")
            self._data.clear()
            last = self._last_event_id
            events.append(_decoded(data, self._event, self._own_id, self._own_retry, None, last))
        self._event = self._own_id = self._own_retry = None

    def _exceed(self, events: list[ServerSentEvent]) -> NoReturn:
        self.eof()
        self._exceeded = True  # What follows has lost its beginning, until eof() says otherwise.
        raise BufferExceeded(self._max_buffer, events)


FIELDS = (b"data", b"event", b"id", b"retry")


def _is_ignored(line: bytes | bytearray) -> bool | None:
    """Whether an unfinished line has no effect, as comments and unknown fields have none; None: not known yet."""
    name, colon, _ = bytes(line[:8]).partition(b":")
    if colon:
        return name not in FIELDS
    return None if any(field.startswith(name) for field in FIELDS) else True


def _decoded(
    data: str | None,
    event: str | None,
    own_id: str | None,
    retry: int | None,
    comment: str | None,
    last_event_id: str,
) -> ServerSentEvent:
    # Past the checks: they cost time, and a NUL in an event type is legal on the wire.
    made = _new_event(ServerSentEvent)
    _set_data(made, data)
    _set_event(made, event)
    _set_id(made, own_id)
    _set_retry(made, retry)
    _set_comment(made, comment)
    _set_last_event_id(made, last_event_id)
    return made
