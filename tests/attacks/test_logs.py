"""Whoever reads the log reads no chat, and whoever chats writes no log: it quotes neither users nor models."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from sse_bridge import ServerSentEvent, UpstreamError, adapters, asgi, wsgi
from sse_bridge.adapters import plain
from sse_bridge.parts import Start

SECRET = "alice is ill\nCRITICAL forged"  # as a user, or a model, may write it
MARKS = ("alice", "forged")


@pytest.fixture(autouse=True)
def _levels(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(plain, "_event_warned", False)


def streamed(source: Any, **options: Any) -> None:
    """Stream these chunks; the status is out before the first of them, so that what fails goes to the log."""
    source = source if callable(source) else iter(source)
    with suppress(
        UpstreamError, ConnectionResetError
    ):  # a face's word for what failed at once, or was cut
        b"".join(wsgi.stream(source, {}, hold=0, **options))


def quoted(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The lines of the log, with the tracebacks, that quote the secret."""
    return [line for line in caplog.text.splitlines() if any(mark in line for mark in MARKS)]


class OwnReader:
    def reader(self, wish: Any) -> Any:
        return self

    name = "own"

    def read(self, chunk: Any) -> Any:
        return chunk

    def end(self) -> Any:
        return ()


class OwnVoice:
    name, headers, passes, takes_objects = "own", (), None, True

    def voice(self) -> Any:
        return lambda part: b"" if isinstance(part, Start) else str(part)


def half() -> Iterator[Any]:
    yield ServerSentEvent(SECRET + "\ud83d")


def no_json() -> Iterator[Any]:
    yield ServerSentEvent({"text": SECRET, "of": object()})


def chunk(**delta: Any) -> dict[str, Any]:
    return {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}


WHOLE = {"object": "chat.completion", "choices": [{"message": {"content": SECRET}}]}
STREAMS: dict[str, tuple[Any, dict[str, Any]]] = {
    "text that looks framed": ([f"data: {SECRET}\n\n"], {}),
    "a mapping that looks like an event": ([{"event": "x", "data": SECRET}], {}),
    "the fields of an answer": ([("id", SECRET)], {}),
    "a chunk that is a stream": ([iter([SECRET])], {}),
    "what openai's adapter cannot read": ([SECRET], {"adapter": "openai"}),
    "an object that is no chunk of openai's": ([{SECRET: SECRET}], {"adapter": "openai"}),
    "an answer that was never streamed": ([WHOLE], {"adapter": "openai"}),
    "what dashscope's adapter cannot read": (
        [{"text": SECRET}],
        {"adapter": adapters.DashScope(incremental_output=True)},
    ),
    "what is no frame": ([{"text": SECRET}], {"adapter": "frames"}),
    "a body that is no event stream": ([SECRET], {"adapter": "frames", "dialect": "openai"}),
    "an object where a model speaks": ([{SECRET: SECRET}], {"dialect": "openai"}),
    "an object that is no json": ([{"text": SECRET, SECRET: object()}], {}),
    "a number that is no json": ([{"text": SECRET, "x": float("nan")}], {}),
    "half a character in an event": (half, {}),
    "an event that is no json": (no_json, {}),
    "content of a kind of its own": ([chunk(content=[{"type": SECRET}])], {"dialect": "delta"}),
    "a field of its own": ([chunk(content="x", **{SECRET: SECRET})], {"dialect": "delta"}),
    "a reader that gives no parts": ([SECRET], {"adapter": OwnReader()}),
    "a voice that gives no bytes": ([SECRET], {"dialect": OwnVoice()}),
    "a callable that gives an answer": (lambda: SECRET, {}),
    "a callable that gives an answer in a dict": (lambda: {"text": SECRET}, {}),
}


@pytest.mark.parametrize("name", STREAMS)
def test_no_word_of_a_chat_comes_into_the_log(name: str, caplog: pytest.LogCaptureFixture):
    source, options = STREAMS[name]
    streamed(source, **options)
    assert any(record.levelno >= logging.WARNING for record in caplog.records)
    assert quoted(caplog) == []


# Names and kinds are told by their length alone, and an iterator says nothing of what is in it.
TOLD = sorted(
    STREAMS.keys()
    - {"a field of its own", "content of a kind of its own", "a chunk that is a stream"}
)


