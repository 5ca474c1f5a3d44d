"""The route's decorator under `event_stream` instead of over it: told at the view's first request."""

from __future__ import annotations

import functools
import gc
import re
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask
from flask.views import MethodView

from flasks import DONE, get
from sse_bridge.flask import event_stream

TOLD = "got its route before event_stream.*put the route's decorator on top"


@pytest.fixture
def app() -> Flask:
    app = Flask("test")
    app.testing = True  # errors come out of the test client
    return app


def login_required(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return checked


def test_a_view_that_got_its_route_first_is_warned_of_at_its_first_request_and_served_as_it_is(
    app: Flask, caplog: pytest.LogCaptureFixture
):
    @event_stream
    @app.get("/")
    def chat() -> Iterator[str]:
        yield "a"

    assert [get(app).data for _ in range(2)] == [b"a", b"a"]
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert re.search(f"{re.escape(chat.__qualname__)}' {TOLD}", record.getMessage())


def test_so_is_an_async_one_that_flask_cannot_serve(caplog: pytest.LogCaptureFixture):
    app = Flask("test")

    @event_stream(ping=5)
    @app.get("/")
    async def chat() -> AsyncIterator[str]:
        yield "a"

    assert get(app).status_code == 500  # of Flask's own
    assert re.search(TOLD, caplog.text)


def test_another_app_of_the_process_may_serve_the_view_as_it_is():
    def letters() -> Iterator[str]:
        yield "a"

    def made(streams: bool) -> Flask:
        app = Flask("test")
        app.testing = True
        app.add_url_rule("/", "letters", event_stream(letters) if streams else letters)
        return app

    assert [get(made(streams)).data for streams in (False, True, False)] == [
        b"a",
        b"data: a\n\n" + DONE,
        b"a",
    ]


def test_so_is_one_of_a_blueprint_and_one_with_another_decorator_between(
    app: Flask, caplog: pytest.LogCaptureFixture
):
    part = Blueprint("part", "part")

    @event_stream
    @part.get("/")
    @login_required
    def chat() -> Iterator[str]:
        yield "a"

    app.register_blueprint(part)
    assert get(app).data == b"a"
    assert re.search(TOLD, caplog.text)


def test_of_the_apps_other_views_nothing_is_said(app: Flask, caplog: pytest.LogCaptureFixture):
    @event_stream
    @app.get("/wrong")
    def wrong() -> Iterator[str]:
        yield "a"

    @app.get("/")
    @login_required
    @event_stream
    def chat() -> Iterator[str]:
        yield "a"

    assert get(app).data == b"data: a\n\n" + DONE
    assert get(app, "/nowhere").status_code == 404
    assert caplog.text == ""
    assert get(app, "/wrong").data == b"a"
    assert "wrong" in caplog.text


def test_of_a_view_that_has_routes_both_with_and_without_nothing_is_said(
    app: Flask, caplog: pytest.LogCaptureFixture
):
    def letters() -> Iterator[str]:
        yield "a"

    app.add_url_rule("/", "bare", letters)
    app.add_url_rule("/stream", "stream", login_required(event_stream(letters)))
    assert get(app).data == b"a"
    assert get(app, "/stream").data == b"data: a\n\n" + DONE
    assert caplog.text == ""


def test_decorators_of_a_class_of_views_are_no_mistake(app: Flask):
    class Chat(MethodView):
        decorators = (event_stream,)

        def get(self) -> Iterator[str]:
            yield "a"

    app.add_url_rule("/", view_func=Chat.as_view("chat"))
    assert get(app).data == b"data: a\n\n" + DONE


class Unhashable:
    """A view without a hash, which wraps itself."""

    __name__ = "unhashable"
    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.__wrapped__ = self

    def __call__(self) -> Any:
        return iter(["a"])


def test_odd_views_are_looked_at_too(app: Flask):
    class Slots:
        __slots__ = ()
        __name__ = "slots"

        def __call__(self) -> Any:
            return iter(["a"])

    app.add_url_rule("/odd", view_func=Unhashable())
    app.add_url_rule("/", view_func=event_stream(Slots()))
    assert get(app).data == b"data: a\n\n" + DONE
    assert get(app, "/odd").data == b"a"


def test_neither_an_app_nor_a_view_is_kept_for_it():
    def served() -> tuple[weakref.ref[Any], weakref.ref[Any]]:
        app = Flask("test")

        @app.get("/")
        @event_stream
        def chat() -> Iterator[str]:
            yield "a"

        assert get(app).status_code == 200
        return weakref.ref(app), weakref.ref(chat)

    kept = served()
    gc.collect()
    assert [thing() for thing in kept] == [None, None]
