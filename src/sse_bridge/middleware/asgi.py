"""The ASGI middleware, and how the response to one request goes through it.

Formats: the ASGI specification, the WHATWG HTML standard (text/event-stream).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Unpack

from ..answers.asgi import (
    App,
    Message,
    Receive,
    Scope,
    Send,
    answer,
    answer_early,
    header,
    retry_after,
    ways,
)
from ..answers.mark import MARK, OVER, Mark
from ..loops.current import current_home
from ..media import JSON_LINES
from ..options import Options, Words, options_of, raw
from ..registry import Unavailable
from .apps import AppStream
from .inbox import Inbox
from .takeover import Plan, Takeover


class Middleware:
    """Wraps an ASGI app: its event streams get keep-alives, disconnect detection and a proper end; all else passes.

    Arguments: `app`; `end` (default False), whether an event stream that ends well without an end frame gets the
    dialect's, and a reconnect after that is answered 204 without calling the app; `chunks`, media types whose
    bodies become event streams for clients whose ``Accept`` names ``text/event-stream`` (default: the names of
    JSON lines; a type without ``json`` in it is read as text); `streams`, further media types under which the
    app's bodies are event streams (default: none); `options`, see `sse_bridge.options.Options`. An app's failure
    within `hold` is raised here, before the response has started.

    Raises `TypeError` or `ValueError` that names the argument and shows the value.
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
        last, accept = header(scope, b"last-event-id"), header(scope, b"accept")
        return self._takeover.is_over(scope["method"], accept, last)


class _Request:
    """One request that goes through the middleware."""

    def __init__(self, takeover: Takeover, scope: Scope, receive: Receive, send: Send) -> None:
        self._takeover = takeover
        self._scope = scope
        # In the same scope: what the app writes there is also for the middlewares around us.
        self._is_outermost = MARK not in scope
        self._mark: Mark = scope.setdefault(MARK, Mark())
        self._inbox = Inbox(receive)
        self._server_send = send
        self._passes = False
        self._look: Callable[[bytes], None] | None = (
            None  # called with the beginning of a body that passes
        )
        self._stream: AppStream | None = None
        self._options = takeover.options
        self._varies: list[tuple[str, str]] = []  # for any response in place of the stream
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
            headers = [retry_after(self._full), *raw(self._varies)]
            await answer(self._server_send, self._full.status_code, headers)

    async def _answer_early(self, failure: Exception) -> bool:
        stream = self._stream
        is_early = stream is not None and not stream.has_begun
        return is_early and await answer_early(
            self._server_send, failure, self._options, self._varies
        )

    async def _send(self, message: Message) -> None:
        """The `send` for the app."""
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
        accept = header(self._scope, b"accept")
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
        begin, write = ways(self._server_send, start)
        self._mark.taken, self._options = True, options
        asked = options.for_request(self._scope)
        self._stream = AppStream(asked, self._cancelling, self._inbox, begin, write)


def _named(message: Message) -> list[tuple[str, str]]:
    """The headers of a message that starts an answer, as text."""
    pairs = message.get("headers", ())
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in pairs]
