"""The bare WSGI face."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from werkzeug.test import Client

from sse_bridge import UpstreamError
from sse_bridge.adapters import DashScope
from sse_bridge.registry import TooManyStreams, streams
from sse_bridge.wsgi import EventStream, headers, stream

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
BODY = b"data: a\n\ndata: b\n\n" + DONE


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


def environ(**more: Any) -> dict[str, Any]:
    made: dict[str, Any] = dict(more)
    setup_testing_defaults(made)
    return made


def generator() -> Iterator[str]:
    yield from ["a", "b"]


async def async_generator() -> AsyncIterator[str]:
    yield "a"
    await asyncio.sleep(0)
    yield "b"


async def coroutine() -> Any:
    return async_generator()


@pytest.mark.parametrize("make", [generator, async_generator, coroutine, lambda: ["a", "b"]])
def test_a_source_becomes_an_iterator_of_bytes_with_close(make: Any):
    body = stream(make(), environ())
    assert b"".join(body) == BODY
    body.close()  # type: ignore[attr-defined]
    body.close()  # type: ignore[attr-defined]


def test_headers_are_pairs_for_start_response():
    assert headers() == [
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-cache, no-transform"),
        ("X-Accel-Buffering", "no"),
    ]
    assert headers(dialect="openai") == headers()


def test_headers_refuse_an_unknown_dialect():
    with pytest.raises(ValueError, match="'klingon'"):
        headers(dialect="klingon")


def test_the_call_waits_out_hold_and_raises():
    def source() -> Iterator[str]:
        raise LookupError("early")
        yield

    with pytest.raises(LookupError, match="early"):
        stream(source(), environ())


def test_the_call_raises_a_failure_told_in_band():
    chunk = {"status_code": 401, "code": "InvalidApiKey", "message": "m", "output": None}
    with pytest.raises(UpstreamError) as caught:
        stream([chunk], environ(), adapter=DashScope(incremental_output=True))
    assert (caught.value.status_code, caught.value.retryable) == (401, False)


def test_the_call_raises_at_max_streams():
    with pytest.raises(TooManyStreams):
        stream(generator(), environ(), max_streams=0)


def test_for_head_there_is_no_body_and_the_source_is_closed():
    source = generator()
    body = stream(source, environ(REQUEST_METHOD="HEAD"))
    assert list(body) == []
    body.close()  # type: ignore[attr-defined]
    assert getattr(source, "gi_frame") is None  # noqa: B009


@pytest.mark.parametrize("source", ["text", 5, {"a": 1}])
def test_what_is_no_source_is_told_at_once(source: Any):
    with pytest.raises(TypeError, match="source"):
        stream(source, environ())


# -- the app --------------------------------------------------------------------------------------


def test_an_app_calls_a_callable_with_each_requests_environ():
    app = EventStream(lambda environ: [environ["PATH_INFO"]])
    client = Client(validator(app))
    assert client.get("/one", buffered=True).data == b"data: /one\n\n" + DONE
    assert client.get("/two", buffered=True).data == b"data: /two\n\n" + DONE


def test_an_app_streams_an_async_generator_function():
    async def source(environ: dict[str, Any]) -> AsyncIterator[str]:
        yield environ["REQUEST_METHOD"]

    assert Client(EventStream(source)).post("/").data == b"data: POST\n\n" + DONE


def test_an_app_that_was_given_a_source_serves_one_request():
    client = Client(EventStream(generator()))
    assert client.get("/").data == BODY
    with pytest.raises(RuntimeError, match="serves one request"):
        client.get("/")


def test_an_apps_status_and_headers_are_the_users():
    app = EventStream(
        lambda environ: generator(), status="202 Accepted", headers={"cache-control": "x"}
    )
    response = Client(app).get("/", buffered=True)
    assert response.status == "202 Accepted"
    assert response.headers.getlist("Cache-Control") == ["x"]


def test_an_app_answers_head_without_a_body():
    response = Client(EventStream(lambda environ: generator())).head("/")
    assert (response.status_code, response.data) == (200, b"")
    assert response.mimetype == "text/event-stream"


def test_an_app_answers_a_reconnect_after_a_finished_stream_with_204():
    def never(environ: Any) -> Any:
        raise AssertionError

    response = Client(EventStream(never)).get("/", headers={"Last-Event-ID": "[DONE]"})
    assert (response.status_code, response.data) == (204, b"")


def test_an_app_answers_503_at_max_streams():
    response = Client(EventStream(lambda environ: generator(), max_streams=0)).get("/")
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_an_early_failure_leaves_the_status_to_the_server():
    def source(environ: Any) -> Any:
        raise LookupError("early")

    with pytest.raises(LookupError):
        Client(EventStream(source)).get("/")
