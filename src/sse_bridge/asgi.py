"""Event streams for any ASGI app: an app that streams a source, and a middleware around an app's own streams.

Formats: the ASGI specification, the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Unpack

from .answers.asgi import (
    Receive,
    Scope,
    Send,
    answer,
    answer_early,
    header,
    is_finished,
    retry_after,
    ways,
)
from .answers.mark import take
from .arguments import check_status_code, checked_headers
from .drivers.anyio import drive
from .drivers.sources import Given, OneRequest, Source, check_source, discard
from .loops.current import current_home
from .middleware.asgi import Middleware
from .options import Options, RawHeaders, Words, merge_headers, options_of, raw
from .registry import Unavailable

__all__ = ["EventStream", "Middleware"]

Headers = Mapping[str, str] | Iterable[tuple[str, str]]


class EventStream:
    """An ASGI app that streams `source`; on asyncio and on trio.

    Arguments: `source`, a callable that is called with each request's scope and returns a source, or a source,
    which serves one request; `status_code` (default 200); `headers` (default None: none), which win over ours;
    `options`, see `sse_bridge.options.Options`. What the source raises within `hold` is raised here, before the
    response has started. Raises `TypeError` or `ValueError` that names a wrong argument.
    """

    def __init__(
        self,
        source: Source | Callable[[Scope], Given],
        /,
        *,
        status_code: int = 200,
        headers: Headers | None = None,
        **options: Unpack[Words],
    ) -> None:
        check_source(source)
        self._source = OneRequest(source, "EventStream")
        check_status_code("status_code", status_code)
        pairs = checked_headers(headers)
        self._options = options_of(options, "EventStream")
        self._status_code = status_code
        self._headers = (
            self._options.raw_headers
            if pairs is None
            else raw(merge_headers(self._options.headers(), pairs))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"EventStream answers http requests, not {scope['type']!r}")
        if is_finished(scope):
            self._source.discard(current_home)
            await answer(send, 204, [])
            return
        source = self._source.take(scope)
        try:
            await respond(
                source, self._options, scope, receive, send, self._status_code, self._headers
            )
        except Unavailable as full:
            if not full.source_ran:
                discard(source, current_home)
            await answer(send, full.status_code, [retry_after(full)])
        except Exception as error:
            if not await answer_early(send, error, self._options):
                raise


async def respond(
    source: Any,
    options: Options,
    scope: Scope,
    receive: Receive,
    send: Send,
    status_code: int,
    headers: RawHeaders,
    context: contextvars.Context | None = None,
    request_of: Callable[[Scope], Any] = lambda scope: scope,
) -> None:
    """Answer with the source's stream; for HEAD with its headers only, without running the source.

    `request_of` makes, from the scope, the request that `max_streams_per` is called with.
    """
    # A list of its own: a middleware may add to it.
    start = {"type": "http.response.start", "status": status_code, "headers": [*headers]}
    begin, write = ways(send, start)
    take(scope)
    if scope["method"] == "HEAD":
        discard(source, current_home)
        await begin()
        await write(b"", False)
        return
    context = contextvars.copy_context() if context is None else context
    options = options.for_client(header(scope, b"accept")).for_request(request_of(scope))
    await drive(source, options, context, receive=receive, begin=begin, write=write)
