"""Event streams for any ASGI app: a whole app that streams a source, and a middleware for streams that are there.

Formats: the ASGI specification, the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

import contextvars
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Unpack

from .arguments import check_status_code, checked_headers
from .drivers.anyio import Begin, Write, drive
from .drivers.apps import AppStream, Inbox
from .drivers.sources import OneRequest, check_source, discard
from .early import early_answer
from .loops.current import current_home
from .media import JSON_LINES
from .options import FINISHED_ID, Options, Words, merge_headers, options_of
from .registry import Unavailable
from .responses import MARK, OVER, Mark, Plan, Takeover, take

__all__ = ["EventStream", "Middleware"]

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
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
        self._source = OneRequest(source, "EventStream")
        check_status_code("status_code", status_code)
        pairs = checked_headers(headers)
        self._options = options_of(options, "EventStream")
        self._status_code = status_code
        self._headers = raw(merge_headers(self._options.headers(), pairs))

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
            await answer(send, 503, [_retry_after(full)])
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
) -> None:
    """Answer with the source's stream; for HEAD with its headers only, and the source is not run."""
    start = {"type": "http.response.start", "status": status_code, "headers": headers}
    begin, write = _ways(send, start)
    take(scope)
    if scope["method"] == "HEAD":
        discard(source, current_home)
        await begin()
        await write(b"", False)
        return
    context = contextvars.copy_context() if context is None else context
    options = options.for_client(_header(scope, b"accept"))
    await drive(source, options, context, receive=receive, begin=begin, write=write)


def _ways(send: Send, start: Message) -> tuple[Begin, Write]:
    """How a driver begins the response, with this message, and how it writes the body."""

    async def begin() -> None:
        await send(start)

    async def write(data: bytes, more: bool) -> None:
        await send({"type": "http.response.body", "body": data, "more_body": more})

    return begin, write


async def answer(send: Send, status_code: int, headers: RawHeaders, body: bytes = b"") -> None:
    """A whole answer, with a short body or none."""
    if status_code != 204:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer_early(
    send: Send, error: Exception, options: Options, more: Iterable[tuple[str, str]] = ()
) -> bool:
    """Answer a failure before the first byte, with `more` headers; False where the server is to make it a 500."""
    early = early_answer(error, options)
    if early is None:
        return False
    headers = [("Content-Type", "text/plain; charset=utf-8"), *early.headers, *more]
    await answer(send, early.status_code, raw(headers), early.message.encode())
    return True


_FINISHED = FINISHED_ID.encode()


def is_finished(scope: Scope) -> bool:
    """Whether this is an EventSource's reconnect after a stream that had finished."""
    return any(name == b"last-event-id" and value == _FINISHED for name, value in scope["headers"])


