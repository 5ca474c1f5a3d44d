"""Which responses of an app a middleware takes over, and what becomes of their headers.

Rules of this file:

1. An event stream is taken over as it is: its lines pass, its own headers win over ours.
2. A body of chunks becomes an event stream for a client that asks for one, and for no other.
3. A response with a status of 400 or more is not a stream, whatever its type says: it passes unchanged.
4. One without a body, or compressed, passes unchanged, and so does an event stream of known length: it is complete.
5. A response that depends on the request's ``Accept`` says so in ``Vary``: also one that passes, or fails, where
   another client would have got an event stream. Otherwise the headers of what passes are the app's own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

from ..arguments import flag
from ..media import EVENTS, JSON_LINES, asks_for_events, is_json, media_type
from ..options import FINISHED_ID, Options, merge_headers

_log = logging.getLogger("sse_bridge")

Headers = list[tuple[str, str]]

_WITHOUT_BODY = (204, 205, 304)


def route_of(request: Mapping[str, Any]) -> str | None:
    """The app's name for the route of this request, a scope or an environ; None where its framework has none.

    The log gets this and not the path, which comes from the client and may contain a user's words.
    """
    endpoint = request.get("endpoint") or getattr(request.get("werkzeug.request"), "endpoint", None)
    name = getattr(endpoint, "__qualname__", endpoint)
    return f"the route {name}" if isinstance(name, str) else None


class Plan(NamedTuple):
    """How a response is taken over: with which options, and with which headers instead of its own.

    `varies` has the headers that any response in its place needs, too.
    """

    options: Options
    headers: Headers
    varies: Headers


class Takeover:
    """A middleware's settings, and what they mean for a response.

    Arguments: `options`; `end`, whether an event stream that ends without an end frame gets one, and a finished one
    is not run again; `chunks`, the media types whose bodies become event streams: lines of JSON where the type
    is a known one or has ``json`` in its name, text otherwise; `streams`, further media types under which the
    app's bodies are event streams.
    """

    def __init__(
        self, options: Options, *, end: bool, chunks: Iterable[str], streams: Iterable[str] = ()
    ) -> None:
        self.options = options
        self.end = flag("end", end)
        self._framed = options.framed(say_end=end)
        self._lines = options.json_lines()
        self._streams = {EVENTS, *_media_types("streams", streams)}
        self._types = self._streams | _media_types("chunks", chunks)
        self._told: set[str] = set()  # the routes that were warned of

    def is_over(self, method: str, accept: str, last_event_id: str) -> bool:
        """Whether this is the reconnect of an EventSource whose stream has finished."""
        return (
            self.end
            and method == "GET"
            and last_event_id == FINISHED_ID
            and asks_for_events(accept)
        )

    def concerns(self, content_type: str) -> bool:
        """A first check, for the many responses that pass."""
        return media_type(content_type) in self._types

    def plan(
        self,
        method: str,
        request: Mapping[str, Any],
        status_code: int,
        headers: Headers,
        accept: str,
    ) -> Plan | None:
        """How to take over the response to this request with these headers; None to let it pass."""
        named = {name.lower(): value for name, value in headers}
        kind = media_type(named.get("content-type", ""))
        if kind not in self._types or method == "HEAD" or _has_no_stream(status_code, named):
            return None
        if kind in self._streams:
            if "content-length" in named:
                self._warn_of_whole(request)
                return None
            return Plan(
                self._framed.for_client(accept), merge_headers(self.options.headers(), headers), []
            )
        if not asks_for_events(accept):
            return None
        options = self._lines if is_json(kind) else self.options
        made = merge_headers(self.options.headers(), _of_chunks(headers))
        return Plan(options.for_client(accept), made, [VARY])

    def passing(self, status_code: int, headers: Headers) -> Headers:
        """The headers of a response that passes: unchanged, unless it might have become an event stream."""
        named = {name.lower(): value for name, value in headers}
        kind = media_type(named.get("content-type", ""))
        if kind not in self._types or kind in self._streams or _has_no_stream(status_code, named):
            return headers
        return varied(headers)

    def suspect(
        self, request: Mapping[str, Any], status_code: int, headers: Headers
    ) -> Callable[[bytes], None] | None:
        """A function to call with the beginning of a body that passes; None if it is surely not an event stream."""
        if not 200 <= status_code < 300 or status_code in _WITHOUT_BODY or self._is_told(request):
            return None
        named = {name.lower(): value for name, value in headers}
        kind = media_type(named.get("content-type", ""))
        if kind not in _OTHER_NAMES or "content-length" in named or "content-encoding" in named:
            return None
        return partial(self._warn_if_hidden, request, kind)

    def _warn_of_whole(self, request: Mapping[str, Any]) -> None:
        if not self._is_told(request):
            self._warn(
                request,
                "the event stream of %s has a Content-Length, and passes unchanged: it was complete before its "
                "first byte was sent. If it should be live, something reads it: an after_request function, perhaps",
            )

    def _warn_if_hidden(self, request: Mapping[str, Any], kind: str, beginning: bytes) -> None:
        """Warn once per route if its body looks like an event stream, and say what to do."""
        if self._is_told(request) or not isinstance(beginning, (bytes, bytearray, memoryview)):
            return
        if bytes(beginning[:6]).startswith((b"data:", b"event:")):
            self._warn(
                request,
                "%s answers with an event stream under the media type %s: it passes unchanged, without "
                "keep-alives, disconnect detection or end frame. Give the response the media type "
                '"text/event-stream", or give the middleware streams=(%r,)',
                kind,
                kind,
            )

    def _is_told(self, request: Mapping[str, Any]) -> bool:
        return len(self._told) >= _ROUTES or (route_of(request) or _path_of(request)) in self._told

    def _warn(self, request: Mapping[str, Any], message: str, *about: str) -> None:
        """Warn about this request's route, the first value of the message; once."""
        route, path = route_of(request), _path_of(request)
        self._told.add(route or path)
        _log.warning(message, route or "a route (its path is logged at level DEBUG)", *about)
        _log.debug("the last warning is about a response to the path %r", path)


