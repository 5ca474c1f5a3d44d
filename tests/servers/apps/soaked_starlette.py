"""The soak in Starlette."""

import asyncio
import logging

from soaked import SOURCES_BY_KIND, RefusedError, books, options
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sse_bridge.starlette import EventSourceResponse

logging.basicConfig(level=logging.INFO)


async def stream(request: Request) -> Response:
    kind, way = request.path_params["kind"], request.path_params["way"]
    return EventSourceResponse(SOURCES_BY_KIND[kind](way), **options(way))


async def told(request: Request) -> Response:
    return JSONResponse(books(len(asyncio.all_tasks()) - 1))  # without its own


async def refused(request: Request, error: Exception) -> Response:
    return PlainTextResponse("no", 429)


app = Starlette(
    routes=[Route("/{kind}/{way}", stream), Route("/books", told)],
    exception_handlers={RefusedError: refused},
)
