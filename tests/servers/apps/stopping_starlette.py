"""A Starlette app with the one line in its lifespan; `/by-hand` is for the middleware around it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from stopping import async_frames, note, options_for, source_for, stop_on_signal

from sse_bridge.asgi import Middleware
from sse_bridge.starlette import EventSourceResponse


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    stop_on_signal()
    yield
    note("lifespan is over")


async def stream(request: Request) -> Response:
    query = dict(request.query_params)
    source = source_for(request.path_params["name"], request.path_params["kind"], query)
    return EventSourceResponse(source, **options_for(query))


async def by_hand(request: Request) -> Response:
    frames = async_frames(dict(request.query_params))
    return StreamingResponse(frames, media_type="text/event-stream")


async def process(request: Request) -> Response:
    return PlainTextResponse(str(os.getpid()))


routes = [
    Route("/{kind}/{name}", stream),
    Route("/by-hand", by_hand),
    Route("/process", process),
]
app = Starlette(routes=routes, lifespan=lifespan)
wrapped = Middleware(app, **options_for({"who": "by hand"}))
