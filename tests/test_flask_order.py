"""The route's decorator under `event_stream` instead of over it: told at the view's requests."""

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


def test_a_view_that_got_its_route_first_is_told_at_its_first_request_and_each_other(app: Flask):
    @event_stream
    @app.get("/")
    def chat() -> Iterator[str]:
        yield "a"

    for _ in range(2):
        with pytest.raises(RuntimeError, match=f"{re.escape(chat.__qualname__)}' {TOLD}"):
            get(app)


def test_on_a_server_that_is_a_500_whose_log_says_it(caplog: pytest.LogCaptureFixture):
    app = Flask("test")

    @event_stream(ping=5)
    @app.get("/")
    async def chat() -> AsyncIterator[str]:
        yield "a"

    assert get(app).status_code == 500
    assert re.search(TOLD, caplog.text)


def test_so_is_one_of_a_blueprint_and_one_with_another_decorator_between(app: Flask):
    part = Blueprint("part", "part")

    @event_stream
    @part.get("/")
    @login_required
    def chat() -> Iterator[str]:
        yield "a"

    app.register_blueprint(part)
    with pytest.raises(RuntimeError, match=TOLD):
        get(app)


def test_the_apps_other_views_are_served(app: Flask):
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
    with pytest.raises(RuntimeError, match="wrong"):
        get(app, "/wrong")


def test_a_view_that_has_routes_both_with_and_without_is_served_on_both(app: Flask):
    def letters() -> Iterator[str]:
        yield "a"

    app.add_url_rule("/", "bare", letters)
    app.add_url_rule("/stream", "stream", login_required(event_stream(letters)))
    assert get(app).data == b"a"
    assert get(app, "/stream").data == b"data: a\n\n" + DONE


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
