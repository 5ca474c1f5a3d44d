"""This library in Starlette, with its defaults: pings, hold, and the watch on the disconnect."""

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.work import Work
from sse_bridge.dialects import DialectName
from sse_bridge.starlette import EventSourceResponse


def app(work: Work) -> ASGIApp:
    dialect: DialectName = "openai" if work.kind == "openai" else "plain"

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        response = EventSourceResponse(work.source(), dialect=dialect)
        await response(scope, receive, send)

    return respond
