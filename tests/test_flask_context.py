"""What a source sees of the request in Flask, and what is left of it afterwards."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flask import (
    Flask,
    current_app,
    g,
    has_request_context,
    request,
    session,
    stream_with_context,
    url_for,
)

from flasks import DONE, async_generator, generator, get, returns_callable, route
from sse_bridge import Ending, Summary
from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.registry import streams


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("test")
    app.secret_key = "a secret"
    open_before = streams.open
    yield app
    assert streams.open == open_before


# -- the context ----------------------------------------------------------------------------------


def read_the_context() -> Iterator[str]:
    yield request.args["q"]
    yield g.made_before
    yield session["user"]
    yield current_app.name


def arranged(app: Flask) -> Any:
    @app.before_request
    def before() -> None:
        g.made_before = "before"
        session["user"] = "ann"

    return app


def test_the_context_is_readable_in_a_sync_source(app: Flask):
    route(arranged(app), read_the_context)
    assert get(app, "/?q=what").data == (
        b"data: what\n\ndata: before\n\ndata: ann\n\ndata: test\n\n" + DONE
    )


def test_the_context_is_readable_in_an_async_source(app: Flask):
    async def view() -> AsyncIterator[str]:
        for text in read_the_context():
            await asyncio.sleep(0)
            yield text

    route(arranged(app), view)
    assert get(app, "/?q=what").data.startswith(b"data: what\n\ndata: before\n\ndata: ann")


def test_a_source_has_the_url_as_the_app_has_read_it(app: Flask):
    @app.url_value_preprocessor
    def read_the_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        g.language = (values or {}).pop("language")

    @app.get("/<language>/<int:number>", endpoint="page")
    @event_stream
    def view(number: int) -> Iterator[str]:
        yield f"{number} in {g.language}, {request.view_args}"
        yield url_for("page", language="fr", number=number)

    answer = get(app, "/de/7").data
    assert answer == b"data: 7 in de, {'number': 7}\n\ndata: /fr/7\n\n" + DONE


def test_the_context_is_readable_in_on_end(app: Flask):
    seen: list[Any] = []

    def on_end(summary: Summary) -> None:
        seen.append((summary.ending, request.args["q"], g.made_before))

    route(arranged(app), generator, on_end=on_end)
    assert get(app, "/?q=what").data
    assert seen == [(Ending.FINISHED, "what", "before")]


def test_no_context_is_left_behind_for_later_requests(app: Flask):
    def view() -> Any:
        return stream_with_context(read_the_context())

    route(arranged(app), view)
    with app.test_client() as client:
        client.get("/?q=1")
    assert not has_request_context()


@pytest.mark.parametrize("view", [generator, async_generator, returns_callable])
def test_a_request_that_is_over_does_not_wait_for_the_collector(app: Flask, view: Any):
    requests: list[weakref.ref[Any]] = []
    route(app, view)
    app.before_request(lambda: requests.append(weakref.ref(request._get_current_object())))  # type: ignore[attr-defined]
    gc.disable()
    try:
        assert app.test_client().get("/").data  # outside `with`, where the client keeps the context
        end = time.monotonic() + 5
        while requests[0]() is not None and time.monotonic() < end:
            time.sleep(0.001)  # the source's thread may still be on its way out
        assert requests[0]() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("source", ["ours", "flasks"])
def test_teardown_runs_as_flasks_own_streaming_has_it(app: Flask, source: str):
    torn: list[str] = []
    app.teardown_request(lambda error: torn.append("teardown"))

    def chunks() -> Iterator[str]:
        yield "a"
        torn.append("streamed")

    if source == "ours":
        app.add_url_rule("/", view_func=event_stream(lambda: stream_with_context(chunks())))
    else:
        app.add_url_rule("/", "view", lambda: stream_with_context(chunks()))
    assert app.test_client().get("/").data  # outside `with`, where the client keeps the context
    assert torn[-1] == "teardown"
    often = (1, 2) if source == "flasks" else (2,)  # before 3.1.1 Flask runs it once
    assert torn.count("teardown") in often


def test_a_generator_that_its_author_wrapped_runs_in_the_views_context(app: Flask):
    def view() -> Any:
        return stream_with_context(read_the_context())

    route(arranged(app), view)
    assert b"data: what\n\ndata: before" in get(app, "/?q=what").data


def test_a_response_too_takes_a_generator_that_its_author_wrapped(app: Flask):
    @arranged(app).get("/")
    def view() -> Any:
        return EventSourceResponse(stream_with_context(read_the_context()))

    assert b"data: what\n\ndata: before" in get(app, "/?q=what").data
    assert not has_request_context()


class Database:
    """A resource that is made on first use, belongs to the thread that made it, and is closed at teardown."""

    def __init__(self) -> None:
        self.thread, self.is_open = threading.get_ident(), True

    def query(self) -> str:
        assert self.is_open
        assert self.thread == threading.get_ident()
        return "row"


def get_db() -> Database:
    if "db" not in g:
        g.db = Database()
    database: Database = g.db
    return database


@pytest.mark.parametrize("view_uses_it", [False, True])
def test_what_a_source_opens_stays_open_until_it_is_over_and_is_closed_where_it_ran(
    app: Flask, view_uses_it: bool
):
    closed: list[Database] = []
    release = threading.Event()

    @app.teardown_appcontext
    def close_db(error: BaseException | None) -> None:
        db = g.pop("db", None)
        if db is not None:
            assert db.query()
            db.is_open = False
            closed.append(db)

    def source() -> Iterator[str]:
        yield get_db().query()
        release.wait(5)
        yield get_db().query()

    def view() -> Any:
        if view_uses_it:
            get_db().query()
        return source()

    route(app, view)
    response = app.test_client().get("/")
    release.set()
    assert response.data == b"data: row\n\ndata: row\n\n" + DONE
    assert len(closed) == 1 + view_uses_it


def test_a_source_reads_what_the_view_put_into_g_and_keeps_its_own_to_itself(app: Flask):
    seen: list[Any] = []

    def view() -> Any:
        g.user, g.maybe = "ann", None
        own = g._get_current_object()  # type: ignore[attr-defined]

        def source() -> Iterator[str]:
            g.found = "here"
            seen.extend([g.user, g.get("user"), g.get("maybe", 1), g.get("none", 2), g.found])
            seen.append("found" in own)
            with pytest.raises(AttributeError):
                _ = g.nothing
            yield "a"

        return source()

    route(app, view)
    assert get(app).data
    assert seen == ["ann", "ann", None, 2, "here", False]


def test_a_source_runs_in_one_thread_and_one_context(app: Flask):
    threads = set()

    def view() -> Iterator[str]:
        for _ in range(200):
            threads.add(threading.get_ident())
            yield "x"

    route(app, view)
    get(app)
    assert len(threads) == 1
    assert threading.get_ident() not in threads
