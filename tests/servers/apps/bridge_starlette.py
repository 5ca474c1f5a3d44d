"""The story in Starlette: /sync/NAME and /async/NAME."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from story import RUNS, source_for, stream_options

from sse_bridge.starlette import EventSourceResponse


async def story(request: Request) -> Response:
    kind, name = request.path_params["kind"], request.path_params["name"]
    options = dict(request.query_params)
    return EventSourceResponse(source_for(name, kind, options), **stream_options(options))


def health(request: Request) -> Response:
    return PlainTextResponse("well")


def runs(request: Request) -> Response:
    return PlainTextResponse(str(RUNS[request.query_params["key"]]))


routes = [
    Route("/{kind}/{name}", story, methods=["GET", "POST"]),
    Route("/runs", runs),
    Route("/health", health),
]
app = Starlette(routes=routes)
