"""Flask views that run whole: with their sources, on one thread, and waited for as `hold` says."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import (
    Flask,
    Response,
    abort,
    after_this_request,
    g,
    redirect,
    request,
    session,
    stream_with_context,
)

from flasks import DONE, async_generator, generator, get, returns_callable, route
from sse_bridge import Decoder, UpstreamError
from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.registry import streams


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask(__name__)
    app.config.update(TESTING=True, SECRET_KEY="x")
    yield app
    assert streams.open == 0
    ended()


def ended() -> None:
    """Wait until no source's thread runs any more."""
    for thread in threading.enumerate():
        if thread.name == "sse_bridge source":
            thread.join(5)
            assert not thread.is_alive()


def whole(app: Flask, view: Any, **options: Any) -> None:
    route(app, view, whole=True, **options)


AB = b"data: a\n\ndata: b\n\n" + DONE


async def coroutine() -> Any:
    return async_generator()


VIEWS = [generator, async_generator, coroutine, returns_callable, lambda: iter("ab")]


@pytest.mark.parametrize("view", VIEWS)
def test_every_kind_of_view_streams(app: Flask, view: Any):
    whole(app, view)
    assert get(app).data == AB


def test_the_view_and_its_source_are_on_one_thread(app: Flask):
    def view() -> Iterator[str]:
        database = sqlite3.connect(":memory:")

        def rows() -> Iterator[str]:
            yield str(database.execute("select 1").fetchone()[0])
            database.close()

        return rows()

    whole(app, view)
    assert b"data: 1\n\n" in get(app).data


@pytest.mark.parametrize(
    "answer",
    [
        lambda: "a page",
        lambda: ({"a": 1}, 201),
        lambda: redirect("/elsewhere"),
        lambda: Response("x", mimetype="text/csv", headers={"X-Own": "1"}),
        lambda: abort(404),
        lambda: Response('{"detail": "no"}', status=401, mimetype="text/event-stream"),
    ],
)
def test_what_is_no_stream_is_flasks_as_without_it(app: Flask, answer: Any):
    app.add_url_rule("/plain", view_func=answer, endpoint="plain")
    whole(app, answer)
    ours, flasks = get(app), get(app, "/plain")
    assert (ours.status, ours.data) == (flasks.status, flasks.data)
    assert dict(ours.headers) == dict(flasks.headers)


def test_what_the_view_raises_reaches_the_apps_errorhandler(app: Flask):
    class Own(Exception):
        pass

    @app.errorhandler(Own)
    def handle(error: Own) -> Any:
        return "own", 418

    def view() -> Any:
        raise Own

    whole(app, view)
    assert (get(app).status_code, get(app).data) == (418, b"own")


@pytest.mark.parametrize("on_one_thread", [True, False])
def test_a_failure_of_the_models_service_in_the_view_is_a_status(app: Flask, on_one_thread: bool):
    def view() -> Any:
        raise UpstreamError("the service's own words", status_code=429)

    route(app, view, whole=on_one_thread)
    response = get(app)
    assert response.status_code == 429
    assert b"own words" not in response.data


@pytest.mark.parametrize("on_one_thread", [True, False])
def test_it_is_the_apps_where_the_app_handles_it(app: Flask, on_one_thread: bool):
    def view() -> Any:
        raise UpstreamError("away", status_code=429)

    app.register_error_handler(UpstreamError, lambda error: ("own", 418))
    route(app, view, whole=on_one_thread)
    assert get(app).status_code == 418


def test_a_hand_made_stream_keeps_its_status_and_headers(app: Flask):
    def view() -> Response:
        frames = (f"data: {word}\n\n" for word in "ab")
        return Response(frames, 201, {"X-Own": "1"}, "text/event-stream")

    whole(app, view)
    response = get(app)
    assert (response.status_code, response.headers["X-Own"]) == (201, "1")
    assert response.data == b"data: a\n\ndata: b\n\n"


