"""Starlette's StreamingResponse with frames written by hand, as most people stream today."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.work import Kind, Work, as_json, dumps


def app(work: Work) -> ASGIApp:
    frames = sync_frames if work.mode == "sync" else async_frames

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        response = StreamingResponse(frames(work), media_type="text/event-stream")
        await response(scope, receive, send)

    return respond


def sync_frames(work: Work) -> Iterator[str]:
    to_text = ENCODERS[work.kind]
    for chunk in work.source():
        yield f"data: {to_text(chunk)}\n\n"


async def async_frames(work: Work) -> AsyncIterator[str]:
    to_text = ENCODERS[work.kind]
    async for chunk in work.source():
        yield f"data: {to_text(chunk)}\n\n"


ENCODERS: dict[Kind, Callable[[Any], str]] = {"str": str, "dict": dumps, "openai": as_json}
