"""Apps with one streaming endpoint, in each framework, and sources that say what became of them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import fastapi
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from sse_bridge import asgi, wsgi
from sse_bridge.flask import event_stream
from sse_bridge.starlette import EventSourceResponse

METHODS = ["GET", "POST", "HEAD"]


class Source:
    """Counts, then does what `then` says; `seen` is the exception that it was ended with, by its name."""

    def __init__(self, *, number: int = 1, then: str = "block", first: str = "") -> None:
        self.number, self.then, self.first = number, then, first
        self.release = threading.Event()
        self.seen: str | None = None

    def sync(self) -> Iterator[str]:
        """Count in a thread."""
        try:
            self._fail(self.first)
            for number in self._numbers():
                yield str(number)
            self._fail(self.then)
            if self.then == "block":
                self.release.wait(10)
        except BaseException as error:
            self.seen = type(error).__name__
            raise

    async def task(self) -> AsyncIterator[str]:
        """Count in a loop."""
        try:
            self._fail(self.first)
            for number in self._numbers():
                yield str(number)
                await anyio.lowlevel.checkpoint()
            self._fail(self.then)
            while self.then == "block" and not self.release.is_set():  # noqa: ASYNC110 - by a thread
                await anyio.sleep(0.01)
        except BaseException as error:
            self.seen = type(error).__name__
            raise

    def _numbers(self) -> Iterator[int]:
        number = 0
        while self.then == "go on" or number < self.number:
            yield number
            number += 1

    def _fail(self, how: str) -> None:
        if how == "fail":
            raise ZeroDivisionError("a secret")


Make = Callable[[], Any]


def flask_app(make: Make, **options: Any) -> Flask:
    app = Flask("endless")
    app.add_url_rule("/", "count", event_stream(**options)(make), methods=METHODS)
    return app


def starlette_app(make: Make, **options: Any) -> Starlette:
    async def endpoint(_: Request) -> Any:
        return EventSourceResponse(make(), **options)

    return Starlette(routes=[Route("/", endpoint, methods=METHODS)])


def fastapi_app(make: Make, **options: Any) -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.api_route("/", methods=METHODS)
    def endpoint() -> Any:
        return EventSourceResponse(make(), **options)

    return app


def wsgi_app(make: Make, **options: Any) -> Any:
    def count(_: object) -> Any:
        return make()

    return wsgi.EventStream(count, **options)


def asgi_app(make: Make, **options: Any) -> Any:
    def count(_: object) -> Any:
        return make()

    return asgi.EventStream(count, **options)


APPS: dict[str, Callable[..., Any]] = {
    "flask": flask_app,
    "starlette": starlette_app,
    "fastapi": fastapi_app,
    "wsgi": wsgi_app,
    "asgi": asgi_app,
}
