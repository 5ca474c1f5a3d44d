"""A body of any bytes, typed as an event stream, cut anywhere: with pings between, it arrives as those bytes.

Through the decorators and both middlewares, whatever the bytes are: frames, half of them, text, anything at all.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.routing import Route, Router

from sse_bridge import asgi, starlette, wsgi
from sse_bridge.flask import event_stream
from wsgi_server import Server

EVENTS = "text/event-stream"
LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+$")
SOON = 1e-9  # seconds: whenever nothing is ready, a ping is due

Pieces = list[bytes]
Ask = Callable[[Pieces, str], bytes]

# What streams are made of, and what they are not.
WORDS = st.sampled_from(
    [
        b"data: a\n\n",
        b"data: ",
        b"\n",
        b"\r\n",
        b"\r",
        b"a",
        b"id: 1\n",
        b"event: x\n",
        b": c\n",
        b"{}",
        b"\xff",
    ]
)
BODIES = st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=12).filter(
    lambda pieces: b"ping" not in b"".join(pieces)
)
ACCEPTS = st.sampled_from(["", EVENTS])


def by_flask(pieces: Pieces, accept: str, hold: float = 0, **words: Any) -> bytes:
    app = Flask(__name__)
    app.add_url_rule(
        "/",
        view_func=event_stream(ping=SOON, hold=hold, **words)(
            lambda: Response(iter(pieces), mimetype=EVENTS)
        ),
    )
    return app.test_client().get("/", headers={"Accept": accept}).data


def by_wsgi(pieces: Pieces, accept: str, **words: Any) -> bytes:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", EVENTS)])
        return iter(pieces)

    return Server(HTTP_ACCEPT=accept).run(wsgi.Middleware(app, ping=SOON, hold=0, **words)).body


async def asked(app: Any, accept: str) -> bytes:
    told: Pieces = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"accept", accept.encode())],
    }

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        told.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(told)


def by_asgi(pieces: Pieces, accept: str) -> bytes:
    async def body() -> Any:
        for piece in pieces:
            await asyncio.sleep(0)
            yield piece

    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(body(), media_type=EVENTS)

    app = asgi.Middleware(Router([Route("/", endpoint)]), ping=SOON, hold=0)
    return asyncio.run(asked(app, accept))


def by_starlette(pieces: Pieces, accept: str) -> bytes:
    @starlette.event_stream(ping=SOON, hold=0)
    async def endpoint(request: Request) -> StreamingResponse:
        return StreamingResponse(iter(pieces), media_type=EVENTS)

    return asyncio.run(asked(Router([Route("/", endpoint)]), accept))


WAYS: dict[str, Ask] = {
    "flask's decorator": by_flask,
    "flask's decorator, whole": lambda *asked: by_flask(*asked, whole=True, hold=5),
    "wsgi middleware": by_wsgi,
    "wsgi middleware, whole": lambda *asked: by_wsgi(*asked, whole=True),
    "asgi middleware": by_asgi,
    "starlette's decorator": by_starlette,
}


def without_pings(told: bytes, accept: str) -> bytes:
    """An empty line follows a ping, but within an event, behind an id, and for who asks for event streams."""
    rest, within, one_line = b"", False, accept == EVENTS
    lines = iter(LINE.findall(told))
    for line in lines:
        if line != b": ping\n":
            rest += line
            within = line.strip(b"\r\n") != b""
            one_line |= line.startswith(b"id")
        elif not within and not one_line:
            assert next(lines) == b"\n"
    return rest


@pytest.mark.parametrize("way", WAYS)
@settings(deadline=None)
@given(pieces=BODIES, accept=ACCEPTS)
def test_any_bytes_arrive_as_they_are(way: str, pieces: Pieces, accept: str):
    told, body = WAYS[way](pieces, accept), b"".join(pieces)
    # But for a byte order mark, which is no more at the beginning if something of ours comes before it.
    assert without_pings(told, accept) in (body, body.removeprefix(codecs.BOM_UTF8))
