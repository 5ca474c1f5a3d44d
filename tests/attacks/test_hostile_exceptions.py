"""Somebody raises an exception that does harm to whoever looks at it: the client hears of its end all the same."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from hostile_errors import ERRORS, HEADER_VALUES, with_headers
from sse_bridge import Decoder, Ending, Summary
from sse_bridge.drivers.plain import adrive, drive
from sse_bridge.failures import diagnose, retry_after
from sse_bridge.options import Options
from sse_bridge.registry import streams
from sse_bridge.testing import Client
from streams import started

TELLS = re.compile(
    rb'event: error\ndata: \{"code":"[a-z_]+","message":"The answer was interrupted by an error.",'
    rb'"retryable":(true|false)\}\n\n\Z'
)


@pytest.mark.parametrize("kind", ERRORS)
def test_a_hostile_exception_has_a_diagnosis_in_our_own_words(kind: str):
    diagnosis = diagnose(ERRORS[kind]())
    assert type(diagnosis.code) is str
    assert re.fullmatch("[a-z_]+", diagnosis.code)
    assert type(diagnosis.status_code) is int
    assert diagnosis.status_code in range(400, 600)
    assert type(diagnosis.retryable) is type(diagnosis.is_upstream) is bool


@pytest.mark.parametrize("kind", ERRORS)
def test_a_hostile_exception_does_not_escape_the_stream(kind: str):
    stream, error = started(), ERRORS[kind]()
    written = stream.feed(["a"], 0.0) + stream.fail(error, 1.0)
    assert stream.ending is Ending.FAILED
    assert not stream.cut
    assert written.startswith(b"data: a\n\n")
    assert TELLS.search(written)
    assert stream.summary(1.0).error is error


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
@pytest.mark.parametrize("kind", ERRORS)
def test_a_hostile_exception_cannot_break_out_of_its_frame(kind: str, dialect: str):
    stream = started(dialect=dialect)
    events = Decoder().feed(stream.feed(["a"], 0.0) + stream.fail(ERRORS[kind](), 1.0))
    assert {event.event for event in events} <= {None, "delta", "error"}
    for event in events:
        assert event.data == "[DONE]" or "stolen" not in event.data
        assert event.data in ("a", "[DONE]") or isinstance(json.loads(event.data), dict)


@pytest.mark.parametrize("value", HEADER_VALUES)
def test_a_hostile_retry_after_is_text_or_nothing(value: str):
    told = retry_after(with_headers({"retry-after": HEADER_VALUES[value]}))
    assert told is None or type(told) is str


def breaking(error: BaseException, *before: Any) -> Iterator[Any]:
    yield from before
    raise error


@pytest.mark.parametrize("kind", ERRORS)
def test_the_plain_driver_ends_well_for_a_hostile_exception(kind: str):
    said = b"".join(drive(breaking(ERRORS[kind](), "a"), Options()))
    assert TELLS.search(said)


@pytest.mark.parametrize("kind", ERRORS)
def test_the_plain_driver_raises_the_very_hostile_exception_that_came_first(kind: str):
    error = ERRORS[kind]()
    raised: BaseException | None = None
    try:
        list(drive(breaking(error), Options()))
    except BaseException as caught:
        raised = caught
    assert raised is error


def test_a_message_of_a_hundred_megabytes_costs_no_answer():
    said = b"".join(drive(breaking(RuntimeError("x" * 100_000_000), "a"), Options()))
    assert len(said) < 300


@pytest.mark.parametrize("kind", ERRORS)
def test_the_plain_driver_ends_well_in_a_loop_too(kind: str):
    error = ERRORS[kind]()

    async def source() -> Any:
        yield "a"
        raise error

    async def all_of() -> bytes:
        return b"".join([piece async for piece in adrive(source(), Options())])

    assert TELLS.search(asyncio.run(all_of()))


# -- both worlds -----------------------------------------------------------------------------------


def flask_app(make: Any, before: tuple[str, ...], **options: Any) -> Any:
    import flask

    from sse_bridge.flask import event_stream

    app = flask.Flask("hostile")

    @app.route("/")
    @event_stream(**options)
    def answer() -> Iterator[str]:
        yield from before
        raise make()

    return app


def starlette_app(make: Any, before: tuple[str, ...], **options: Any) -> Any:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from sse_bridge.starlette import event_stream

    @event_stream(**options)
    async def answer(request: Any) -> Any:
        for text in before:
            yield text
        raise make()

    return Starlette(routes=[Route("/", answer)])


def wsgi_app(make: Any, before: tuple[str, ...], **options: Any) -> Any:
    from sse_bridge.wsgi import Middleware

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return body()

    def body() -> Iterator[bytes]:
        for text in before:
            yield f"data: {text}\n\n".encode()
        raise make()

    return Middleware(app, **options)


def asgi_app(make: Any, before: tuple[str, ...], **options: Any) -> Any:
    from sse_bridge.asgi import Middleware

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for text in before:
            await send(
                {
                    "type": "http.response.body",
                    "body": f"data: {text}\n\n".encode(),
                    "more_body": True,
                }
            )
        raise make()

    return Middleware(app, **options)


WORLDS = {"flask": flask_app, "starlette": starlette_app, "wsgi": wsgi_app, "asgi": asgi_app}


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", ERRORS)
def test_a_hostile_exception_in_the_middle_is_told_to_the_client_and_to_on_end(
    kind: str, world: str
):
    ended: list[Summary] = []
    app = WORLDS[world](ERRORS[kind], ("a",), on_end=ended.append)
    with Client(app, raise_app_exceptions=False) as client, client.stream("GET", "/") as stream:
        stream.read()
        assert stream.status_code == 200
        assert TELLS.search(stream.body)
    assert [summary.ending for summary in ended] == [Ending.FAILED]
    assert streams.open == 0


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("kind", ERRORS)
def test_a_hostile_exception_before_the_first_word_is_answered_with_a_status(kind: str, world: str):
    ended: list[Summary] = []
    app = WORLDS[world](ERRORS[kind], (), on_end=ended.append)
    with Client(app, raise_app_exceptions=False) as client, client.stream("GET", "/") as stream:
        assert stream.status_code >= 429
        assert "stolen" not in str(stream.headers)
        assert b"secret" not in stream.body
    assert [summary.ending for summary in ended] == [Ending.FAILED]
    assert streams.open == 0


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("value", HEADER_VALUES)
def test_a_hostile_retry_after_leaves_the_status_as_it_is(value: str, world: str):
    app = WORLDS[world](lambda: with_headers({"retry-after": HEADER_VALUES[value]}), ())
    with Client(app, raise_app_exceptions=False) as client, client.stream("GET", "/") as stream:
        assert stream.status_code == 429
        assert stream.headers.get("retry-after", "1").isascii()
