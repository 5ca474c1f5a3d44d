"""The soaked server in Flask."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from openai import RateLimitError

from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.loops.background import background_home

from .sources import RefusedError, all_told, books, options, source, told

app = Flask(__name__)


@app.errorhandler(RefusedError)
@app.errorhandler(RateLimitError)
def refused(error: Exception) -> Any:
    return "no", 429


@app.get("/streams/<kind>/<place>/<way>")
def stream(kind: str, place: str, way: str) -> Any:
    number = int(request.args["number"])
    made, words = source(kind, place, way), options(number, way, request.args["dialect"])
    if number % 3:
        return EventSourceResponse(made, **words)
    return event_stream(**words)(lambda: made)()


@app.get("/told/<int:number>")
def one_told(number: int) -> str:
    return told(number)


@app.get("/told")
def everything_told() -> Any:
    return all_told()


@app.get("/books")
def all_books() -> Any:
    home: Any = background_home()
    return books(home.loop)
