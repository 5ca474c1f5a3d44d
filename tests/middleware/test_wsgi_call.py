"""What an app may do with `start_response` and `write`, and when."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sse_bridge import Decoder, Summary
from sse_bridge.registry import streams
from sse_bridge.wsgi import Middleware
from wrapped import ASKS, EVENTS, FRAMES, LINES, PLAIN, Result, answering, checked
from wsgi_server import App, Server


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


def starting_anew(start_response: Any, *headers: tuple[str, str]) -> Iterator[bytes]:
    """A result that wants to be another answer instead of its first frame."""
    try:
        raise LookupError("inside")
    except LookupError:
        start_response("500 Oh", list(headers), sys.exc_info())
    yield b"error page"


@pytest.mark.parametrize("kind", [PLAIN, EVENTS])
def test_a_result_that_starts_anew_instead_of_its_first_frame_is_raised(kind: Any):
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        return starting_anew(start_response, kind)

    server = Server()
    with pytest.raises(LookupError, match="inside"):
        server.open(Middleware(app))
    assert server.told == []


def test_a_generator_that_starts_anew_before_its_first_item_is_that_answer():
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        yield from starting_anew(start_response, PLAIN)

    server = Server().run(checked(app))
    assert (server.status, server.body) == ("500 Oh", b"error page")
    assert "x-accel-buffering" not in server.headers


def test_an_error_page_after_the_first_frame_is_a_failure_of_the_stream(
    caplog: pytest.LogCaptureFixture,
):
    summaries: list[Summary] = []
    go_on = threading.Event()

    def body(start_response: Any) -> Iterator[bytes]:
        yield b"data: a\n\n"
        go_on.wait(10)
        try:
            raise LookupError("inside")
        except LookupError:
            start_response("500 Oh", [PLAIN], sys.exc_info())
            yield b"error page"

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        return body(start_response)

    server = Server().open(checked(app, on_end=summaries.append))
    server.result = iter(server.result)
    server.written.append(next(server.result))
    go_on.set()
    with pytest.raises(ConnectionResetError):
        server.read()
    server.close()
    assert server.status == "200 OK"
    assert [event.event for event in Decoder().feed(server.body)] == [None, "error"]
    assert isinstance(summaries[0].error, LookupError)


def with_second_start(first: Any, second: Any, *, exc_info: bool, status: str = "203 Oh") -> App:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [first])
        try:
            raise LookupError
        except LookupError:
            start_response(status, [second], *([sys.exc_info()] if exc_info else []))
        return [b"data: x\n\n"]

    return app


@pytest.mark.parametrize("first", [EVENTS, PLAIN])
@pytest.mark.parametrize("second", [EVENTS, PLAIN])
def test_what_was_started_last_counts_and_passes_if_the_first_passed(first: Any, second: Any):
    server = Server().run(checked(with_second_start(first, second, exc_info=True)))
    assert (server.status, server.body) == ("203 Oh", b"data: x\n\n")
    assert ("x-accel-buffering" in server.headers) == (first is second is EVENTS)


def test_a_second_start_with_the_status_of_a_failure_passes():
    server = Server().run(
        checked(with_second_start(EVENTS, EVENTS, exc_info=True, status="500 Oh"))
    )
    assert (server.status, server.body) == ("500 Oh", b"data: x\n\n")
    assert "x-accel-buffering" not in server.headers


@pytest.mark.parametrize("first", [EVENTS, PLAIN])
@pytest.mark.parametrize("second", [EVENTS, PLAIN])
def test_a_second_start_without_exc_info_is_an_error(first: Any, second: Any):
    with pytest.raises(AssertionError, match="start_response"):
        Server().run(Middleware(with_second_start(first, second, exc_info=False)))


def test_a_late_start_of_an_answer_that_passed_goes_to_the_server():
    def body(start_response: Any) -> Iterator[bytes]:
        yield b"a"
        try:
            raise LookupError("inside")
        except LookupError:
            start_response("500 Oh", [EVENTS], sys.exc_info())

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [PLAIN])
        return body(start_response)

    with pytest.raises(LookupError, match="inside"):
        Server().run(Middleware(app))


def test_frames_that_an_app_writes_itself_have_our_headers_and_go_at_once():
    server = Server()

    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [EVENTS])
        write(b"data: a\n\n")
        assert server.body == b"data: a\n\n"
        write(b"data: b\n\n")
        return [b"data: c\n\n"]

    server.run(checked(app))
    assert server.body == FRAMES + b"data: c\n\n"
    assert server.headers["x-accel-buffering"] == "no"


def test_lines_that_an_app_writes_itself_stay_lines():
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [LINES])(b'{"a":1}\n')
        return []

    server = Server(**ASKS).run(checked(app))
    headers = {"content-type": LINES[1], "vary": "Accept"}
    assert (server.body, server.headers) == (b'{"a":1}\n', headers)


def test_a_write_by_the_result_is_an_error():
    def app(environ: Any, start_response: Any) -> Any:
        write = start_response("200 OK", [EVENTS])
        return (write(b"x") for _ in range(1))

    with pytest.raises(AssertionError, match="write was called while"):
        Server().run(Middleware(app))


def test_a_server_that_refuses_the_headers_closes_the_result():
    result = Result([FRAMES])

    def refusing(*arguments: Any) -> Any:
        raise ValueError("no such header")

    with pytest.raises(ValueError, match="no such header"):
        Middleware(answering(result))(Server().environ, refusing)
    assert result.closed == 1
