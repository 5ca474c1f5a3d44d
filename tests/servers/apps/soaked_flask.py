"""The soak in Flask."""

import asyncio
import logging
from typing import Any

from flask import Flask
from soaked import SOURCES_BY_KIND, RefusedError, books, options

from sse_bridge.drivers.threads import background_home
from sse_bridge.flask import EventSourceResponse

logging.basicConfig(level=logging.INFO)
app = Flask(__name__)


@app.errorhandler(RefusedError)
def refused(error: RefusedError) -> Any:
    return "no", 429


@app.get("/<kind>/<way>")
def stream(kind: str, way: str) -> Any:
    return EventSourceResponse(SOURCES_BY_KIND[kind](way), **options(way))


@app.get("/books")
def told() -> Any:
    home: Any = background_home()
    return books(len(asyncio.all_tasks(home.loop)))
