"""The same app in Flask and in Starlette, for those who attack a real server: each stream says its own name.

/named/NAME, /silent/NAME (one word, then blocked), /flood/NAME (as fast as it is taken), /stubborn/NAME (goes on
when it is closed), each with `?kind=async`; /ended tells how each stream ended, by its name;
/fork has a child close all bodies that it finds.
With `GRACE` in the environment, in seconds, streams are ended when the server stops.
"""

import asyncio
import gc
import os
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from flask import Flask, jsonify, request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from stopping import stop_on_signal

from sse_bridge.flask import EventSourceResponse as FlaskResponse
from sse_bridge.registry import streams
from sse_bridge.starlette import EventSourceResponse as StarletteResponse

TICK = 0.01  # seconds
ENDED: defaultdict[str, list[str]] = defaultdict(list)


def named(name: str) -> Iterator[str]:
    while True:
        yield name
        time.sleep(TICK)


def silent(name: str) -> Iterator[str]:
    yield name
    threading.Event().wait(60)


def flood(name: str) -> Iterator[str]:
    while True:
        yield name * 1000


def stubborn(name: str) -> Iterator[str]:
    while True:
        try:
            yield name
            time.sleep(TICK)
        except GeneratorExit:
            pass


async def async_named(name: str) -> AsyncIterator[str]:
    while True:
        yield name
        await asyncio.sleep(TICK)


async def async_silent(name: str) -> AsyncIterator[str]:
    yield name
    await asyncio.sleep(60)


async def async_flood(name: str) -> AsyncIterator[str]:
    while True:
        yield name * 1000


async def async_stubborn(name: str) -> AsyncIterator[str]:
    """Once: whoever does so for ever keeps asyncio itself from ending."""
    try:
        while True:
            yield name
            await asyncio.sleep(TICK)
    except asyncio.CancelledError:
        await asyncio.sleep(60)


SOURCES: dict[str, Callable[[str], Any]] = {
    "named": named,
    "silent": silent,
    "flood": flood,
    "stubborn": stubborn,
    "async named": async_named,
    "async silent": async_silent,
    "async flood": async_flood,
    "async stubborn": async_stubborn,
}


def stream(make: Any, way: str, name: str, query: Any) -> Any:
    source = SOURCES[f"async {way}" if query.get("kind") == "async" else way](name)

    def on_end(summary: Any) -> None:
        ENDED[name].append(str(summary.ending))

    return make(source, on_end=on_end, cleanup_timeout=0.3)


def ended() -> dict[str, Any]:
    return {"open": streams.open, "ended": ENDED}


flask_app = Flask(__name__)
stop_on_signal()


@flask_app.route("/<way>/<name>", methods=["GET", "POST"])
def flask_stream(way: str, name: str) -> Any:
    return stream(FlaskResponse, way, name, request.args)


@flask_app.get("/ended")
def flask_ended() -> Any:
    return jsonify(ended())


@flask_app.get("/fork")
def flask_fork() -> Any:
    child = os.fork()
    if child == 0:
        found = [thing for thing in gc.get_objects() if type(thing).__name__ == "_Body"]
        for body in found:
            body.close()
        os._exit(len(found))
    return str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    stop_on_signal()
    yield


async def starlette_stream(request: Request) -> Response:
    way, name = request.path_params["way"], request.path_params["name"]
    made: Response = stream(StarletteResponse, way, name, request.query_params)
    return made


async def starlette_ended(_: Request) -> Response:
    return JSONResponse(ended())


starlette_app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/ended", starlette_ended),
        Route("/{way}/{name}", starlette_stream, methods=["GET", "POST"]),
    ],
)
