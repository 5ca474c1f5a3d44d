"""What both type checkers refuse: each line that ends in `# wrong`, and no other."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Flask

from sse_bridge import asgi, flask, starlette, wsgi

app = Flask(__name__)


def letters(number: int) -> Iterator[str]:
    yield "a" * number


class NoDialect:
    name = "none"


flask.EventSourceResponse(42)  # wrong
starlette.EventSourceResponse(42)  # wrong
asgi.EventStream(42)  # wrong
wsgi.EventStream(42)  # wrong
wsgi.stream(42, {})  # wrong
starlette.EventSourceResponse(lambda: 42)  # wrong
flask.EventSourceResponse(letters)  # wrong

flask.EventSourceResponse([], dialect="klingon")  # wrong
starlette.EventSourceResponse([], adapter="dashscope")  # wrong
asgi.EventStream([], dialect=NoDialect())  # wrong
wsgi.EventStream([], ping_form="lines")  # wrong
wsgi.headers("klingon")  # wrong

flask.EventSourceResponse([], pings=5)  # wrong
starlette.event_stream(ping="5")  # wrong
flask.event_stream(background=None)  # wrong

flask.event_stream("delta")  # wrong
starlette.event_stream("delta")  # wrong
flask.event_stream(letters)("three")  # wrong
starlette.event_stream(ping=5)(letters)("three")  # wrong
