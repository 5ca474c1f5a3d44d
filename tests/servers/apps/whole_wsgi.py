"""Chats whose view opens the upstream and keeps what only its own thread may use; they run whole.

/MAKER: the decorator, the middleware around the same view without it, and Bottle; the upstream comes in the query.
"""

import logging
import sqlite3
from collections.abc import Iterator
from typing import Any

import bottle
import requests
from flask import Flask, Response, g, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from sse_bridge.flask import event_stream
from sse_bridge.wsgi import Middleware

NEVER = 60.0
EVENTS = "text/event-stream"

_log = logging.getLogger("sse_bridge")
_log.setLevel(logging.INFO)
_log.addHandler(logging.StreamHandler())


def chat(upstream: str) -> Iterator[str]:
    """Open the upstream at once, and relay it."""
    database = sqlite3.connect(":memory:")  # may be used by this thread only
    answer = requests.post(
        f"{upstream}/chat/completions",
        json={"model": "m", "stream": True, "messages": []},
        stream=True,
    )
    return relayed(database, answer)


def relayed(database: sqlite3.Connection, answer: requests.Response) -> Iterator[str]:
    try:
        for line in answer.iter_lines():
            database.execute("select 1").fetchone()
            if line:
                yield line.decode() + "\n\n"
    finally:
        answer.close()
        database.close()


def flask_app(**words: Any) -> Flask:
    app = Flask(__name__)

    @app.teardown_appcontext
    def close_notes(error: BaseException | None) -> None:
        if notes := g.pop("notes", None):
            notes.close()

    def view() -> Any:
        frames = chat(request.args["upstream"])
        if words:  # by itself Flask would close them before the stream begins
            g.notes = sqlite3.connect(":memory:")
            frames = noted(g.notes, frames)
        return Response(frames, mimetype=EVENTS, headers={"X-Own": "1"})

    app.add_url_rule("/", view_func=event_stream(**words)(view) if words else view)
    return app


def noted(notes: sqlite3.Connection, frames: Iterator[str]) -> Iterator[str]:
    for frame in frames:
        notes.execute("select 1").fetchone()  # closed, were the request's teardown over this
        yield frame


bottles = bottle.Bottle()


@bottles.get("/")
def bottled() -> Iterator[str]:
    bottle.response.content_type = EVENTS
    bottle.response.set_header("X-Own", "1")
    for frame in chat(bottle.request.query.upstream):
        assert bottle.request.query.upstream  # which is in a thread-local
        yield frame


@bottles.get("/page")
def page() -> str:
    return "a page"


app = DispatcherMiddleware(
    Flask("nothing here"),
    {
        "/decorated": flask_app(whole=True, hold=NEVER, ping=NEVER),
        "/late": flask_app(whole=True, hold=0.05, ping=0.1),
        "/wrapped": Middleware(flask_app(), whole=True, hold=NEVER, ping=NEVER),
        "/bottle": Middleware(bottles, hold=NEVER, ping=NEVER),
    },
)
