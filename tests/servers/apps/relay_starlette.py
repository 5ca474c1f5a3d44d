"""A chat endpoint in Starlette that relays a real SDK's stream."""

from typing import Any

import openai
from relay import relay
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


app = Starlette(
    routes=[Route("/{kind}/chat/completions", chat, methods=["POST"])],
    exception_handlers={openai.RateLimitError: slow_down, UpstreamError: upstream},
)
