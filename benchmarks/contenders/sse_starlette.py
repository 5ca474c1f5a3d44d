"""sse-starlette, with its defaults: a ping every 15 seconds and a watch on the disconnect."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from sse_starlette import EventSourceResponse, JSONServerSentEvent
from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.work import Kind, Work, as_json


def app(work: Work) -> ASGIApp:
    events = sync_events if work.mode == "sync" else async_events

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        # Text needs no encoding: the source itself is what a user would hand over.
        source = work.source() if work.kind == "str" else events(work)
        await EventSourceResponse(source)(scope, receive, send)

    return respond


def sync_events(work: Work) -> Iterator[Any]:
    to_event = ENCODERS[work.kind]
    for chunk in work.source():
        yield to_event(chunk)


async def async_events(work: Work) -> AsyncIterator[Any]:
    to_event = ENCODERS[work.kind]
    async for chunk in work.source():
        yield to_event(chunk)


ENCODERS: dict[Kind, Callable[[Any], Any]] = {"dict": JSONServerSentEvent, "openai": as_json}