VARY = ("Vary", "Accept")


def varied(headers: Headers) -> Headers:
    """The same headers, with a ``Vary`` that says that the response depends on the request's ``Accept``."""
    told = [value for name, value in headers if name.lower() == "vary"]
    words = {word.strip().lower() for value in told for word in value.split(",")}
    if words & {"*", "accept"}:
        return headers
    others = [pair for pair in headers if pair[0].lower() != "vary"]
    return [*others, ("Vary", ", ".join([*filter(str.strip, told), "Accept"]))]


_OTHER_NAMES = ("text/plain", "application/json", "application/octet-stream", "text/html", "")
_ROUTES = 100  # so many routes are warned about, at most


def _media_types(name: str, given: Any) -> frozenset[str]:
    if isinstance(given, str):
        raise TypeError(f"{name} must be media types, not one str, got {given!r}")
    types = list(given)
    for kind in types:
        if not isinstance(kind, str) or "/" not in kind:
            raise TypeError(f"{name} must be media types like {JSON_LINES[0]!r}, got {kind!r}")
    return frozenset(map(media_type, types))


def _path_of(request: Mapping[str, Any]) -> str:
    path = request.get("path", request.get("PATH_INFO", ""))
    return path if isinstance(path, str) else ""


def _has_no_stream(status_code: int, named: dict[str, str]) -> bool:
    encoding = named.get("content-encoding", "identity").strip().lower()
    return not 200 <= status_code < 400 or status_code in _WITHOUT_BODY or encoding != "identity"


def _of_chunks(headers: Headers) -> Headers:
    """The headers of a body of chunks, for the event stream that it becomes."""
    gone = ("content-type", "content-length", "etag", "accept-ranges")
    kept = [(name, value) for name, value in headers if name.lower() not in gone]
    return varied(kept)
