"""Which answers of an app a middleware takes over, and what becomes of their headers.

Rules of this file:

1. An event stream is taken over as it is: its frames pass whole, its own headers win over ours.
2. A body of chunks becomes an event stream for a client that asks for one, and for no other.
3. What has no body or is compressed passes untouched, and so does an event stream of a known length: it is whole.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import Any, NamedTuple

from .options import FINISHED_ID, Options, merge_headers

Headers = list[tuple[str, str]]

EVENTS = "text/event-stream"
JSON_LINES = (
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/x-jsonlines",
    "application/json-lines",
)

_WITHOUT_BODY = (204, 205, 304)

MARK = "sse_bridge.middleware"  # where a request's Mark is, in its scope or environ


class Mark:
    """Whether a stream of ours answers a request, for middlewares of ours around; copies of the scope share it."""

    taken = False


def take(request: MutableMapping[str, Any]) -> None:
    """Say that a stream of ours answers this request, a scope or an environ, for a middleware of ours around."""
    if MARK in request:
        request[MARK].taken = True


class Plan(NamedTuple):
    """How an answer is taken over: with which options, and with which headers instead of its own."""

    options: Options
    headers: Headers


class Takeover:
    """What a middleware was told.

    Arguments: `options`; `end`, whether an event stream that ends without an end frame gets one, and a finished one
    is not run twice; `chunks`, the media types whose bodies become event streams: lines of JSON where the type
    is one of these or its name has ``json`` in it, text otherwise.
    """

    def __init__(self, options: Options, *, end: bool, chunks: Iterable[str]) -> None:
        if not isinstance(end, bool):
            raise TypeError(f"end must be True or False, got {end!r}")
        self.options = options
        self.end = end
        self._framed = options.framed(say_end=end)
        self._lines = options.json_lines()
        self._types = {EVENTS, *_media_types(chunks)}

    def is_over(self, method: str, accept: str, last_event_id: str) -> bool:
        """Whether this is an EventSource's reconnect after a stream that had finished."""
        return (
            self.end
            and method == "GET"
            and last_event_id == FINISHED_ID
            and asks_for_events(accept)
        )

    def concerns(self, content_type: str) -> bool:
        """A first look, for the many answers that pass."""
        return media_type(content_type) in self._types

    def plan(self, method: str, status_code: int, headers: Headers, accept: str) -> Plan | None:
        """How to take over the answer with these headers; None to let it pass."""
        named = {name.lower(): value for name, value in headers}
        kind = media_type(named.get("content-type", ""))
        if kind not in self._types or method == "HEAD" or _has_no_stream(status_code, named):
            return None
        if kind == EVENTS:
            if "content-length" in named:
                return None
            return Plan(self._framed, merge_headers(self.options.headers(), headers))
        if not asks_for_events(accept):
            return None
        options = self._lines if kind in JSON_LINES or "json" in kind else self.options
        return Plan(options, merge_headers(self.options.headers(), _of_chunks(headers)))


def media_type(content_type: str) -> str:
    """The type without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def asks_for_events(accept: str) -> bool:
    """Whether the Accept header names event streams; a wildcard does not."""
    for wanted in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in wanted.split(";"))
        if name == EVENTS:
            return not any(parameter.replace(" ", "") in _NOT_AT_ALL for parameter in parameters)
    return False


_NOT_AT_ALL = ("q=0", "q=0.0", "q=0.00", "q=0.000")


def _media_types(chunks: Any) -> frozenset[str]:
    if isinstance(chunks, str):
        raise TypeError(f"chunks must be media types, not one str, got {chunks!r}")
    types = list(chunks)
    for kind in types:
        if not isinstance(kind, str) or "/" not in kind:
            raise TypeError(f"chunks must be media types like {JSON_LINES[0]!r}, got {kind!r}")
    return frozenset(map(media_type, types))


def _has_no_stream(status_code: int, named: dict[str, str]) -> bool:
    encoding = named.get("content-encoding", "identity").strip().lower()
    return status_code < 200 or status_code in _WITHOUT_BODY or encoding != "identity"


def _of_chunks(headers: Headers) -> Headers:
    """Headers of a body of chunks that will be another body."""
    gone = ("content-type", "content-length", "etag", "accept-ranges")
    kept = [(name, value) for name, value in headers if name.lower() not in gone]
    return [*kept, ("Vary", "Accept")]
