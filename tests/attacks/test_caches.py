"""Whoever fills a shared cache with an answer that others then get: what depends on `Accept` says so in `Vary`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from sse_bridge import UpstreamError, asgi, wsgi

LINES = ("Content-Type", "application/x-ndjson")
ASKS = "text/event-stream"


class Answer(NamedTuple):
    """The status, and the values of all its Vary headers."""

    status: int
    vary: list[str]


def over_wsgi(headers: Any, body: Any, asked: Any, options: Any, status: int = 200) -> Answer:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(f"{status} OK", list(headers))
        return body()

    def start_response(line: str, headers: Any, *exc_info: Any) -> None:
        told.append(Answer(int(line[:3]), _vary(headers)))

    told: list[Answer] = []
    method = asked.pop("method", "GET")
    words = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in asked.items()}
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/", **words}
    result = wsgi.Middleware(app, **options)(environ, start_response)
    list(result)
    getattr(result, "close", lambda: None)()
    return told[-1]


def over_asgi(headers: Any, body: Any, asked: Any, options: Any, status: int = 200) -> Answer:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": status, "headers": raw})
        for piece in body():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        if told:  # the request's body has been read
            await asyncio.Event().wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            pairs = [(name.decode(), value.decode()) for name, value in message["headers"]]
            told.append(Answer(message["status"], _vary(pairs)))

    told: list[Answer] = []
    method = asked.pop("method", "GET")
    raw = [(name.encode(), value.encode()) for name, value in asked.items()]
    scope = {"type": "http", "method": method, "path": "/", "headers": raw}
    asyncio.run(asgi.Middleware(app, **options)(scope, receive, send))
    return told[-1]


def _vary(headers: Any) -> list[str]:
    return [value for name, value in headers if name.lower() == "vary"]


def lines() -> list[bytes]:
    return [b'{"a":1}\n']


def failing() -> Any:
    raise UpstreamError("No.", status_code=503)
    yield b""


Ask = Callable[..., Answer]
ways = pytest.mark.parametrize("way", [over_wsgi, over_asgi])


@ways
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_lines_that_a_cache_has_are_not_given_to_a_client_that_asks_for_events(
    way: Ask, method: str
):
    for accept in ("*/*", "application/x-ndjson", "text/event-stream;q=0"):
        asked = {"accept": accept, "method": method}
        assert way([LINES], lines, asked, {}) == (200, ["Accept"])
    assert way([LINES], lines, {}, {}) == (200, ["Accept"])


@ways
def test_events_that_a_cache_has_are_not_given_to_a_client_that_asks_for_lines(way: Ask):
    assert way([LINES], lines, {"accept": ASKS}, {}) == (200, ["Accept"])


@ways
@pytest.mark.parametrize(
    "told, wanted",
    [("Cookie", "Cookie, Accept"), ("accept, Cookie", "accept, Cookie"), ("*", "*")],
)
@pytest.mark.parametrize("accept", ["*/*", ASKS])
def test_what_an_app_varies_by_itself_is_kept(way: Ask, told: str, wanted: str, accept: str):
    answer = way([LINES, ("Vary", told)], lines, {"accept": accept}, {})
    assert answer == (200, [wanted])


@ways
def test_a_failure_that_a_cache_has_is_not_given_to_a_client_that_would_get_lines(way: Ask):
    assert way([LINES], failing, {"accept": ASKS}, {}) == (503, ["Accept"])


@ways
def test_a_refusal_that_a_cache_has_is_not_given_to_a_client_that_would_get_lines(way: Ask):
    assert way([LINES], lines, {"accept": ASKS}, {"max_streams": 0}) == (503, ["Accept"])


@ways
def test_the_end_of_one_clients_reconnects_is_not_given_to_others(way: Ask):
    asked = {"accept": ASKS, "last-event-id": "[DONE]"}
    answer = way([LINES], lines, asked, {"end": True})
    assert answer == (204, ["Accept, Last-Event-ID"])


@ways
@pytest.mark.parametrize(
    "headers, status",
    [
        ([("Content-Type", "text/html")], 200),
        ([LINES], 404),
        ([LINES, ("Content-Encoding", "gzip")], 200),
    ],
)
def test_what_is_the_same_for_all_is_left_to_caches_as_it_is(way: Ask, headers: Any, status: int):
    assert way(headers, lines, {"accept": "*/*"}, {}, status) == (status, [])
