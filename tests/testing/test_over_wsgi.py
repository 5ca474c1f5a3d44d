"""The WSGI server for one request: what PEP 3333 wants of it, and a hang-up as in production."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest
from flask import Flask, Response, g

from endless import APPS, Source
from sse_bridge import wsgi
from sse_bridge.testing import Client, no_open_streams  # noqa: F401

EVENTS = [("Content-Type", "text/event-stream")]


def ask(app: Any, **settings: Any) -> Any:
    return Client(app, **settings).stream("GET", "/")


def test_it_is_a_server_as_the_standards_checker_wants_it():
    @validator
    def app(environ: Any, start_response: Any) -> Any:
        environ["wsgi.input"].read(10)
        start_response("200 OK", EVENTS)
        return iter([b"data: a\n\n", b"", b"data: b\n\n"])

    with ask(app, interface="wsgi") as stream:
        assert [event.data for event in stream.read()] == ["a", "b"]


def test_what_is_written_comes_before_what_is_returned():
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", EVENTS)(b"data: a\n\n")
        return [b"data: b\n\n"]

    with ask(app) as stream:
        assert [event.data for event in stream.read()] == ["a", "b"]


def test_an_app_may_think_again_before_its_first_byte():
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", EVENTS)
        start_response("400 Bad Request", [], (ValueError, ValueError(), None))
        return [b"no"]

    with ask(app) as stream:
        assert stream.status_code == 400
        assert stream.body == b"no"


def test_later_it_may_not():
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", EVENTS)
        yield b"data: a\n\n"
        start_response("400 Bad Request", [], (KeyError, KeyError("late"), None))

    with ask(app) as stream:
        stream.take()
        with pytest.raises(KeyError, match="late"):
            stream.take()


@pytest.mark.parametrize("body", [[b"a"], []])
def test_an_app_that_does_not_start_is_told_so(body: list[bytes]):
    with (
        pytest.raises(AssertionError, match="has not called start_response"),
        ask(lambda e, s: body),
    ):
        pass


def test_an_app_that_starts_twice_is_told_so():
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", EVENTS)
        start_response("200 OK", EVENTS)

    with pytest.raises(AssertionError, match="called twice"), ask(app):
        pass


def test_the_body_is_closed_by_the_thread_that_walked_it():
    threads = []

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            threads.append(threading.get_ident())
            yield b"data: a\n\n"

        def close(self) -> None:
            threads.append(threading.get_ident())

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", EVENTS)
        return Body()

    with ask(app) as stream:
        stream.read()
    assert len(threads) == 2
    assert len({*threads, threading.get_ident()}) == 2


def test_a_failure_before_the_answer_is_raised_or_a_500():
    def app(environ: Any, start_response: Any) -> Any:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ask(app):
        pass
    with ask(app, raise_app_exceptions=False) as stream:
        assert stream.status_code == 500


def test_a_generator_of_flasks_own_is_read_and_hung_up():
    app, seen = Flask("own"), []

    @app.get("/")
    def count() -> Response:
        def source() -> Iterator[str]:
            try:
                while True:
                    yield "data: a\n\n"
            except GeneratorExit:
                seen.append("GeneratorExit")
                raise

        return Response(source(), mimetype="text/event-stream")

    with ask(app) as stream:
        assert [event.data for event in stream.take(3)] == ["a", "a", "a"]
        stream.hang_up()
        assert seen == ["GeneratorExit"]
        with pytest.raises(RuntimeError, match="not a stream of sse_bridge's"):
            stream.ending  # noqa: B018


def test_an_app_that_does_not_end_is_shown_where_it_is():
    release = threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", EVENTS)
        yield b"data: a\n\n"
        release.wait(10)

    with ask(app) as stream:
        stream.take()
        with pytest.raises(
            AssertionError, match=r"(?s)the app still runs 0\.1 s after.*release\.wait"
        ):
            stream.hang_up(timeout=0.1)
        release.set()


def test_the_connection_is_a_real_one_that_the_app_watches():
    seen = []

    def app(environ: Any, start_response: Any) -> Any:
        seen.append(environ["werkzeug.socket"].fileno() >= 0)
        return wsgi.EventStream(["a"])(environ, start_response)

    with ask(app) as stream:
        stream.read()
    assert seen == [True]


def test_where_the_kernel_does_not_tell_of_a_hang_up_the_stream_is_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delattr(select, "POLLRDHUP")
    monkeypatch.setattr("sse_bridge.hangup._RDHUP", 0)
    source = Source()
    with ask(APPS["wsgi"](source.task)) as stream:
        stream.take()
        stream.hang_up()
        assert source.seen == "CancelledError"


def test_nothing_of_the_tests_context_is_in_the_servers():
    app = Flask("context")
    app.add_url_rule("/", "index", lambda: "ok")
    app.before_request(lambda: None if "mine" not in g else "seen")
    with app.app_context():
        g.mine = True
        with ask(app) as stream:
            assert stream.body == b"ok"
