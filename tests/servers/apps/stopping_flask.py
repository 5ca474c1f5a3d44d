"""A Flask app for a server that stops; `/by-hand` is for the middleware around it."""

import os
from typing import Any

from flask import Flask, Response, request
from stopping import frames, options_for, source_for

from sse_bridge.flask import EventSourceResponse
from sse_bridge.wsgi import Middleware

app = Flask(__name__)
wrapped = Middleware(app, **options_for({"who": "by hand"}))


@app.get("/<kind>/<name>")
def stream(kind: str, name: str) -> Any:
    source = source_for(name, kind, request.args)
    return EventSourceResponse(source, **options_for(request.args))


@app.get("/by-hand")
def by_hand() -> Any:
    return Response(frames(request.args.to_dict()), mimetype="text/event-stream")


@app.get("/process")
def process() -> str:
    return str(os.getpid())