def test_flasks_own_stream_with_context_works(app: Flask):
    def view() -> Response:
        @stream_with_context
        def frames() -> Iterator[str]:
            yield f"data: {request.args['q']}\n\n"

        return Response(frames(), mimetype="text/event-stream")

    whole(app, view)
    assert get(app, "/?q=asked").data == b"data: asked\n\n"


def test_a_response_of_ours_made_in_the_view_streams(app: Flask):
    whole(app, lambda: EventSourceResponse(generator(), headers={"X-Own": "1"}))
    response = get(app)
    assert (response.data, response.headers["X-Own"]) == (AB, "1")


@pytest.mark.parametrize("value", [1, "yes", None])
def test_whole_is_true_or_false(value: Any):
    with pytest.raises(TypeError, match="whole must be True or False, got"):
        event_stream(whole=value)


# -- what the request shares with it --------------------------------------------------------------


def test_the_requests_g_is_the_views_own_and_after_request_can_read_it(app: Flask):
    seen: dict[str, Any] = {}

    @app.before_request
    def before() -> None:
        g.user = "before"

    def view() -> Iterator[str]:
        assert "user" in g
        g.started = "view"
        yield g.user

    @app.after_request
    def after(response: Response) -> Response:
        seen.update({name: g.get(name) for name in ("user", "started")}, names=sorted(g))
        return response

    whole(app, view)
    assert b"data: before\n\n" in get(app).data
    assert seen["user"] == "before"
    assert seen["started"] in ("view", None)  # a generator begins when it is asked, maybe later


def test_what_the_view_puts_into_g_is_there_for_after_request(app: Flask):
    seen: list[Any] = []

    @app.after_request
    def after(response: Response) -> Response:
        seen.append((g.started, "started" in g))
        return response

    def view() -> Any:
        g.started = "view"
        return generator()

    whole(app, view)
    get(app)
    assert seen == [("view", True)]


@pytest.mark.parametrize("pop", [True, False])
def test_the_requests_teardown_does_not_close_what_the_stream_is_yet_to_use(app: Flask, pop: bool):
    closed: list[str] = []

    class Database:
        def close(self) -> None:
            closed.append(threading.current_thread().name)

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        database = g.pop("database", None) if pop else getattr(g, "database", None)
        if database is not None:
            database.close()

    def view() -> Any:
        g.database = Database()

        def rows() -> Iterator[str]:
            yield str(len(closed))

        return rows()

    whole(app, view)
    assert b"data: 0\n\n" in get(app).data
    ended()
    assert closed == ["sse_bridge source"]


@pytest.mark.parametrize("is_stream", [True, False])
def test_what_the_view_put_into_g_is_not_torn_down_before_after_request_has_had_it(
    app: Flask, is_stream: bool
):
    order: list[str] = []

    @app.after_request
    def commit(response: Response) -> Response:
        for thread in threading.enumerate():  # it may be over by now
            if thread.name == "sse_bridge source":
                thread.join(0.05)
        order.append(f"commit {g.get('database')}")
        return response

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        if g.pop("database", None):
            order.append("close")

    def view() -> Any:
        g.database = "opened"
        return generator() if is_stream else "a page"

    whole(app, view)
    get(app)
    ended()
    assert order == ["commit opened", "close"]


@pytest.mark.parametrize("handled", [True, False])
def test_a_view_that_raises_is_torn_down_with_its_error(app: Flask, handled: bool):
    told: list[str] = []

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        if g.pop("database", None):
            told.append("rollback" if error else "commit")

    if handled:

        @app.errorhandler(ValueError)
        def handle(error: ValueError) -> str:
            return f"own {g.database}"

    def view() -> Any:
        g.database = "opened"
        raise ValueError("x")

    app.testing = False
    whole(app, view)
    assert get(app).data == b"own opened" if handled else get(app).status_code == 500
    ended()
    assert told == ["rollback"] * len(told)
    assert told


