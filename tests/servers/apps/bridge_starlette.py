"""The story in Starlette: /sync/NAME and /async/NAME."""

from gates import gate
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from story import ENDINGS, PINGS, RUNS, resident, source_for, stream_options

from sse_bridge.starlette import EventSourceResponse


async def story(request: Request) -> Response:
    kind, name = request.path_params["kind"], request.path_params["name"]
    options = dict(request.query_params)
    return EventSourceResponse(source_for(name, kind, options), **stream_options(options))


def health(request: Request) -> Response:
    return PlainTextResponse("well")


def runs(request: Request) -> Response:
    return PlainTextResponse(str(RUNS[request.query_params["key"]]))


async def block(request: Request) -> Response:
    """Block the whole loop, until the test permits the end."""
    with gate(request.query_params["gate"]) as wait:
        wait()
    return PlainTextResponse("over")


def ending(request: Request) -> Response:
    return PlainTextResponse(ENDINGS.get(request.query_params["key"], ""))


def pings(request: Request) -> Response:
    return PlainTextResponse(str(PINGS.get(request.query_params["key"], "")))


def memory(request: Request) -> Response:
    return PlainTextResponse(str(resident()))


routes = [
    Route("/{kind}/{name}", story, methods=["GET", "POST"]),
    Route("/runs", runs),
    Route("/block", block),
    Route("/ending", ending),
    Route("/pings", pings),
    Route("/memory", memory),
    Route("/health", health),
]
app = Starlette(routes=routes)