@pytest.mark.parametrize("name", TOLD)
def test_at_debug_the_words_are_there_for_whoever_asks(name: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    source, options = STREAMS[name]
    streamed(source, **options)
    [record, *_] = [record for record in caplog.records if "alice" in record.getMessage()]
    assert record.levelno == logging.DEBUG


def test_a_line_of_a_body_that_is_no_json_comes_not_into_the_log(caplog: pytest.LogCaptureFixture):
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "application/x-ndjson")])
        return iter([b'{"a":1}\n', SECRET.encode() + b"\n"])

    environ = {"REQUEST_METHOD": "GET", "HTTP_ACCEPT": "text/event-stream"}
    body = b"".join(wsgi.Middleware(app)(environ, lambda *started: None))
    assert b"event: error" in body
    assert "is not JSON" in caplog.text
    assert quoted(caplog) == []


def test_a_service_that_makes_up_fields_does_not_fill_the_log(caplog: pytest.LogCaptureFixture):
    chunks = [chunk(content="x", **{f"field_{number}": "y"}) for number in range(500)]
    streamed(iter(chunks), dialect="delta")
    assert 0 < len([record for record in caplog.records if "left out" in record.getMessage()]) < 50


# -- what comes with a request --------------------------------------------------------------------

FRAME = b"data: a\n\n"
HEADERS = {
    "an event stream that was read whole": [
        ("Content-Type", "text/event-stream"),
        ("Content-Length", str(len(FRAME))),
    ],
    "an event stream under another type": [("Content-Type", "text/plain")],
}


@pytest.mark.parametrize("name", HEADERS)
def test_no_word_of_a_path_comes_into_the_log_under_wsgi(
    name: str, caplog: pytest.LogCaptureFixture
):
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", list(HEADERS[name]))
        return iter([FRAME])

    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": f"/{SECRET}"}
    assert list(wsgi.Middleware(app)(environ, lambda *started: None)) == [FRAME]
    assert len(caplog.records) == 1
    assert quoted(caplog) == []


@pytest.mark.parametrize("name", HEADERS)
def test_no_word_of_a_path_comes_into_the_log_under_asgi(
    name: str, caplog: pytest.LogCaptureFixture
):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raw = [(field.lower().encode(), value.encode()) for field, value in HEADERS[name]]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        await send({"type": "http.response.body", "body": FRAME})

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        pass

    scope = {"type": "http", "method": "GET", "path": f"/{SECRET}", "headers": []}
    asyncio.run(asgi.Middleware(app)(scope, receive, send))
    assert len(caplog.records) == 1
    assert quoted(caplog) == []


def test_a_route_of_flask_is_told_by_its_name_and_not_by_the_users(
    caplog: pytest.LogCaptureFixture,
):
    flask = pytest.importorskip("flask")
    from sse_bridge.flask import event_stream

    app = flask.Flask(__name__)

    @app.get("/whole/<user>")
    def whole(user: str) -> Any:
        return flask.Response(
            [FRAME], content_type="text/event-stream", headers={"Content-Length": "9"}
        )

    @app.get("/live/<user>")
    @event_stream
    def live(user: str) -> Any:
        yield "a"

    @app.after_request
    def read(response: Any) -> Any:
        response.get_data()
        return response

    app.wsgi_app = wsgi.Middleware(app.wsgi_app)  # type: ignore[method-assign]
    for path in ("whole", "live"):
        app.test_client().get(f"/{path}/alice").get_data()
    told = [record.getMessage() for record in caplog.records if record.name == "sse_bridge"]
    assert [
        next(word for word in ("route whole", "route live") if word in line) for line in told
    ] == [
        *("route whole", "route live"),
    ]
    assert quoted(caplog) == []


def test_a_route_of_starlette_is_told_by_its_name_and_not_by_the_users(
    caplog: pytest.LogCaptureFixture,
):
    responses = pytest.importorskip("starlette.responses")
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route
    from starlette.testclient import TestClient

    async def whole(request: Any) -> Any:
        return responses.Response(FRAME, media_type="text/event-stream")

    routes = [Mount("/inner", routes=[Route("/{user}", whole)])]
    app = asgi.Middleware(Starlette(routes=routes))
    assert TestClient(app).get("/inner/alice").content == FRAME
    [told] = [record.getMessage() for record in caplog.records if record.name == "sse_bridge"]
    assert ".whole has a Content-Length" in told
