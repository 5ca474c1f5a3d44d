"""Gateways as people write them: they relay an OpenAI-compatible API's bytes, and know nothing of us.

Each is wrapped by one line without an option. The upstream comes in the query.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import requests
from flask import Flask, Response, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route

from sse_bridge import asgi, wsgi

flask_app = Flask(__name__)


@flask_app.post("/v1/chat/completions")
def relay() -> Response:
    answer = requests.post(
        f"{request.args['upstream']}/chat/completions", json=request.get_json(), stream=True
    )

    def body() -> Iterator[bytes]:
        yield from answer.iter_content(None)

    return Response(body(), answer.status_code, content_type=answer.headers["content-type"])


async def relay_async(asked: Request) -> StreamingResponse:
    client = httpx.AsyncClient()
    url = f"{asked.query_params['upstream']}/chat/completions"
    call = client.build_request("POST", url, json=await asked.json())
    answer = await client.send(call, stream=True)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_raw():
                yield piece
        finally:
            await client.aclose()

    return StreamingResponse(body(), answer.status_code, media_type=answer.headers["content-type"])


routes = [Route("/v1/chat/completions", relay_async, methods=["POST"])]
wsgi_app: Any = wsgi.Middleware(flask_app)
asgi_app: Any = asgi.Middleware(Starlette(routes=routes))