def test_what_was_in_g_before_can_be_read_and_taken_everywhere(app: Flask):
    seen: list[Any] = []

    @app.before_request
    def before() -> None:
        g.user, g.start = "user", "start"

    @app.after_request
    def after(response: Response) -> Response:
        seen.append(("start" in g, g.pop("start", "DEFAULT"), g.setdefault("user", "NEW")))
        return response

    @app.teardown_request
    def teardown(error: BaseException | None) -> None:
        if "user" in g:
            seen.append(g.user)

    whole(app, lambda: redirect("/"))
    get(app)
    assert seen[0] == (True, "start", "user")
    assert set(seen[1:]) == {"user"}


def test_a_streamed_answer_that_passes_is_walked_where_its_view_ran(app: Flask):
    def view() -> Response:
        database = sqlite3.connect(":memory:")

        def rows() -> Iterator[str]:
            yield from (f"{row[0]}\n" for row in database.execute("select 1"))
            database.close()

        return Response(stream_with_context(rows()), mimetype="text/csv")

    whole(app, view)
    assert get(app).data == b"1\n"


def test_a_source_that_nobody_may_have_is_closed_where_its_view_ran(app: Flask):
    closed: list[str] = []

    class Stream:
        def __iter__(self) -> Any:
            return iter("ab")

        def close(self) -> None:
            closed.append(threading.current_thread().name)

    whole(app, Stream, max_streams=0)
    assert get(app).status_code == 503
    ended()
    assert closed in ([], ["sse_bridge source"])  # refused before it was made, or behind


def test_the_session_and_after_this_request_work(app: Flask):
    def view() -> Any:
        session["seen"] = True

        @after_this_request
        def stamp(response: Response) -> Response:
            response.headers["X-Stamp"] = "1"
            return response

        return generator()

    whole(app, view)
    response = get(app)
    assert response.headers["X-Stamp"] == "1"
    assert "session=" in response.headers["Set-Cookie"]


def test_head_runs_the_view_as_ever(app: Flask):
    whole(app, lambda: generator())
    with app.test_client() as client:
        assert client.head("/").data == b""


# -- a view that takes longer than hold -----------------------------------------------------------


def late(app: Flask, answer: Any, **options: Any) -> Iterator[bytes]:
    """The answer's pieces, of a view that goes on when a ping has come."""
    go_on = threading.Event()

    def view() -> Any:
        assert go_on.wait(10)
        return answer()

    whole(app, view, hold=0, ping=0.01, ping_form="block", **options)
    with app.test_client() as client:
        response = client.get("/", buffered=False)
        assert response.status_code == 200
        for piece in response.iter_encoded():
            if piece == b": ping\n\n":
                go_on.set()
            else:
                yield piece


def test_it_is_kept_alive_and_streams(app: Flask):
    assert b"".join(late(app, generator)) == AB


def test_frames_that_it_has_made_by_hand_come_as_events(app: Flask):
    frames = ["id: 1\nevent: own\nda", "ta: a\n\n"]
    pieces = late(app, lambda: Response(iter(frames), mimetype="text/event-stream"))
    first, *rest = Decoder().feed(b"".join(pieces))
    assert (first.id, first.event, first.data) == ("1", "own", "a")
    assert [event.event for event in rest] == ["done"]


@pytest.mark.parametrize("answer", [lambda: "a page", lambda: redirect("/"), lambda: abort(404)])
def test_what_is_no_stream_is_a_failure_then(
    app: Flask, answer: Any, caplog: pytest.LogCaptureFixture
):
    (failure,) = Decoder().feed(b"".join(late(app, answer)))
    assert failure.event == "error"
    assert "stream failed" in caplog.text


def test_a_tuple_gives_its_source(app: Flask):
    assert b"".join(late(app, lambda: (generator(), 201))) == AB


def test_at_max_streams_the_view_goes_to_its_end_and_its_source_is_not_begun(app: Flask):
    begun: list[int] = []

    def view() -> Any:
        def source() -> Iterator[str]:
            begun.append(1)
            yield "a"

        return source()

    whole(app, view, max_streams=0)
    assert get(app).status_code == 503
    assert begun == []
