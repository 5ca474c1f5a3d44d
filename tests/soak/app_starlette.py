"""The soaked server in Starlette."""

from __future__ import annotations

import asyncio

from openai import RateLimitError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sse_bridge.starlette import EventSourceResponse

from .sources import RefusedError, all_told, books, options, source, told


async def refused(request: Request, error: Exception) -> Response:
    return PlainTextResponse("no", 429)


async def stream(request: Request) -> Response:
    kind, place, way = (request.path_params[name] for name in ("kind", "place", "way"))
    words = options(int(request.query_params["number"]), way, request.query_params["dialect"])
    return EventSourceResponse(source(kind, place, way), **words)


async def one_told(request: Request) -> Response:
    return PlainTextResponse(told(request.path_params["number"]))


async def everything_told(request: Request) -> Response:
    return JSONResponse(all_told())


async def all_books(request: Request) -> Response:
    return JSONResponse(books(asyncio.get_running_loop()))


app = Starlette(
    routes=[
        Route("/streams/{kind}/{place}/{way}", stream),
        Route("/told/{number:int}", one_told),
        Route("/told", everything_told),
        Route("/books", all_books),
    ],
    exception_handlers={RefusedError: refused, RateLimitError: refused},
)
