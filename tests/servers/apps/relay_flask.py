"""A chat endpoint in Flask that relays a real SDK's stream."""

from typing import Any

import openai
from census import census
from flask import Flask, request
from relay import CLIENTS, relay

from sse_bridge import UpstreamError
from sse_bridge.flask import EventSourceResponse
from sse_bridge.loops.background import background_home

app = Flask(__name__)


@app.errorhandler(openai.RateLimitError)
def slow_down(error: openai.RateLimitError) -> Any:
    return {"told": "slow down"}, 429


@app.errorhandler(UpstreamError)
def upstream(error: UpstreamError) -> Any:
    return {"told": error.code}, error.status_code or 502


@app.post("/<kind>/chat/completions")
def chat(kind: str) -> Any:
    source, options = relay(kind, request.args)
    return EventSourceResponse(source, **options)


@app.get("/census")
def open_now() -> Any:
    home: Any = background_home()
    return census(home.loop, CLIENTS)
