"""Event streams for any WSGI app: an iterator for the body, or a whole app.

Formats: PEP 3333 (WSGI), the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Unpack

from . import hangup
from .answers.mark import take
from .answers.wsgi import Environ, answer_early, is_finished, refuse
from .arguments import check_status, checked_headers
from .drivers.sources import Given, OneRequest, Source, check_source, discard
from .drivers.threads import Body
from .failures import UpstreamError, diagnose
from .loops.background import background_home
from .middleware.wsgi import Middleware
from .options import AnyDialect, Options, Words, merge_headers, options_of
from .registry import ShuttingDown, TooManyStreams, Unavailable
from .showing import in_words

__all__ = ["EventStream", "Middleware", "ShuttingDown", "TooManyStreams", "headers", "stream"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


def headers(dialect: AnyDialect = "plain") -> list[tuple[str, str]]:
    """The response headers of an event stream in `dialect` (default ``"plain"``), for ``start_response``."""
    return Options(dialect=dialect).headers()


def stream(source: Source, environ: Environ, /, **options: Unpack[Words]) -> Iterator[bytes]:
    """Stream `source` as the body of a WSGI response: an iterator of bytes with ``close()``.

    It starts the source and waits for its first chunk, up to `hold`, so call it before ``start_response``.

    Arguments: `source`, any iterable, async iterable, awaitable of one, or callable that returns one; `environ`,
    the request's; `options`, see `sse_bridge.options.Options`. Raises what the source raises within `hold`,
    `UpstreamError` for a failure that its service reports in a chunk, `TooManyStreams` at `max_streams`, with the
    `status_code` 503, or 429 where `max_streams_per` is given, `ShuttingDown` after `sse_bridge.shutdown`. An
    `OSError`, which servers take for their connection's and leave unanswered, is raised as `UpstreamError`, or
    as `RuntimeError` if it is not an upstream's, from the original.
    """
    try:
        return open_body(source, environ, options_of(options, "stream"))
    except OSError as error:
        # A server would take it for its connection's: it would close that, and answer nothing.
        diagnosis = diagnose(error)
        if diagnosis.is_upstream:
            raise UpstreamError(in_words(error), status_code=diagnosis.status_code) from error
        raise RuntimeError(
            f"the source failed before its first chunk: {in_words(error)}"
        ) from error


def open_body(source: Any, environ: Environ, options: Options) -> Iterator[bytes]:
    """The body for a request, in a copy of the caller's context; for HEAD an empty one, without the source."""
    check_source(source)
    if environ.get("REQUEST_METHOD") == "HEAD":
        discard(source, background_home)
        return _nothing()
    take(environ)
    watch = partial(hangup.watch, environ)
    asked = options.for_client(environ.get("HTTP_ACCEPT", "")).for_request(environ)
    return Body(source, asked, contextvars.copy_context(), watch=watch)


def _nothing() -> Iterator[bytes]:
    """An empty body, with a close() as every body has."""
    yield from ()


class EventStream:
    """A WSGI app that streams `source`.

    Arguments: `source`, a callable that is called with each request's environ and returns a source, or a source,
    which serves one request; `status` (default ``"200 OK"``); `headers` (default None: none), which win over ours;
    `options`, see `sse_bridge.options.Options`. Raises `TypeError` or `ValueError` that names a wrong argument.
    """

    def __init__(
        self,
        source: Source | Callable[[Environ], Given],
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
            return refuse(start_response, full)
        except Exception as error:
            answer = answer_early(start_response, error, self._options)
            if answer is None:
                raise
            return answer
        start_response(self._status, list(self._headers))
        return body
