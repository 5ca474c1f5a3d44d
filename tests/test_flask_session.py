"""A session that a source changes after its answer has begun: lost, as in Flask, and told once an endpoint."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request_finished, session, stream_with_context
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface

from flasks import get
from sse_bridge import flask_session
from sse_bridge.flask import EventSourceResponse, event_stream

TOLD = "changed the session after its response had started"


@pytest.fixture(autouse=True)
def _told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flask_session, "_told", set())


@pytest.fixture
def app() -> Flask:
    app = Flask("test")
    app.testing, app.secret_key = True, "secret"
    return app


def does(what: Callable[[], Any]) -> Callable[[], Iterator[str]]:
    """A source that does so before its first chunk."""

    def source() -> Iterator[str]:
        what()
        yield from ("a", "b")

    return source


def add() -> None:
    session["x"] = 1


def by_decorator(source: Callable[[], Iterator[str]]) -> Any:
    return event_stream(hold=5)(source)()


def by_response(source: Callable[[], Iterator[str]]) -> Any:
    return EventSourceResponse(source())


def by_hand(source: Callable[[], Iterator[str]]) -> Any:
    frames = (f"data: {text}\n\n" for text in source())
    response = Response(stream_with_context(frames), mimetype="text/event-stream")
    return event_stream(lambda: response)()


ways = pytest.mark.parametrize("way", [by_decorator, by_response, by_hand])


@ways
def test_what_is_changed_too_late_is_told_once_an_endpoint(
    app: Flask, way: Any, caplog: pytest.LogCaptureFixture
):
    left = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        assert left.wait(10)  # what is changed before the answer leaves is saved with it
        add()
        yield "b"

    app.add_url_rule("/", "chat", lambda: way(source))
    app.add_url_rule("/2", "other", lambda: way(source))
    with request_finished.connected_to(lambda _, **__: left.set(), app):
        for path in ("/", "/", "/2"):
            left.clear()
            assert get(app, path).status_code == 200
    told = [record.getMessage() for record in caplog.records if TOLD in record.getMessage()]
    assert [line.split()[3] for line in told] == ["chat", "other"]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


@ways
def test_what_is_changed_while_the_status_is_held_is_saved_and_nothing_is_told(
    app: Flask, way: Any, caplog: pytest.LogCaptureFixture
):
    app.add_url_rule("/", "chat", lambda: way(does(add)))
    app.add_url_rule("/x", "x", lambda: str(session.get("x")))
    client = app.test_client()
    assert client.get("/").get_data()
    assert client.get("/x").get_data(as_text=True) == "1"
    assert TOLD not in caplog.text


@ways
def test_nothing_is_told_where_nothing_is_changed_or_the_view_did(
    app: Flask, way: Any, caplog: pytest.LogCaptureFixture
):
    def view() -> Any:
        add()
        return way(does(lambda: session.get("x")))

    app.add_url_rule("/", "chat", view)
    app.add_url_rule("/read", "read", lambda: way(does(lambda: session.get("x"))))
    assert get(app).status_code == get(app, "/read").status_code == 200
    app.secret_key = None  # then there is no session
    assert get(app, "/read").status_code == 200
    assert TOLD not in caplog.text


def test_a_session_that_cannot_be_read_costs_no_answer(app: Flask):
    class Unreadable(SecureCookieSession):
        def __iter__(self) -> Any:
            raise RuntimeError("its store is away")

        keys = __iter__

    class Sessions(SecureCookieSessionInterface):
        session_class = Unreadable

    app.session_interface = Sessions()
    app.add_url_rule("/", "chat", lambda: by_decorator(does(lambda: None)))
    assert get(app).status_code == 200
