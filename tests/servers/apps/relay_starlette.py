"""A chat endpoint in Starlette that relays a real SDK's stream."""

import asyncio
from typing import Any

import openai
from census import census
from relay import CLIENTS, relay
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sse_bridge import UpstreamError
from sse_bridge.starlette import EventSourceResponse


async def chat(request: Request) -> Response:
    source, options = relay(request.path_params["kind"], request.query_params)
    return EventSourceResponse(source, **options)


def slow_down(request: Request, error: Any) -> Response:
    return JSONResponse({"told": "slow down"}, 429)


def upstream(request: Request, error: Any) -> Response:
    return JSONResponse({"told": error.code}, error.status_code or 502)


async def open_now(request: Request) -> Response:
    return JSONResponse(census(asyncio.get_running_loop(), CLIENTS))


app = Starlette(
    routes=[
        Route("/{kind}/chat/completions", chat, methods=["POST"]),
        Route("/census", open_now),
    ],
    exception_handlers={openai.RateLimitError: slow_down, UpstreamError: upstream},
)
