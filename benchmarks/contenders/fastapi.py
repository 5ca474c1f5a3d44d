"""FastAPI's own server-sent events: path operations that yield, annotated as its docs advise."""

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Any

from fastapi import FastAPI
from fastapi.sse import EventSourceResponse, ServerSentEvent
from openai.types.chat import ChatCompletionChunk
from starlette.types import ASGIApp

from benchmarks.work import Mode, Work


def app(work: Work) -> ASGIApp:
    fastapi = FastAPI(openapi_url=None)
    # Without exclude_unset the chunk's absent fields would go out as nulls: other events.
    route = fastapi.get("/", response_class=EventSourceResponse, response_model_exclude_unset=True)
    route(endpoint(work))
    return fastapi


def endpoint(work: Work) -> Callable[..., Any]:
    """Return the path operation; its annotation says how FastAPI serialises what it yields."""
    make, item = {
        "str": (text_endpoints, ServerSentEvent),
        "dict": (endpoints, dict[str, Any]),
        "openai": (endpoints, ChatCompletionChunk),
    }[work.kind]
    chosen = make(work)[work.mode]
    several = Iterable if work.mode == "sync" else AsyncIterable
    chosen.__annotations__["return"] = several[item]
    return chosen


def endpoints(work: Work) -> dict[Mode, Callable[..., Any]]:
    async def from_async():  # type: ignore[no-untyped-def]
        async for chunk in work.source():
            yield chunk

    def from_sync():  # type: ignore[no-untyped-def]
        yield from work.source()

    return {"async": from_async, "sync": from_sync}


def text_endpoints(work: Work) -> dict[Mode, Callable[..., Any]]:
    """A plain str would go out as JSON, in quotes; raw_data sends the same text as the others."""

    async def from_async():  # type: ignore[no-untyped-def]
        async for text in work.source():
            yield ServerSentEvent(raw_data=text)

    def from_sync():  # type: ignore[no-untyped-def]
        for text in work.source():
            yield ServerSentEvent(raw_data=text)

    return {"async": from_async, "sync": from_sync}
