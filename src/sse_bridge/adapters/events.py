"""Events of other libraries, recognized by their shape: they are sent as events, not as JSON of their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..surrogates import whole
from ..wire import ServerSentEvent

_FIELDS = ("data", "event", "id", "retry")
_MAY_HAVE = frozenset({*_FIELDS, "comment", "raw_data", "sep"})
_NOT_IN_A_LINE = dict.fromkeys(map(ord, "\r\n\0"))
_STARTS = ("event:", "data:", "id:", "retry:", ":")


def looks_like_event(chunk: Any) -> bool:
    """Whether it has an event's fields: sse-starlette's, FastAPI's, Litestar's, httpx-sse's."""
    if isinstance(chunk, dict) or not all(hasattr(chunk, field) for field in _FIELDS):
        return False
    return (
        isinstance(chunk.event, str | None)
        and isinstance(chunk.id, str | int | None)
        and isinstance(chunk.retry, int | None)
        and _MAY_HAVE.issuperset(_public_fields(chunk))
    )


def _public_fields(chunk: Any) -> Iterator[Any]:
    """The public attributes of an object: a class of an app's own may have an event's fields among others."""
    declared: Any = getattr(chunk, "__dataclass_fields__", None) or getattr(chunk, "__dict__", ())
    return (name for name in declared if not name.startswith("_") and not name.isupper())


def event_of(chunk: Any, write: Callable[[Any], bytes]) -> ServerSentEvent:
    """The same event as ours, as its library would send it; `write` makes the JSON of data that is an object."""
    retry, comment = chunk.retry, getattr(chunk, "comment", None)
    return ServerSentEvent(
        _data_of(chunk, write),
        # The event name that a reader's event object has where the stream named none.
        event=None if chunk.event in ("", "message") else _line(chunk.event),
        id=_line(chunk.id) or None,
        retry=None if retry is None or retry < 0 else retry,
        comment=None if comment is None else whole(str(comment)),
    )


def _line(value: str | int | None) -> str | None:
    """The text as one line; several lines are joined, as these libraries do."""
    if value is None:
        return None
    return whole(str(value).translate(_NOT_IN_A_LINE))


def _data_of(chunk: Any, write: Callable[[Any], bytes]) -> str | None:
    data, raw = chunk.data, getattr(chunk, "raw_data", None)
    if raw is not None:
        return whole(raw)
    if data is None:
        return None
    # FastAPI's data is JSON unless it is raw; the others' is text.
    if hasattr(chunk, "raw_data") or isinstance(data, (dict, list, tuple)):
        return write(data).decode()
    return data.decode("utf-8", "replace") if isinstance(data, bytes) else whole(str(data))


def is_framed_text(chunk: str) -> bool:
    """Whether this is a framed event in a class of its own, as datastar-py's are."""
    text = str.__str__(chunk)
    named = any(kind.__name__.endswith("Event") for kind in type(chunk).__mro__)
    return named and text.startswith(_STARTS) and text.endswith("\n\n")
