"""Events of other libraries, told by their shape: they are events here too, and not JSON of their fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..parts import Frame
from ..surrogates import whole
from ..wire import ServerSentEvent

_FIELDS = ("data", "event", "id", "retry")
_STARTS = ("event:", "data:", "id:", "retry:", ":")


def looks_like_event(chunk: Any) -> bool:
    """Whether this is an object with an event's fields: sse-starlette's, FastAPI's, Litestar's, httpx-sse's."""
    if isinstance(chunk, dict) or not all(hasattr(chunk, field) for field in _FIELDS):
        return False
    return (
        isinstance(chunk.event, str | None)
        and isinstance(chunk.id, str | int | None)
        and isinstance(chunk.retry, int | None)
    )


def event_of(chunk: Any, write: Callable[[Any], bytes]) -> ServerSentEvent:
    """The same event as ours; `write` makes the JSON of data that is no text."""
    comment = getattr(chunk, "comment", None)
    return ServerSentEvent(
        _data_of(chunk, write),
        # What a reader's event object has where the stream named none.
        event=None if chunk.event in ("", "message") else chunk.event,
        id=None if chunk.id in (None, "") else str(chunk.id),
        retry=chunk.retry,
        comment=None if comment is None else whole(str(comment)),
    )


def _data_of(chunk: Any, write: Callable[[Any], bytes]) -> str | None:
    data, raw = chunk.data, getattr(chunk, "raw_data", None)
    if raw is not None:
        return whole(raw)
    is_json = hasattr(chunk, "raw_data")  # FastAPI's: all that is not raw there
    if isinstance(data, str) and not is_json:
        return whole(str.__str__(data))
    if isinstance(data, bytes) and not is_json:
        return data.decode("utf-8", "replace")
    return None if data is None else write(data).decode()


def is_framed_text(chunk: str) -> bool:
    """Whether this is a framed event in a class of its own, as datastar-py's are."""
    text = str.__str__(chunk)
    named = any(kind.__name__.endswith("Event") for kind in type(chunk).__mro__)
    return named and text.startswith(_STARTS) and text.endswith("\n\n")


def frame_of(event: ServerSentEvent) -> Frame:
    """The event's bytes; one with no data, or that only says that all is over, says nothing."""
    return Frame(event.encode(), event.data not in (None, "", "[DONE]"))
