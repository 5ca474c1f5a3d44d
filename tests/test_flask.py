"""The Flask face, through Flask's own test client."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    jsonify,
    request,
    stream_with_context,
)
from flask.views import MethodView
from werkzeug.exceptions import HTTPException

from cuts import read_cut
from flasks import DONE, async_generator, generator, get, returns_callable, route
from sse_bridge import UpstreamError
from sse_bridge.adapters import DashScope
from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.registry import streams


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask("test")
    app.secret_key = "a secret"
    open_before = streams.open
    yield app
    assert streams.open == open_before


# -- what a view may be ---------------------------------------------------------------------------


def returns_generator() -> Any:
    return generator()


def returns_async_generator() -> Any:
    return async_generator()


def returns_iterator() -> Any:
    return iter(["a", "b"])


def returns_lambda_of_coroutine() -> Any:
    return lambda: awaitable()


async def awaitable() -> Any:
    return async_generator()


async def async_returns_sync() -> Any:
    return generator()


def returns_coroutine() -> Any:
    return awaitable()


VIEWS = [
    generator,
    async_generator,
    returns_generator,
    returns_async_generator,
    returns_iterator,
    returns_callable,
    returns_lambda_of_coroutine,
    awaitable,
    async_returns_sync,
    returns_coroutine,
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_every_kind_of_view_streams(app: Flask, view: Any):
    route(app, view)
    assert get(app).data == b"data: a\n\ndata: b\n\n" + DONE


def test_the_decorator_works_bare_and_called_without_arguments(app: Flask):
    app.add_url_rule("/bare", view_func=event_stream(generator))
    app.add_url_rule("/called", "called", view_func=event_stream()(generator))
    assert get(app, "/bare").data == get(app, "/called").data == b"data: a\n\ndata: b\n\n" + DONE


def test_a_decorated_view_keeps_its_name_and_docstring():
    assert event_stream(generator).__name__ == "generator"


def test_methods_of_a_method_view_stream(app: Flask):
    class Chat(MethodView):
        @event_stream
        def get(self) -> Iterator[str]:
            yield type(self).__name__

        @event_stream(dialect="delta")
        async def post(self) -> AsyncIterator[str]:
            yield request.method

    app.add_url_rule("/chat", view_func=Chat.as_view("chat"))
    with app.test_client() as client:
        assert client.get("/chat").data == b"data: Chat\n\n" + DONE
        assert b'data: {"text":"POST"}' in client.post("/chat").data


def test_a_blueprints_routes_stream(app: Flask):
    blueprint = Blueprint("llm", __name__, url_prefix="/llm")

    @blueprint.get("/chat/<name>")
    @event_stream
    def chat(name: str) -> Iterator[str]:
        yield f"{request.blueprint} {name}"

    app.register_blueprint(blueprint)
    assert get(app, "/llm/chat/bob").data == b"data: llm bob\n\n" + DONE


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_method_streams(app: Flask, method: str):
    def view() -> Iterator[str]:
        yield request.method

    route(app, view)
    with app.test_client() as client:
        assert client.open("/", method=method).data.startswith(f"data: {method}".encode())


# -- what passes untouched ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        ("text", 200, b"text"),
        (b"bytes", 200, b"bytes"),
        ({"a": 1}, 200, b'{"a":1}\n'),
        ([1], 200, b"[1]\n"),
        (("no", 418), 418, b"no"),
        (("no", 418, {"X-A": "b"}), 418, b"no"),
    ],
)
def test_whatever_flask_takes_for_a_response_passes(
    app: Flask, answer: Any, status: int, body: bytes
):
    route(app, lambda: answer)
    response = get(app)
    assert (response.status_code, response.data) == (status, body)
    assert response.mimetype != "text/event-stream"


def test_a_response_passes_as_the_object_it_is(app: Flask):
    route(app, lambda: Response("plain", 202, mimetype="text/plain"))
    response = get(app)
    assert (response.status_code, response.data) == (202, b"plain")


def test_an_abort_in_the_view_passes(app: Flask):
    def view() -> Any:
        abort(401)

    route(app, view)
    assert get(app).status_code == 401


def test_a_streamed_response_of_another_type_passes(app: Flask):
    route(app, lambda: Response(iter(["x", "y"]), mimetype="application/x-ndjson"))
    response = get(app)
    assert response.data == b"xy"
    assert "X-Accel-Buffering" not in response.headers


def test_a_wsgi_app_passes(app: Flask):
    def wsgi_app(environ: Any, start_response: Any) -> Any:
        start_response("207 Multi", [("Content-Type", "text/plain")])
        return [b"from an app"]

    route(app, lambda: wsgi_app)
    response = get(app)
    assert (response.status_code, response.data) == (207, b"from an app")


# -- streams made by hand -------------------------------------------------------------------------


# -- an answer that is read too soon --------------------------------------------------------------


def reads(response: Response) -> Response:
    response.get_data()
    return response


def counts(response: Response) -> Response:
    response.calculate_content_length()
    return response


@pytest.mark.parametrize("read", [reads, counts])
@pytest.mark.parametrize("hand", [True, False])
def test_an_after_request_function_that_reads_a_stream_is_warned_of_by_its_module(
    app: Flask, read: Any, hand: bool, caplog: pytest.LogCaptureFixture
):
    route(app, lambda: by_hand(iter(["data: 1\n\n"])) if hand else generator())
    app.after_request(read)
    response = get(app)
    assert response.data.startswith(b"data: ")
    [record] = caplog.records
    assert __name__ in record.getMessage()
    assert "after_request" in record.getMessage()


def test_one_that_makes_something_of_each_piece_as_it_comes_is_not(
    app: Flask, caplog: pytest.LogCaptureFixture
):
    route(app, generator)

    @app.after_request
    def shout(response: Response) -> Response:
        response.response = map(bytes.upper, response.response)
        return response

    assert get(app).data.startswith(b"DATA: A\n\n")
    assert not caplog.records


def test_one_that_leaves_it_alone_is_not(app: Flask, caplog: pytest.LogCaptureFixture):
    route(app, generator)

    @app.after_request
    def stamp(response: Response) -> Response:
        response.headers["X-Own"] = "1"
        return response

    response = get(app)
    assert (response.headers["X-Own"], response.data.count(b"data: ")) == ("1", 3)
    assert not caplog.records


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_a_failures_body_passes_whatever_its_type_says(app: Flask, status: int):
    route(app, lambda: by_hand(iter(['{"detail": "Not authenticated"}']), status=status))
    response = get(app)
    assert (response.status_code, response.text) == (status, '{"detail": "Not authenticated"}')
    assert "X-Accel-Buffering" not in response.headers


def by_hand(frames: Iterator[str], **arguments: Any) -> Response:
    return Response(frames, mimetype="text/event-stream", **arguments)


def test_a_hand_made_stream_keeps_its_status_headers_and_frames(app: Flask):
    def view() -> Any:
        @stream_with_context
        def frames() -> Iterator[str]:
            yield f"data: {request.args['q']}\n\n"
            yield "event: x\nid: 4\ndata: 2\n\ndata: half"
            yield " whole\n\n"

        return by_hand(frames(), status=201, headers={"X-Own": "1", "Cache-Control": "no-store"})

    route(app, view)
    response = get(app, "/?q=7")
    assert response.status_code == 201
    assert response.data == b"data: 7\n\nevent: x\nid: 4\ndata: 2\n\ndata: half whole\n\n"
    assert response.headers["X-Own"] == "1"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"


def test_a_hand_made_stream_is_kept_alive(app: Flask):
    release = threading.Event()

    def frames() -> Iterator[str]:
        yield "data: 1\n\n"
        release.wait(10)
        yield "data: 2\n\n"

    route(app, lambda: by_hand(frames()), ping=0.02)
    with app.test_client() as client:
        pieces = iter(client.get("/").response)
        assert next(pieces) == b"data: 1\n\n"
        assert next(pieces) == b": ping\n\n"
        release.set()
        assert b"data: 2\n\n" in b"".join(pieces)


def test_a_hand_made_stream_that_fails_says_so(app: Flask):
    def frames() -> Iterator[str]:
        yield "data: 1\n\n"
        yield "data: lost"
        raise RuntimeError("secret")

    route(app, lambda: by_hand(frames()))
    body = read_cut(app.test_client().get("/"))
    assert body.startswith(b"data: 1\n\nevent: error\n")
    assert b"secret" not in body
    assert b"lost" not in body


def test_a_hand_made_stream_with_a_status_beside_it_is_taken_over(app: Flask):
    route(app, lambda: (by_hand(iter(["data: 1\n\n"])), 201))
    response = get(app)
    assert (response.status_code, response.data) == (201, b"data: 1\n\n")
    assert response.headers["X-Accel-Buffering"] == "no"


def test_a_hand_made_stream_that_fails_early_is_a_real_status(app: Flask):
    def frames() -> Iterator[str]:
        abort(429)
        yield

    closed: list[bool] = []

    def view() -> Response:
        response = by_hand(frames())
        response.call_on_close(lambda: closed.append(True))
        return response

    route(app, view)
    assert get(app).status_code == 429
    assert closed == [True]


def test_a_hand_made_stream_in_a_tuple_is_taken_over(app: Flask):
    def view() -> Any:
        return iter(["data: 1\n\n"]), 200, {"Content-Type": "text/event-stream"}

    route(app, view)
    response = get(app)
    assert response.data == b"data: 1\n\n"
    assert response.headers["X-Accel-Buffering"] == "no"


# -- hold -----------------------------------------------------------------------------------------


def test_an_abort_before_the_first_chunk_is_a_real_status(app: Flask):
    def view() -> Iterator[str]:
        abort(403)
        yield "never"

    route(app, view)
    response = get(app)
    assert response.status_code == 403
    assert response.mimetype == "text/html"


def test_an_early_exception_reaches_the_apps_errorhandler(app: Flask):
    class RateLimitError(Exception):
        pass

    def view() -> Iterator[str]:
        raise RateLimitError("slow down")
        yield

    app.register_error_handler(RateLimitError, lambda error: (f"handled: {error}", 429))
    route(app, view)
    response = get(app)
    assert (response.status_code, response.data) == (429, b"handled: slow down")


def test_the_summary_of_an_early_failure_says_that_it_was_held(app: Flask):
    told: list[Any] = []

    def view() -> Iterator[str]:
        abort(403)
        yield

    route(app, view, on_end=told.append, collect=True)
    assert get(app).status_code == 403
    assert [(summary.ending, summary.held, summary.text) for summary in told] == [
        ("failed", True, "")
    ]


def test_an_early_exception_without_a_handler_is_a_500(app: Flask):
    def view() -> Iterator[str]:
        raise LookupError("x")
        yield

    route(app, view)
    assert get(app).status_code == 500


def test_an_early_failure_in_band_reaches_the_apps_errorhandler(app: Flask):
    def view() -> Iterator[Any]:
        yield {"status_code": 429, "code": "Throttling", "message": "m", "output": None}

    app.register_error_handler(UpstreamError, lambda error: (error.code, error.status_code))
    route(app, view, dialect="delta", adapter=DashScope(incremental_output=True))
    response = get(app)
    assert (response.status_code, response.data) == (429, b"Throttling")


def refuses() -> Any:
    return jsonify(error="no credit"), 402
    yield


def returns_refusing() -> Any:
    return refuses()


@pytest.mark.parametrize(
    "view", [refuses, stream_with_context(refuses), returns_refusing, lambda: refuses]
)
def test_a_generator_view_that_returns_an_answer_is_a_500_that_names_abort(
    app: Flask, view: Any, caplog: pytest.LogCaptureFixture
):
    route(app, view)
    assert get(app).status_code == 500
    assert "returned a tuple of length 2: to answer with another status, call abort" in caplog.text


def test_without_hold_an_answer_that_a_generator_view_returns_is_a_failure_told_in_band(
    app: Flask, caplog: pytest.LogCaptureFixture
):
    route(app, refuses, hold=0)
    assert b"event: error" in get(app).data
    assert "call abort(...) or raise" in caplog.text


def test_without_hold_an_early_failure_is_told_in_band(app: Flask):
    def view() -> Iterator[str]:
        abort(403)
        yield

    route(app, view, hold=0)
    response = get(app)
    assert response.status_code == 200
    assert b"event: error" in response.data


def test_after_hold_the_answer_is_committed_and_pings_begin(app: Flask):
    release = threading.Event()

    def view() -> Iterator[str]:
        release.wait(10)
        yield "late"

    route(app, view, hold=0.02, ping=0.02)
    with app.test_client() as client:
        response = client.get("/")
        pieces = iter(response.response)
        assert [next(pieces), next(pieces)] == [b": ping\n\n", b": ping\n\n"]
        release.set()
        assert b"data: late" in b"".join(pieces)


# -- HEAD, reconnects, limits ---------------------------------------------------------------------


def test_head_runs_the_view_and_never_the_source(app: Flask):
    ran: list[str] = []

    def view() -> Any:
        ran.append("view")

        def source() -> Iterator[str]:
            ran.append("source")
            yield "a"

        return source()

    route(app, view)
    with app.test_client() as client:
        response = client.head("/")
    assert (response.status_code, response.data) == (200, b"")
    assert response.mimetype == "text/event-stream"
    assert ran == ["view"]


def test_head_applies_the_views_checks(app: Flask):
    def view() -> Any:
        abort(403)

    route(app, view)
    with app.test_client() as client:
        assert client.head("/").status_code == 403


@pytest.mark.parametrize(
    "make", [lambda: generator(), lambda: async_generator(), lambda: awaitable()]
)
def test_head_leaves_no_source_open(app: Flask, make: Any):
    made: list[Any] = []

    def view() -> Any:
        made.append(make())
        return made[0]

    route(app, view)
    with app.test_client() as client:
        client.head("/")
    frame = getattr(made[0], "gi_frame", None) or getattr(made[0], "ag_frame", None)
    assert frame is None


def test_a_reconnect_after_a_finished_stream_is_answered_204_and_runs_nothing(app: Flask):
    ran: list[bool] = []

    def view() -> Iterator[str]:
        ran.append(True)
        yield "a"

    route(app, view)
    response = get(app, headers={"Last-Event-ID": "[DONE]"})
    assert (response.status_code, response.data) == (204, b"")
    assert not ran


def test_another_last_event_id_is_no_reason_not_to_run(app: Flask):
    route(app, generator)
    assert get(app, headers={"Last-Event-ID": "41"}).status_code == 200


def test_over_max_streams_the_answer_is_503_with_retry_after(app: Flask):
    route(app, generator, max_streams=0)
    response = get(app)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


# -- the response ---------------------------------------------------------------------------------


def test_the_response_is_a_flask_response(app: Flask):
    @app.get("/")
    def view() -> Any:
        response = EventSourceResponse(
            generator(), status=201, headers={"X-Own": "1"}, dialect="delta"
        )
        assert isinstance(response, Response)
        response.set_cookie("seen", "yes")
        return response

    response = get(app)
    assert response.status_code == 201
    assert response.headers["X-Own"] == "1"
    assert "seen=yes" in response.headers["Set-Cookie"]
    assert b'data: {"text":"a"}' in response.data


def test_the_response_raises_within_hold_in_its_constructor(app: Flask):
    def failing() -> Iterator[str]:
        raise LookupError("early")
        yield

    @app.get("/")
    def view() -> Any:
        with pytest.raises(LookupError, match="early"):
            EventSourceResponse(failing())
        return "caught"

    assert get(app).data == b"caught"


def test_default_headers_are_exact(app: Flask):
    route(app, generator)
    headers = get(app).headers
    assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert headers["Cache-Control"] == "no-cache, no-transform"
    assert headers["X-Accel-Buffering"] == "no"
    assert "Connection" not in headers
    assert "Content-Length" not in headers


def test_a_users_header_wins(app: Flask):
    route(app, generator, status=202, headers={"cache-control": "no-store"})
    response = get(app)
    assert response.status_code == 202
    assert response.headers.getlist("Cache-Control") == ["no-store"]


def test_a_response_that_nobody_iterates_still_ends_its_source(app: Flask):
    closed = threading.Event()

    def source() -> Iterator[str]:
        with contextlib.ExitStack() as stack:
            stack.callback(closed.set)
            while True:
                yield "x"

    @app.get("/")
    @event_stream
    def view() -> Any:
        return source()

    @app.after_request
    def replace(response: Response) -> Response:
        response.close()
        return Response("another")

    assert get(app).data == b"another"
    assert closed.wait(5)


# -- mistakes -------------------------------------------------------------------------------------


class Answer:
    """Like a pydantic object: can be iterated, is an answer already."""

    model_fields = None

    def __iter__(self) -> Iterator[Any]:
        yield ("id", 1)


class DashScopeAnswer(dict[str, Any]):
    pass


@pytest.mark.parametrize("answer", [Answer(), DashScopeAnswer(status_code=200, output={})])
def test_forgetting_stream_true_is_told_at_once(app: Flask, answer: Any):
    app.testing = True
    route(app, lambda: answer)
    with pytest.raises(TypeError, match="did you forget stream=True"):
        get(app)


@pytest.mark.parametrize("answer", [Answer(), DashScopeAnswer(status_code=200, output={}), "text"])
def test_forgetting_it_inside_a_callable_is_told_within_hold(app: Flask, answer: Any):
    app.testing = True
    route(app, lambda: lambda: answer)
    with pytest.raises(TypeError, match="did you forget stream=True"):
        get(app)


def test_bad_options_are_told_where_they_are_written():
    with pytest.raises(ValueError, match="ping must not be negative, got -1"):
        event_stream(ping=-1)
    with pytest.raises(TypeError, match="pong"):
        event_stream(pong=1)  # type: ignore[call-overload]


def test_decorating_what_is_no_view_is_told():
    with pytest.raises(
        TypeError, match="decorates a view, got 'delta': did you mean dialect='delta'"
    ):
        event_stream("delta")  # type: ignore[call-overload]


def test_a_source_that_exits_does_not_take_the_server_with_it(app: Flask):
    app.testing = True

    def view() -> Iterator[str]:
        raise SystemExit(3)
        yield

    route(app, view)
    with pytest.raises(RuntimeError, match="SystemExit"):
        get(app)


def test_an_http_exception_keeps_its_own_response(app: Flask):
    def view() -> Iterator[str]:
        raise HTTPException(response=Response("mine", 451))
        yield

    route(app, view)
    response = get(app)
    assert (response.status_code, response.data) == (451, b"mine")
