"""ASGI's messages: what is read of a request, and responses that are not streams."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from ..options import FINISHED_ID, Options, RawHeaders, raw
from ..registry import Unavailable
from .early import early_answer

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
_Begin = Callable[[], Awaitable[None]]
_Write = Callable[[bytes, bool], Awaitable[None]]


def ways(send: Send, start: Message) -> tuple[_Begin, _Write]:
    """Two functions for a driver: one begins the response, with this message, the other writes the body."""

    def begin() -> Awaitable[None]:
        return send(start)

    def write(data: bytes, more: bool) -> Awaitable[None]:
        return send({"type": "http.response.body", "body": data, "more_body": more})

    return begin, write


async def answer(send: Send, status_code: int, headers: RawHeaders, body: bytes = b"") -> None:
    """Send a whole response, with a short body or none."""
    if status_code != 204:
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status_code, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def answer_early(
    send: Send, error: Exception, options: Options, more: Iterable[tuple[str, str]] = ()
) -> bool:
    """Answer a failure before the first byte, with `more` headers; False if the server has to make it a 500."""
    early = early_answer(error, options)
    if early is None:
        return False
    headers = [("Content-Type", "text/plain; charset=utf-8"), *early.headers, *more]
    await answer(send, early.status_code, raw(headers), early.message.encode())
    return True


_FINISHED = FINISHED_ID.encode()


def is_finished(scope: Scope) -> bool:
    """Whether this is the reconnect of an EventSource whose stream has finished."""
    return any(name == b"last-event-id" and value == _FINISHED for name, value in scope["headers"])


def header(scope: Scope, wanted: bytes) -> str:
    """A header's value; several are joined to one list."""
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)


def retry_after(full: Unavailable) -> tuple[bytes, bytes]:
    """The ``Retry-After`` header, which says when to try again."""
    return b"retry-after", str(full.retry_after).encode()
