"""Apps that stream under ASGI, and know nothing of us, each wrapped by our middleware.

/WRAP/MAKER/STORY: how it is wrapped, with what it is written, and what it tells.
"""

import logging
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from importlib.util import find_spec
from itertools import product
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.middleware import Middleware as Layer
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from story import Options, source_for

from sse_bridge.asgi import Middleware

NEVER = 60.0
EVENTS = "text/event-stream"

App = Callable[[Any, Any, Any], Awaitable[None]]
Pieces = Callable[[], AsyncIterator[bytes]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

# The library's lines, as an app that logs has them.
_log = logging.getLogger("sse_bridge")
_log.setLevel(logging.INFO)
_log.addHandler(logging.StreamHandler())


async def frames(name: str, options: Options, pieces: Pieces) -> AsyncIterator[str]:
    if name == "half":
        yield "data: one\n\ndata: ha"
        raise RuntimeError("the secret")
    async with aclosing(texts(name, options, pieces)) as told:
        async for text in told:
            yield f"data: {text}\n\n"


def texts(name: str, options: Options, pieces: Pieces) -> Any:
    if name == "echo":
        return echo(pieces())
    return broken(options) if name == "broken" else source_for(name, "async", options)


async def broken(options: Options) -> AsyncIterator[Any]:
    """A failure after the last permit."""
    async with aclosing(source_for("gated", "async", options)) as told:
        async for text in told:
            yield text
    raise RuntimeError("the secret")


def sync_texts(name: str, options: Options) -> Iterator[Any]:
    if name != "broken":
        yield from source_for(name, "sync", options)
        return
    yield from source_for("gated", "sync", options)
    raise RuntimeError("the secret")


async def read_first(request: Request) -> Pieces:
    """Starlette's responses read `receive` themselves while they stream."""
    body = await request.body()

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    return pieces


async def echo(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The request's body, line by line."""
    yield "start"
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line.decode()


def options_of(request: Request) -> dict[str, str]:
    return dict(request.query_params)


# -- a bare callable ------------------------------------------------------------------------------


async def bare(scope: Any, receive: Any, send: Any) -> None:
    name = scope["path"].rsplit("/", 1)[-1]
    options = dict(parse_qsl(scope["query_string"].decode()))
    headers = [(b"content-type", EVENTS.encode())]
    compressed = b"gzip" in dict(scope["headers"]).get(b"accept-encoding", b"")
    if compressed:
        headers.append((b"content-encoding", b"gzip"))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    told = frames(name, options, lambda: body_of(receive))
    async with aclosing(gzipped(told) if compressed else encoded(told)) as pieces:
        async for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def body_of(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        yield message["body"]
        more = message.get("more_body", False)


async def encoded(told: AsyncIterator[str]) -> AsyncIterator[bytes]:
    async with aclosing(told):  # type: ignore[type-var]
        async for frame in told:
            yield frame.encode()


async def gzipped(told: AsyncIterator[str]) -> AsyncIterator[bytes]:
    compress = zlib.compressobj(wbits=31)
    async with aclosing(told):  # type: ignore[type-var]
        async for frame in told:
            yield compress.compress(frame.encode()) + compress.flush(zlib.Z_SYNC_FLUSH)
    yield compress.flush()


# -- Starlette ------------------------------------------------------------------------------------


async def streaming(request: Request) -> Response:
    pieces = await read_first(request)
    told = frames(request.path_params["name"], options_of(request), pieces)
    return StreamingResponse(told, media_type=EVENTS)


def streaming_sync(request: Request) -> Response:
    def told() -> Iterator[str]:
        for text in sync_texts(request.path_params["name"], options_of(request)):
            yield f"data: {text}\n\n"

    return StreamingResponse(told(), media_type=EVENTS)


def page(request: Request) -> Response:
    return PlainTextResponse("well " * 1000)


def starlette_app(endpoint: Any, *layers: Layer) -> App:
    routes = [Route("/page", page), Route("/{name}", endpoint, methods=["GET", "POST"])]
    return Starlette(routes=routes, middleware=layers)


class Stamp(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Any:
        response = await call_next(request)
        response.headers["x-stamp"] = "here"
        return response


OTHERS = (Layer(Stamp), Layer(GZipMiddleware), Layer(CORSMiddleware, allow_origins=["*"]))
OURS = Layer(Middleware, ping=NEVER, hold=NEVER)  # type: ignore[arg-type]


# -- sse-starlette --------------------------------------------------------------------------------


async def sse_starlette(request: Request) -> Response:
    from sse_starlette import EventSourceResponse

    pieces = await read_first(request)

    async def told() -> AsyncIterator[dict[str, Any]]:
        name, options = request.path_params["name"], options_of(request)
        async with aclosing(texts(name, options, pieces)) as source:
            async for text in source:
                yield {"data": text}

    return EventSourceResponse(told())


# -- FastAPI --------------------------------------------------------------------------------------


def fastapi_app() -> App:
    from fastapi import Depends, FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()
    body = Depends(read_first)

    @app.get("/lines")
    async def lines() -> Any:
        yield {"n": 1}
        yield {"n": 2}

    @app.get("/{name}", response_class=EventSourceResponse)
    @app.post("/{name}", response_class=EventSourceResponse)
    async def story(request: Request, name: str, pieces: Any = body) -> Any:
        async with aclosing(texts(name, options_of(request), pieces)) as told:
            async for text in told:
                yield ServerSentEvent(raw_data=text)

    return app


def fastapi_def_app() -> App:
    from fastapi import FastAPI
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    app = FastAPI()

    @app.get("/{name}", response_class=EventSourceResponse)
    def story(request: Request, name: str) -> Any:
        for text in sync_texts(name, options_of(request)):
            yield ServerSentEvent(raw_data=text)

    return app


# -- Django ---------------------------------------------------------------------------------------


def django_app() -> App:
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import StreamingHttpResponse
    from django.urls import path

    async def view(asked: Any, name: str) -> StreamingHttpResponse:
        async def pieces() -> AsyncIterator[bytes]:
            yield asked.read()

        told = frames(name, asked.GET, pieces)
        return StreamingHttpResponse(told, content_type=EVENTS)

    settings.configure(
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"],  # it spares no event stream
        ROOT_URLCONF=(path("<name>", view),),
    )
    return get_asgi_application()


APPS: dict[str, App] = {
    "bare": bare,
    "starlette": starlette_app(streaming),
    "starlette-sync": starlette_app(streaming_sync),
}
if find_spec("sse_starlette"):
    APPS["sse-starlette"] = starlette_app(sse_starlette)
if find_spec("fastapi") and find_spec("fastapi.sse"):
    APPS |= {"fastapi": fastapi_app(), "fastapi-def": fastapi_def_app()}
if find_spec("django"):
    APPS["django"] = django_app()

WRAPS: dict[str, Callable[[App], App]] = {
    "quiet": lambda app: Middleware(app, ping=NEVER, hold=NEVER),
    "pinging": lambda app: Middleware(app, ping=0.05),
    "ending": lambda app: Middleware(app, end=True),
    "limited": lambda app: Middleware(app, max_streams=1),
    "twice": lambda app: Middleware(Middleware(app, ping=NEVER), ping=NEVER),
}
STACKS = {
    "below": starlette_app(streaming, *OTHERS, OURS),
    "above": starlette_app(streaming, OURS, *OTHERS),
}

mounts = [
    Mount(f"/{wrap}/{maker}", WRAPS[wrap](APPS[maker])) for wrap, maker in product(WRAPS, APPS)
]
app = Starlette(
    routes=[*mounts, *(Mount(f"/{name}/starlette", app) for name, app in STACKS.items())]
)
