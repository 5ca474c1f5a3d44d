"""Streams whose sources cannot be stopped, in Flask and in Starlette, with room for four."""

import contextlib
import threading
import time
from collections.abc import Iterator

from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sse_bridge.flask import event_stream
from sse_bridge.starlette import EventSourceResponse

ROOM = 4
free = threading.Event()


def stuck() -> Iterator[str]:
    """It hears nothing for as long as it sleeps."""
    yield "begun"
    while not free.is_set():
        with contextlib.suppress(BaseException):
            time.sleep(0.05)


def threads() -> str:
    """How many there are of ours."""
    return str(sum("sse_bridge source" in thread.name for thread in threading.enumerate()))


flask = Flask(__name__)
flask.get("/stuck")(event_stream(max_streams=ROOM, cleanup_timeout=0)(stuck))
flask.get("/threads", endpoint="threads")(threads)


async def stuck_response(request: Request) -> Response:
    return EventSourceResponse(stuck(), max_streams=ROOM, cleanup_timeout=0)


async def threads_response(request: Request) -> Response:
    return PlainTextResponse(threads())


starlette = Starlette(routes=[Route("/stuck", stuck_response), Route("/threads", threads_response)])
