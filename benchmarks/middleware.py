"""What wrapping an app costs a request that is no event stream: a small JSON answer, in this process."""

import asyncio
import gc
import io
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import inprocess, wsgi
from .measure import Field, Sampler, frozen

QUESTION = b'{"prompt":"Hi"}'
BODY = b'{"answer":"Hello, world","tokens":[7,3,10]}'
LENGTH = str(len(BODY))

# How many requests tell how long one takes.
TRIAL = 200

BARE = "bare"

# What a client gets: for WSGI a status, headers and a body, for ASGI the messages.
Answer = list[Any]


def refuse_another(answer: Answer, wanted: Answer) -> None:
    if answer != wanted:
        raise ValueError(f"an answer of {answer!r:.300} instead of {wanted!r:.300}")


def wsgi_app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Read the request and answer with a small JSON body, as a view does."""
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", LENGTH)])
    return [BODY]


def wsgi_pass_through(app: WSGIApplication) -> WSGIApplication:
    """By hand, the least that sees an answer's type."""

    def wrapped(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            any(name.lower() == "content-type" for name, _ in headers)
            return start_response(status, headers, exc_info)

        return app(environ, start)

    return wrapped


def wsgi_ours(app: WSGIApplication) -> WSGIApplication:
    from sse_bridge.wsgi import Middleware

    return Middleware(app)


WSGI_WRAPS: dict[str, Callable[[WSGIApplication], WSGIApplication]] = {
    BARE: lambda app: app,
    "pass_through": wsgi_pass_through,
    "sse_bridge_wsgi": wsgi_ours,
}


def environ() -> WSGIEnvironment:
    """Return a request's environ with a body to read."""
    return {
        **wsgi.environ(),
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": str(len(QUESTION)),
        "HTTP_ACCEPT": "application/json, */*",
        "wsgi.input": io.BytesIO(QUESTION),
    }


def wsgi_answer(app: WSGIApplication) -> Answer:
    """Return what a client gets from the app."""
    answer: Answer = []

    def start(status: str, headers: object, _exc_info: object = None) -> Callable[..., None]:
        answer[:] = [status, headers]
        return print

    body = wsgi.read(app(environ(), start))
    return [*answer, body]


def wsgi_requests(app: WSGIApplication, count: int) -> float:
    """Return the CPU seconds of that many requests."""
    start = time.process_time()
    for _ in range(count):
        wsgi.read(app(environ(), wsgi.start_response))
    return time.process_time() - start


async def asgi_app(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the request and answer with a small JSON body, as an endpoint does."""
    await receive()
    headers = [(b"content-type", b"application/json"), (b"content-length", LENGTH.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


def asgi_pass_through(app: ASGIApp) -> ASGIApp:
    """By hand, the least that sees an answer's type."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def see(message: Message) -> None:
            if message["type"] == "http.response.start":
                any(name == b"content-type" for name, _ in message["headers"])
            await send(message)

        await app(scope, receive, see)

    return wrapped


def base_http(app: ASGIApp) -> ASGIApp:
    """Starlette's own way to write a middleware, with one that changes nothing."""
    from starlette.middleware.base import BaseHTTPMiddleware

    return BaseHTTPMiddleware(app, dispatch=lambda request, call_next: call_next(request))


def asgi_ours(app: ASGIApp) -> ASGIApp:
    from sse_bridge.asgi import Middleware

    return Middleware(app)


ASGI_WRAPS: dict[str, Callable[[ASGIApp], ASGIApp]] = {
    BARE: lambda app: app,
    "pass_through": asgi_pass_through,
    "base_http": base_http,
    "sse_bridge_asgi": asgi_ours,
}


def scope() -> Scope:
    """Return a request's scope, from a client that asks for no event stream."""
    headers = [(b"host", b"127.0.0.1"), (b"accept", b"application/json, */*")]
    return {**inprocess.scope(), "method": "POST", "headers": headers}


class Request:
    """One request with a body, whose client waits for the whole answer."""

    def __init__(self, kept: Answer | None = None) -> None:
        self.asked = False
        self.kept = kept

    async def receive(self) -> Message:
        if self.asked:
            await asyncio.Event().wait()  # for a client that never leaves
        self.asked = True
        return {"type": "http.request", "body": QUESTION, "more_body": False}

    async def send(self, message: Message) -> None:
        if self.kept is not None:
            self.kept.append(message)


async def asgi_answer(app: ASGIApp) -> Answer:
    """Return the status, the headers and the body, however many messages brought it."""
    sent: Answer = []
    request = Request(sent)
    await asyncio.wait_for(app(scope(), request.receive, request.send), timeout=30)
    start, *bodies = sent
    whole = b"".join(message.get("body", b"") for message in bodies)
    return [start["status"], start["headers"], whole]


async def asgi_requests(app: ASGIApp, count: int) -> float:
    """Return the CPU seconds of that many requests."""
    start = time.process_time()
    for _ in range(count):
        request = Request()
        await app(scope(), request.receive, request.send)
    return time.process_time() - start


@contextmanager
def wsgi_field(_names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds of one request to a WSGI app, bare and wrapped."""
    entered, wanted = Field(), wsgi_answer(wsgi_app)
    for name, wrap in WSGI_WRAPS.items():
        entered.enter(name, partial(wsgi_sampler, wrap, wanted))
    with frozen():
        yield entered


def wsgi_sampler(wrap: Callable[[WSGIApplication], WSGIApplication], wanted: Answer) -> Sampler:
    app = wrap(wsgi_app)
    refuse_another(wsgi_answer(app), wanted)
    return of_one(partial(wsgi_requests, app))


@contextmanager
def asgi_field(_names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds of one request to an ASGI app, bare and wrapped."""
    with asyncio.Runner() as runner:
        entered, wanted = Field(), runner.run(asgi_answer(asgi_app))
        for name, wrap in ASGI_WRAPS.items():
            entered.enter(name, partial(asgi_sampler, runner, wrap, wanted))
        with frozen():
            yield entered


def asgi_sampler(
    runner: asyncio.Runner, wrap: Callable[[ASGIApp], ASGIApp], wanted: Answer
) -> Sampler:
    app = wrap(asgi_app)
    refuse_another(runner.run(asgi_answer(app)), wanted)
    return of_one(lambda count: runner.run(asgi_requests(app, count)))


def of_one(requests: Callable[[int], float]) -> Sampler:
    """Return a sampler of one request, out of as many as the clock can tell apart."""
    count = inprocess.count_for(requests(TRIAL) / TRIAL)

    def sample() -> float:
        gc.collect()
        return requests(count) / count

    return sample
