"""Three frames by hand under ASGI; with `?gate=PORT` each waits for its permit."""

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

from gates import async_gate

FRAMES = (b"data: one\n\n", b"data: two\n\n", b"data: three\n\n")
HEADERS = [(b"content-type", b"text/event-stream; charset=utf-8")]

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Any, send: Send) -> None:
    if scope["type"] != "http":
        raise NotImplementedError(scope["type"])  # the servers take this for "no lifespan here"
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    port = parse_qs(scope["query_string"].decode()).get("gate")
    if scope["method"] != "HEAD":
        await (gated(port[0], send) if port else ungated(send))
    await send({"type": "http.response.body", "body": b""})


async def ungated(send: Send) -> None:
    for frame in FRAMES:
        await send({"type": "http.response.body", "body": frame, "more_body": True})


async def gated(port: str, send: Send) -> None:
    async with async_gate(port) as wait:
        for frame in FRAMES:
            if not await wait():
                return
            await send({"type": "http.response.body", "body": frame, "more_body": True})
