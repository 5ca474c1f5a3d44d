"""Event streams for any WSGI app: an iterator for the body, or a whole app.

Formats: PEP 3333 (WSGI), the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NoReturn, Unpack

from . import hangup
from .dialects.base import Dialect
from .drivers.sources import OneRequest, check_source, discard
from .drivers.threads import Body, background_home
from .options import FINISHED_ID, Options, Words, merge_headers, options_of
from .registry import TooManyStreams

__all__ = ["EventStream", "TooManyStreams", "headers", "stream"]

Environ = dict[str, Any]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]


def headers(dialect: str | Dialect = "plain") -> list[tuple[str, str]]:
    """The response headers of an event stream in `dialect` (default ``"plain"``), for ``start_response``."""
    return Options(dialect=dialect).headers()


def stream(source: Any, environ: Environ, /, **options: Unpack[Words]) -> Iterator[bytes]:
    """Stream `source` as the body of a WSGI response: an iterator of bytes with ``close()``.

    It starts the source and waits out `hold` before it returns, so call it before ``start_response``.

    Arguments: `source`, any iterable, async iterable, awaitable of one, or callable that gives one; `environ`,
    the request's; `options`, see the option table. Raises what the source raises within `hold`,
    `UpstreamError` for a failure that its service told in band, `TooManyStreams` at `max_streams`.
    """
    return open_body(source, environ, options_of(options))


def open_body(source: Any, environ: Environ, options: Options) -> Iterator[bytes]:
    """The body for a request, in a copy of the caller's context; for HEAD, none, and the source is not run."""
    check_source(source)
    if environ.get("REQUEST_METHOD") == "HEAD":
        discard(source, background_home)
        return _nothing()
    watch = partial(hangup.watch, environ)
    return Body(source, options, contextvars.copy_context(), watch=watch)


def _nothing() -> Iterator[bytes]:
    """No body, with a close() as every body has."""
    yield from ()


def is_finished(environ: Environ) -> bool:
    """Whether this is an EventSource's reconnect after a stream that had finished."""
    return environ.get("HTTP_LAST_EVENT_ID") == FINISHED_ID


class EventStream:
    """A WSGI app that streams `source`.

    Arguments: `source`, a callable that is called with each request's environ and gives a source, or a source,
    which serves one request; `status` (default ``"200 OK"``); `headers`, which win over ours; `options`, see the
    option table.
    """

    def __init__(
        self,
        source: Any,
        /,
        *,
        status: str = "200 OK",
        headers: Headers | None = None,
        **options: Unpack[Words],
    ) -> None:
        check_source(source)
        self._source = OneRequest(source)
        self._options = options_of(options)
        self._status = status
        self._headers = merge_headers(self._options.headers(), headers)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_finished(environ):
            self._source.discard(background_home)
            start_response("204 No Content", [])
            return ()
        source = self._source.take(environ)
        try:
            body = open_body(source, environ, self._options)
        except TooManyStreams as full:
            discard(source, background_home)
            retry = ("Retry-After", str(full.retry_after))
            start_response("503 Service Unavailable", [retry, ("Content-Length", "0")])
            return ()
        start_response(self._status, list(self._headers))
        return body


def __getattr__(name: str) -> NoReturn:
    if name == "Middleware":
        raise ImportError("sse_bridge.wsgi.Middleware comes in a later release")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
