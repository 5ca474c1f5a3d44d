"""Litestar's ServerSentEvent response, with its defaults, as its docs advise."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from litestar import Litestar, get
from litestar.response import ServerSentEvent
from starlette.types import ASGIApp

from benchmarks.work import Kind, Work, as_json, dumps


def app(work: Work) -> ASGIApp:
    events = sync_events if work.mode == "sync" else async_events

    @get("/", include_in_schema=False)
    async def respond() -> ServerSentEvent:
        # Text needs no encoding: the source itself is what a user would hand over.
        return ServerSentEvent(work.source() if work.kind == "str" else events(work))

    # Its logging would become the whole process's, and so its neighbours'.
    return cast("ASGIApp", Litestar([respond], openapi_config=None, logging_config=None))


def sync_events(work: Work) -> Iterator[str]:
    to_text = ENCODERS[work.kind]
    for chunk in work.source():
        yield to_text(chunk)


async def async_events(work: Work) -> AsyncIterator[str]:
    to_text = ENCODERS[work.kind]
    async for chunk in work.source():
        yield to_text(chunk)


# A dict would be taken for the fields of an event, not for its data.
ENCODERS: dict[Kind, Callable[[Any], str]] = {"dict": dumps, "openai": as_json}
