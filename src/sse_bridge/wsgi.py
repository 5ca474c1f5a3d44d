"""Event streams for any WSGI app: an iterator for the body, or a whole app.

Formats: PEP 3333 (WSGI), the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Unpack

from . import hangup, wsgi_middleware
from .arguments import check_status, checked_headers
from .dialects.base import Dialect
from .drivers.sources import OneRequest, check_source, discard
from .drivers.threads import Body
from .failures import UpstreamError, diagnose
from .loops.background import background_home
from .media import JSON_LINES
from .options import FINISHED_ID, Options, Words, merge_headers, options_of
from .registry import ShuttingDown, TooManyStreams, Unavailable
from .responses import OVER, Takeover, take
from .showing import in_words
from .wsgi_whole import WholeCall, keeps_to_its_thread

__all__ = ["EventStream", "Middleware", "ShuttingDown", "TooManyStreams", "headers", "stream"]

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
    `UpstreamError` for a failure that its service told in band, `TooManyStreams` at `max_streams`, `ShuttingDown`
    after `sse_bridge.shutdown`. For an `OSError`, which servers take for their connection's and leave unanswered,
    it raises `UpstreamError`, or `RuntimeError` where it is no upstream's, from it.
    """
    try:
        return open_body(source, environ, options_of(options, "stream"))
    except OSError as error:
        # To a server that would be its connection's: it closes that, and answers nothing.
        diagnosis = diagnose(error)
        if diagnosis.is_upstream:
            raise UpstreamError(in_words(error), status_code=diagnosis.status_code) from error
        raise RuntimeError(
            f"the source failed before its first chunk: {in_words(error)}"
        ) from error


def open_body(source: Any, environ: Environ, options: Options) -> Iterator[bytes]:
    """The body for a request, in a copy of the caller's context; for HEAD, none, and the source is not run."""
    check_source(source)
    if environ.get("REQUEST_METHOD") == "HEAD":
        discard(source, background_home)
        return _nothing()
    take(environ)
    watch = partial(hangup.watch, environ)
    asked = options.for_client(environ.get("HTTP_ACCEPT", ""))
    return Body(source, asked, contextvars.copy_context(), watch=watch)


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
        self._source = OneRequest(source, "EventStream")
        check_status("status", status)
        pairs = checked_headers(headers)
        self._options = options_of(options, "EventStream")
        self._status = status
        self._headers = merge_headers(self._options.headers(), pairs)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if is_finished(environ):
            self._source.discard(background_home)
            start_response("204 No Content", [])
            return ()
        source = self._source.take(environ)
        try:
            body = open_body(source, environ, self._options)
        except Unavailable as full:
            if not full.source_ran:
                discard(source, background_home)
            return wsgi_middleware.refuse(start_response, full)
        except Exception as error:
            answer = wsgi_middleware.answer_early(start_response, error, self._options)
            if answer is None:
                raise
            return answer
        start_response(self._status, list(self._headers))
        return body


class Middleware:
    """A WSGI app whose event streams are kept alive, watched, stopped and ended truthfully; all else just passes.

    Arguments: `app`; `end` (default False), whether an event stream that ends well without saying so gets the
    dialect's end frame, and a reconnect after that is answered 204 without asking the app; `chunks`, media types
    whose bodies become event streams for clients whose ``Accept`` names ``text/event-stream`` (default: the names
    of JSON lines; a type without ``json`` in it is read as text); `streams`, further media types under which the
    app's bodies are event streams (default: none); `whole`, whether the app itself runs on the thread that walks
    its streams, so that its blocked calls are stopped too, and what only one thread may use can be used in both
    (default None: for Bottle, web.py and CherryPy only); `options`, see the option table. An app's failure within
    `hold` is raised here, before the response has started.

    Raises `TypeError` or `ValueError` that names the argument and shows the value.
    """

    def __init__(
        self,
        app: Callable[..., Iterable[bytes]],
        *,
        end: bool = False,
        chunks: Iterable[str] = JSON_LINES,
        streams: Iterable[str] = (),
        whole: bool | None = None,
        **options: Unpack[Words],
    ) -> None:
        _check_app(app)
        if whole is not None and not isinstance(whole, bool):
            raise TypeError(f"whole must be True, False or None, got {whole!r}")
        self.app = app
        self._whole = keeps_to_its_thread(app) if whole is None else whole
        self._takeover = Takeover(
            options_of(options, "Middleware"), end=end, chunks=chunks, streams=streams
        )

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_LAST_EVENT_ID" in environ and self._is_over(environ):
            start_response("204 No Content", list(OVER))
            return ()
        kind = WholeCall if self._whole else wsgi_middleware.Call
        try:
            call = kind(self._takeover, environ, start_response)
        except Unavailable as full:  # no room for one more thread
            return wsgi_middleware.refuse(start_response, full)
        return call.run(self.app)

    def _is_over(self, environ: Environ) -> bool:
        method, accept = environ.get("REQUEST_METHOD", ""), environ.get("HTTP_ACCEPT", "")
        return self._takeover.is_over(method, accept, environ["HTTP_LAST_EVENT_ID"])


def _check_app(app: Any) -> None:
    if not callable(app):
        raise TypeError(f"app must be a WSGI app, got {app!r}")
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        raise TypeError(
            f"app must be a WSGI app, and for ASGI there is asgi.Middleware, got {app!r}"
        )
