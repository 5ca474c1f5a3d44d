"""WSGI apps that know nothing of the middleware around them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

from sse_bridge.wsgi import Middleware
from wsgi_server import App

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
FRAMES = b"data: a\n\ndata: b\n\n"
EVENTS = ("Content-Type", "text/event-stream")
LINES = ("Content-Type", "application/x-ndjson")
PLAIN = ("Content-Type", "text/plain")
ASKS = {"HTTP_ACCEPT": "text/event-stream"}


class Result:
    """What an app returns: it counts its closings."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = iter(items)
        self.closed = 0
        self.threads: set[threading.Thread] = set()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.threads.add(threading.current_thread())
        item = next(self.items)
        if isinstance(item, BaseException):
            raise item
        return item  # type: ignore[no-any-return]

    def close(self) -> None:
        self.closed += 1


def answering(result: Any, *headers: tuple[str, str], status: str = "200 OK") -> App:
    """An app that starts its response and returns its result."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers) or [EVENTS])
        return result() if callable(result) else result

    return app


def late(*items: bytes, status: str = "200 OK", headers: Any = (EVENTS,)) -> App:
    """An app that is a generator, and starts its response when it is first asked."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response(status, list(headers))
        yield from items

    return app


def checked(app: App, **options: Any) -> App:
    """Validated on both sides."""
    return validator(Middleware(validator(app), **options))  # type: ignore[arg-type]
