"""Streams beside requests' bodies: unread, read within the stream, and refused by the app's own limit.

`app` is plain Flask; `whole` the same view behind the middleware, which runs the app on a thread of its own.
"""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from flask import Flask, Response, request
from gates import async_gate
from story import resident

from sse_bridge.flask import EventSourceResponse
from sse_bridge.wsgi import Middleware

LIMIT = 1_000_000  # bytes

app = Flask(__name__)
app.config["MAX_CONTENT_LENGTH"] = LIMIT


@app.post("/unread")
def unread() -> Any:
    return EventSourceResponse(["one", "two"])


@app.post("/silent")
def silent() -> Any:
    return EventSourceResponse(waiting(request.args["gate"]), ping=0.1)


@app.post("/counted")
def counted() -> Any:
    """The source reads the body, which may be larger than what Flask lets the view have."""
    body = request.environ["wsgi.input"]
    return EventSourceResponse(count(body))


@app.post("/limited")
def limited() -> Any:
    """The view reads it, as far as Flask lets it."""
    size = len(request.get_data())
    return Response((f"data: {size}\n\n" for _ in range(1)), mimetype="text/event-stream")


@app.get("/memory")
def memory() -> str:
    return str(resident())


@app.get("/health")
def health() -> str:
    return "well"


async def waiting(port: str) -> AsyncIterator[str]:
    async with async_gate(port) as wait:
        yield "one"
        await wait()


def count(body: Any) -> Iterator[str]:
    yield "one"
    size = 0
    while data := body.read(10_000):
        size += len(data)
    yield str(size)


whole = Middleware(app, whole=True)