def raw(headers: list[tuple[str, str]]) -> RawHeaders:
    """Headers as ASGI sends them: bytes, names in lower case."""
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class Middleware:
    """An ASGI app whose event streams are kept alive, watched, stopped and ended truthfully; all else just passes.

    Arguments: `app`; `end` (default False), whether an event stream that ends well without saying so gets the
    dialect's end frame, and a reconnect after that is answered 204 without asking the app; `chunks`, media types
    whose bodies become event streams for clients whose ``Accept`` names ``text/event-stream`` (default: the names
    of JSON lines; a type without ``json`` in it is read as text); `streams`, further media types under which the
    app's bodies are event streams (default: none); `options`, see the option table. An app's
    failure within `hold` is raised here, before the response has started.
    """

    def __init__(
        self,
        app: App,
        *,
        end: bool = False,
        chunks: Iterable[str] = JSON_LINES,
        streams: Iterable[str] = (),
        **options: Unpack[Words],
    ) -> None:
        if not callable(app):
            raise TypeError(f"app must be an ASGI app, got {app!r}")
        self.app = app
        self._takeover = Takeover(
            options_of(options, "Middleware"), end=end, chunks=chunks, streams=streams
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif self._is_over(scope):
            await answer(send, 204, raw(OVER))
        else:
            await _Request(self._takeover, scope, receive, send).run(self.app)

    def _is_over(self, scope: Scope) -> bool:
        if not self._takeover.end:
            return False
        last, accept = _header(scope, b"last-event-id"), _header(scope, b"accept")
        return self._takeover.is_over(scope["method"], accept, last)


class _Request:
    """One request on its way through the middleware."""

    def __init__(self, takeover: Takeover, scope: Scope, receive: Receive, send: Send) -> None:
        self._takeover = takeover
        self._scope = scope
        # In the very scope: what the app writes there is for those around us, too.
        self._is_outermost = MARK not in scope
        self._mark: Mark = scope.setdefault(MARK, Mark())
        self._inbox = Inbox(receive)
        self._server_send = send
        self._passes = False
        self._look: Callable[[bytes], None] | None = None  # at the beginning of what passes
        self._stream: AppStream | None = None
        self._options = takeover.options
        self._varies: list[tuple[str, str]] = []  # what any answer in the stream's stead says, too
        self._full: Unavailable | None = None
        self._cancelling = current_home().scope()

    async def run(self, app: App) -> None:
        error: BaseException | None = None
        try:
            await self._cancelling.run(lambda: app(self._scope, self._inbox.receive, self._send))
        except BaseException as raised:
            error = raised
        try:
            await self._end(error)
        finally:
            del error  # it leads back here
            if self._is_outermost:
                self._scope.pop(MARK, None)

    async def _end(self, error: BaseException | None) -> None:
        """The app has returned, or raised."""
        if self._full is None and self._stream is not None:
            try:
                await self._stream.end(error)
            except Unavailable as full:  # the server stopped before the first byte
                self._full = full
            except Exception as failure:
                if not await self._answer_early(failure):
                    raise
        elif error is not None and (self._full is None or not isinstance(error, Exception)):
            raise error
        if self._full is not None:
            headers = [_retry_after(self._full), *raw(self._varies)]
            await answer(self._server_send, 503, headers)

    async def _answer_early(self, failure: Exception) -> bool:
        stream = self._stream
        is_early = stream is not None and not stream.has_begun
        return is_early and await answer_early(
            self._server_send, failure, self._options, self._varies
        )

    async def _send(self, message: Message) -> None:
        """What the app sends."""
        if self._full is not None:  # it is being cancelled
            return
        if self._stream is not None and message["type"] == "http.response.body":
            more = message.get("more_body", False)
            await self._stream.say(message.get("body", b""), more=more)
        elif not self._passes and message["type"] == "http.response.start":
            await self._start(message)
        else:
            if self._look is not None and (beginning := message.get("body")):
                self._look = self._look(beginning)
            await self._server_send(message)

    async def _start(self, message: Message) -> None:
        if self._stream is not None:
            raise RuntimeError("http.response.start was sent twice")
        plan = None if self._mark.taken or message.get("trailers") else self._plan(message)
        if plan is None:
            self._passes = True
            self._look = self._suspicion(message)
            await self._server_send(self._passing(message))
            return
        self._varies = plan.varies
        try:
            self._open({**message, "headers": raw(plan.headers)}, plan.options)
        except Unavailable as full:
            self._full = full
            self._cancelling.cancel()
            await current_home().pause()

    def _plan(self, message: Message) -> Plan | None:
        if not self._concerns(message):
            return None
        named = _named(message)
        accept = _header(self._scope, b"accept")
        scope, status = self._scope, message["status"]
        return self._takeover.plan(scope["method"], scope, status, named, accept)

    def _suspicion(self, message: Message) -> Callable[[bytes], None] | None:
        if self._mark.taken:
            return None
        return self._takeover.suspect(self._scope, message["status"], _named(message))

    def _passing(self, message: Message) -> Message:
        if not self._concerns(message):
            return message
        headers = _named(message)
        passing = self._takeover.passing(message["status"], headers)
        return message if passing is headers else {**message, "headers": raw(passing)}

    def _concerns(self, message: Message) -> bool:
        return any(
            name.lower() == b"content-type" and self._takeover.concerns(value.decode("latin-1"))
            for name, value in message.get("headers", ())
        )

    def _open(self, start: Message, options: Options) -> None:
        begin, write = _ways(self._server_send, start)
        self._mark.taken, self._options = True, options
        self._stream = AppStream(options, self._cancelling, self._inbox, begin, write)


def _named(message: Message) -> list[tuple[str, str]]:
    """The headers of a message that starts an answer, as text."""
    pairs = message.get("headers", ())
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]


def _header(scope: Scope, wanted: bytes) -> str:
    """A header's value; of several, joined as one list."""
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)


def _retry_after(full: Unavailable) -> tuple[bytes, bytes]:
    return b"retry-after", str(full.retry_after).encode()
