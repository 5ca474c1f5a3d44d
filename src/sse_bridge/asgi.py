"""Event streams for any ASGI app: a whole app that streams a source.

Formats: the ASGI specification, the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, NoReturn, Unpack

from .drivers.anyio import current_home, drive
from .drivers.sources import OneRequest, check_source, discard
from .options import FINISHED_ID, Options, Words, merge_headers, options_of
from .registry import TooManyStreams

__all__ = ["EventStream"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = Mapping[str, str] | Iterable[tuple[str, str]]
RawHeaders = list[tuple[bytes, bytes]]


class EventStream:
    """An ASGI app that streams `source`; on asyncio and on trio.

    Arguments: `source`, a callable that is called with each request's scope and gives a source, or a source,
    which serves one request; `status_code` (default 200); `headers`, which win over ours; `options`, see the
    option table. What the source raises within `hold` is raised here, before the response has started.
    """

    def __init__(
        self,
        source: Any,
        /,
        *,
        status_code: int = 200,
        headers: Headers | None = None,
        **options: Unpack[Words],
    ) -> None:
        check_source(source)
        self._source = OneRequest(source)
        self._options = options_of(options)
        self._status_code = status_code
        self._headers = raw(merge_headers(self._options.headers(), headers))

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
        except TooManyStreams as full:
            discard(source, current_home)
            await answer(send, 503, [(b"retry-after", str(full.retry_after).encode())])


async def respond(
    source: Any,
    options: Options,
    scope: Scope,
    receive: Receive,
    send: Send,
    status_code: int,
    headers: RawHeaders,
    context: contextvars.Context | None = None,
) -> None:
    """Answer with the source's stream; for HEAD with its headers only, and the source is not run."""

    async def begin() -> None:
        await send({"type": "http.response.start", "status": status_code, "headers": headers})

    async def write(data: bytes, more: bool) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": more})

    if scope["method"] == "HEAD":
        discard(source, current_home)
        await begin()
        await write(b"", False)
        return
    context = contextvars.copy_context() if context is None else context
    await drive(source, options, context, receive=receive, begin=begin, write=write)


async def answer(send: Send, status_code: int, headers: RawHeaders) -> None:
    """A whole answer without a body."""
    if status_code != 204:
        headers = [*headers, (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": status_code, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


_FINISHED = FINISHED_ID.encode()


def is_finished(scope: Scope) -> bool:
    """Whether this is an EventSource's reconnect after a stream that had finished."""
    return any(name == b"last-event-id" and value == _FINISHED for name, value in scope["headers"])


def raw(headers: list[tuple[str, str]]) -> RawHeaders:
    """Headers as ASGI sends them: bytes, names in lower case."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def __getattr__(name: str) -> NoReturn:
    if name == "Middleware":
        raise ImportError("sse_bridge.asgi.Middleware comes in a later release")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
