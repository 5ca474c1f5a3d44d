"""The WSGI middleware around real frameworks: Flask, Django, and Werkzeug's ProxyFix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import anyio
import django
import flask
import pytest
from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path
from flask import Flask, Response, g, request, stream_with_context
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from cuts import read_cut
from sse_bridge import Ending, Summary
from sse_bridge.flask import event_stream
from sse_bridge.registry import streams
from sse_bridge.wsgi import Middleware

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
OURS = ("X-Accel-Buffering", "no")


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


def get(app: Any, path: str = "/", **arguments: Any) -> Any:
    return Client(app).get(path, buffered=True, **arguments)


# -- Flask ----------------------------------------------------------------------------------------


def hand_made() -> Response:
    def frames() -> Iterator[str]:
        yield f"data: {request.args['name']}\n\n"
        yield f"data: {g.user}\n\n"

    g.user = "ann"
    return Response(stream_with_context(frames()), mimetype="text/event-stream")


def failing() -> Response:
    def frames() -> Iterator[str]:
        yield "data: a\n\ndata: ha"
        raise LookupError("secret")

    return Response(frames(), mimetype="text/event-stream")


def failing_early() -> Response:
    def frames() -> Iterator[str]:
        raise LookupError("early")
        yield

    return Response(frames(), mimetype="text/event-stream")


def lines() -> Response:
    return Response(iter(['{"a":1}\n', '{"a":2}\n']), mimetype="application/x-ndjson")


@event_stream
def decorated() -> Iterator[str]:
    yield "a"


def flask_app(**options: Any) -> Flask:
    app = Flask("test")
    for view in (hand_made, failing, failing_early, lines, decorated):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    app.add_url_rule("/", view_func=lambda: "home", endpoint="home")
    app.add_url_rule("/address", view_func=lambda: str(request.remote_addr), endpoint="address")
    app.wsgi_app = Middleware(validator(app.wsgi_app), **options)  # type: ignore[assignment,arg-type,method-assign]
    return app


def test_a_hand_made_flask_stream_is_streamed_with_its_context():
    torn_down: list[Any] = []
    summaries: list[Summary] = []
    app = flask_app(on_end=summaries.append)
    app.teardown_request(torn_down.append)
    for _ in range(3):  # nothing of one request is left on the thread for the next
        response = get(validator(app), "/hand_made?name=bob")
        assert response.data == b"data: bob\n\ndata: ann\n\n"
        assert OURS in response.headers.items()
        assert not flask.has_request_context()
    assert [summary.ending for summary in summaries] == [Ending.FINISHED] * 3
    assert torn_down == [None] * len(torn_down)


def test_flasks_test_client_reads_it():
    with flask_app().test_client() as client:
        assert client.get("/hand_made?name=bob").data == b"data: bob\n\ndata: ann\n\n"


def test_a_flask_stream_that_fails_ends_truthfully():
    response = Client(flask_app()).get("/failing")
    data = read_cut(response)
    assert response.status_code == 200
    assert data.startswith(b"data: a\n\nevent: error\n")
    assert b"secret" not in data


def test_a_flask_stream_that_fails_early_is_raised_to_the_server():
    with pytest.raises(LookupError, match="early"):
        get(flask_app(), "/failing_early")


def test_a_flask_views_lines_become_events_for_who_asks():
    asking = {"Accept": "text/event-stream"}
    events = get(flask_app(), "/lines", headers=asking)
    assert events.data == b'data: {"a":1}\n\ndata: {"a":2}\n\n' + DONE
    assert get(flask_app(), "/lines").data == b'{"a":1}\n{"a":2}\n'


def test_our_own_decorator_inside_does_the_work():
    summaries: list[Summary] = []
    response = get(flask_app(end=True, on_end=summaries.append), "/decorated")
    assert response.data == b"data: a\n\n" + DONE
    assert summaries == []


def test_other_flask_answers_pass():
    assert get(validator(flask_app())).data == b"home"
    assert get(validator(flask_app()), "/none").status_code == 404


def test_proxy_fix_may_stand_below_and_above():
    forwarded = {"X-Forwarded-For": "192.0.2.1"}
    for above in (True, False):
        app = flask_app()
        inner: Any = app.wsgi_app.app  # type: ignore[attr-defined]
        wrapped = ProxyFix(Middleware(inner)) if above else Middleware(ProxyFix(inner))
        app.wsgi_app = wrapped  # type: ignore[assignment,method-assign]
        assert get(app, "/address", headers=forwarded).data == b"192.0.2.1"
        response = get(app, "/hand_made?name=bob", headers=forwarded)
        assert response.data == b"data: bob\n\ndata: ann\n\n"
        assert OURS in response.headers.items()


# -- Django ---------------------------------------------------------------------------------------


class Closing(Iterator[bytes]):
    """Frames that count their closings."""

    closed = 0

    def __init__(self) -> None:
        self._frames = iter([b"data: a\n\n", b"data: b\n\n"])

    def __next__(self) -> bytes:
        return next(self._frames)

    def close(self) -> None:
        type(self).closed += 1


def django_stream(_request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(Closing(), content_type="text/event-stream")


def django_failing(_request: Any) -> StreamingHttpResponse:
    def frames() -> Iterator[bytes]:
        yield b"data: a\n\n"
        raise LookupError("secret")

    return StreamingHttpResponse(frames(), content_type="text/event-stream")


def django_home(_request: Any) -> HttpResponse:
    return HttpResponse("home")


urlpatterns = [
    path("", django_home),
    path("stream", django_stream),
    path("failing", django_failing),
]


@pytest.fixture(scope="module")
def django_app() -> Any:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="a secret")
        django.setup(set_prefix=False)
    return validator(Middleware(validator(WSGIHandler())))  # type: ignore[arg-type]


def test_a_django_stream_is_streamed_and_closed(django_app: Any):
    Closing.closed = 0
    response = get(django_app, "/stream")
    assert response.data == b"data: a\n\ndata: b\n\n"
    assert OURS in response.headers.items()
    assert Closing.closed == 1


def test_a_django_stream_that_fails_ends_truthfully(django_app: Any):
    data = read_cut(Client(django_app).get("/failing"))
    assert data.startswith(b"data: a\n\nevent: error\n")
    assert b"secret" not in data


def test_other_django_answers_pass(django_app: Any):
    response = get(django_app)
    assert (response.data, OURS in response.headers.items()) == (b"home", False)
    assert get(django_app, "/none").status_code == 404


# -- a2wsgi ---------------------------------------------------------------------------------------


def test_a_stream_may_still_read_the_requests_body_under_a2wsgi():
    """There the watch has to read what the app has not read yet."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        body = environ["wsgi.input"]
        return (b"data: %s\n\n" % body.read(4) for _ in range(2))

    messages = [
        {"type": "http.request", "body": b"one ", "more_body": True},
        {"type": "http.request", "body": b"two ", "more_body": False},
    ]

    async def receive() -> Any:
        if not messages:
            await anyio.sleep_forever()
        return messages.pop(0)

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
    }

    async def run() -> None:
        with anyio.fail_after(20):
            await WSGIMiddleware(Middleware(app))(scope, receive, send)  # type: ignore[arg-type]

    anyio.run(run)
    assert b"".join(m.get("body", b"") for m in sent) == b"data: one \n\ndata: two \n\n"
