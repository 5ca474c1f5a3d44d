"""`max_streams_per`: each key has a number of streams, on every face, and gives each of its places back."""

from __future__ import annotations

import contextvars
import gc
import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import flask
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from endless import APPS
from sse_bridge import asgi, starlette, wsgi
from sse_bridge.drivers.threads import Body
from sse_bridge.flask import EventSourceResponse, event_stream
from sse_bridge.options import Options
from sse_bridge.registry import TooManyForKey, TooManyStreams, streams
from sse_bridge.testing import Client

PATIENCE = 10.0
Make = Callable[[], Any]


def let_end() -> None:
    """Wait for what ends beside us."""
    for thread in threading.enumerate():
        if thread.name in ("sse_bridge source", "sse_bridge forgotten"):
            thread.join(PATIENCE)


@pytest.fixture(autouse=True)
def _the_books_add_up() -> Iterator[None]:
    yield
    let_end()
    assert (streams.open, streams.stragglers, streams._of_key) == (0, 0, {})


# -- one app for each face ------------------------------------------------------------------------


def flask_response(make: Make, **options: Any) -> Any:
    app = flask.Flask("response")
    app.get("/")(lambda: EventSourceResponse(make(), **options))
    return app


def flask_whole(make: Make, **options: Any) -> Any:
    app = flask.Flask("whole")
    app.get("/")(event_stream(whole=True, **options)(lambda: make()))
    return app


def starlette_decorator(make: Make, **options: Any) -> Any:
    decorated = starlette.event_stream(**options)(lambda request: make())
    return Starlette(routes=[Route("/", decorated)])


def frames(make: Make) -> Iterator[bytes]:
    for text in make():
        yield f"data: {text}\n\n".encode()


def wsgi_middleware(make: Make, **options: Any) -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        return frames(make)

    return wsgi.Middleware(app, **options)


def asgi_middleware(make: Make, **options: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for body in frames(make):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return asgi.Middleware(app, **options)


FACES: dict[str, Callable[..., Any]] = {
    **APPS,
    "flask response": flask_response,
    "flask whole": flask_whole,
    "starlette decorator": starlette_decorator,
    "wsgi middleware": wsgi_middleware,
    "asgi middleware": asgi_middleware,
}
MIDDLEWARES = {name for name in FACES if "middleware" in name}
every_face = pytest.mark.parametrize("face", FACES)


def user(request: Any) -> str | None:
    """Whoever asks: Flask's request and Starlette's have headers, and bare ones are what the server gave."""
    if hasattr(request, "headers"):
        told = request.headers.get("x-user")
    elif "REQUEST_METHOD" in request:
        told = request.get("HTTP_X_USER")
    else:
        told = dict(request["headers"]).get(b"x-user", b"").decode()
    return told or None


def app_of(face: str, make: Make = lambda: itertools.repeat("text"), **options: Any) -> Any:
    return FACES[face](make, **{"max_streams": 1, "max_streams_per": user, **options})


def ask(app: Any, name: str = "", method: str = "GET", **headers: str) -> Any:
    asked = {"X-User": name, **{key.replace("_", "-"): value for key, value in headers.items()}}
    return Client(app, raise_app_exceptions=False).stream(method, "/", headers=asked)


def status(app: Any, name: str = "", method: str = "GET", **headers: str) -> int:
    with ask(app, name, method, **headers) as answer:
        return int(answer.status_code)


# -- what a key is given --------------------------------------------------------------------------


@every_face
def test_a_user_has_so_many_streams_whatever_others_have(face: str):
    app = app_of(face)
    with ask(app, "ann") as anns, ask(app, "bob") as bobs:
        assert (anns.status_code, bobs.status_code) == (200, 200)
        with ask(app, "ann") as refused:
            assert refused.status_code == 429
            assert int(refused.headers["retry-after"]) > 0
    assert status(app, "ann") == 200


@every_face
def test_who_has_no_key_has_no_limit(face: str):
    app = app_of(face, max_streams=0)
    with ask(app) as first, ask(app) as second:
        assert (first.status_code, second.status_code) == (200, 200)
    assert status(app, "ann") == 429


@every_face
def test_without_keys_the_number_is_the_processes_as_ever(face: str):
    keyed, alone = app_of(face), app_of(face, max_streams_per=None)
    with ask(keyed, "ann"):
        assert status(alone) == 503


@every_face
def test_a_stream_that_ends_gives_its_place_back(face: str):
    app = app_of(face, lambda: iter(["a"]))
    for _ in range(3):
        with ask(app, "ann") as answer:
            assert [event.data for event in answer.read()][:1] == ["a"]


# -- what opens no stream -------------------------------------------------------------------------


@every_face
def test_head_and_a_reconnect_after_the_end_take_no_place_and_ask_for_no_key(face: str):
    asked: list[object] = []
    more = {"end": True} if face in MIDDLEWARES else {}
    app = app_of(face, lambda: iter(["a"]), max_streams_per=asked.append, **more)
    assert status(app, "ann", "HEAD") == 200
    over = {"Last_Event_ID": "[DONE]", "Accept": "text/event-stream"}
    assert status(app, "ann", **over) == 204
    assert (asked, streams.open) == ([], 0)


@every_face
def test_a_refusal_of_a_server_that_stops_takes_no_place(face: str):
    app = app_of(face)
    streams.close()
    try:
        assert status(app, "ann") == 503
    finally:
        streams.reopen()
    assert status(app, "ann") == 200


def failing() -> Iterator[str]:
    raise LookupError("before the first chunk")
    yield ""


@every_face
def test_an_early_failure_gives_its_place_back(face: str):
    app = app_of(face, failing)
    for _ in range(3):
        assert status(app, "ann") == 500
        assert streams._of_key == {}


@every_face
@pytest.mark.parametrize("per", [lambda _: 1 / 0, lambda _: object()], ids=["raises", "no key"])
def test_a_callable_that_fails_is_an_early_failure_and_its_source_is_closed(face: str, per: Any):
    begun: list[int] = []
    made: list[Any] = []

    def source() -> Iterator[str]:
        begun.append(1)
        yield "a"

    def make() -> Iterator[str]:
        made.append(source())
        return made[-1]  # type: ignore[no-any-return]

    assert status(app_of(face, make, max_streams_per=per)) == 500
    if face not in MIDDLEWARES:  # whose apps run before it is known that they stream
        assert begun == []
        assert [one.gi_frame for one in made] in ([], [None])


def refuse(_: object) -> str:
    flask.abort(401)


def refuse_too(_: object) -> str:
    raise HTTPException(401)


@pytest.mark.parametrize(
    "face, per",
    [
        *((face, refuse) for face in FACES if "flask" in face),
        *((face, refuse_too) for face in ("starlette", "starlette decorator", "fastapi")),
    ],
)
def test_the_frameworks_own_refusal_in_a_callable_is_its_answer(face: str, per: Any):
    assert status(app_of(face, max_streams_per=per)) == 401


# -- Flask's decorator ----------------------------------------------------------------------------


@pytest.mark.parametrize("whole", [False, True])
def test_a_view_is_not_run_for_a_user_who_has_enough_and_the_key_is_asked_for_once(whole: bool):
    app, ran, asked = flask.Flask("once"), list[str](), list[str | None]()

    def per(request: Any) -> str | None:
        asked.append(user(request))
        return asked[-1]

    @app.get("/")
    @event_stream(max_streams=1, max_streams_per=per, whole=whole)
    def view() -> Any:
        ran.append("view")
        return itertools.repeat("text")

    with ask(app, "ann") as first:
        assert first.status_code == 200
        assert asked == ["ann"]
        assert status(app, "ann") == 429
    assert (ran, asked) == (["view"], ["ann", "ann"])


@pytest.mark.parametrize("own", [{}, {"max_streams": 5}], ids=["none", "of the process"])
def test_a_response_of_a_decorated_view_counts_for_the_views_user(own: Any):
    app = flask.Flask("response in a view")

    @app.get("/")
    @event_stream(max_streams=1, max_streams_per=user)
    def view() -> Any:
        return EventSourceResponse(itertools.repeat("text"), **own)

    with ask(app, "ann") as anns, ask(app, "bob") as bobs:
        assert (anns.status_code, bobs.status_code) == (200, 200)
        assert status(app, "ann") == 429


def test_where_there_is_no_request_there_is_no_limit():
    app = flask.Flask("no request")
    with app.app_context():
        response = EventSourceResponse(iter("a"), max_streams=0, max_streams_per=user)
        response.close()


# -- bare faces -----------------------------------------------------------------------------------


def test_the_wsgi_call_raises_what_says_429():
    environ = {"REQUEST_METHOD": "GET", "HTTP_X_USER": "ann"}
    with pytest.raises(TooManyStreams, match="0 streams of one key are open") as raised:
        wsgi.stream(iter("a"), environ, max_streams=0, max_streams_per=user)
    assert isinstance(raised.value, TooManyForKey)
    assert raised.value.status_code == 429


@pytest.mark.anyio
async def test_the_handshake_of_a_websocket_is_asked_of_too():
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "websocket", "headers": [(b"x-user", b"ann")]}
    response = starlette.EventSourceResponse(iter("a"), max_streams=1, max_streams_per=user)
    place = streams.reserve(None, "ann")
    with pytest.raises(HTTPException, match="429"):
        await response(scope, receive, send)
    streams.leave(place)
    assert sent == []


# -- killed, and in a crowd -----------------------------------------------------------------------


def opened(name: str = "ann", source: Any = None, **options: Any) -> Body:
    made = Options(max_streams=1, max_streams_per=lambda request: request, **options)
    source = itertools.repeat("text") if source is None else source
    return Body(source, made.for_request(name), contextvars.copy_context())


def test_a_body_that_its_server_forgets_gives_its_place_back():
    body = opened()
    next(body)
    with pytest.raises(TooManyForKey):
        opened()
    del body
    gc.collect()
    let_end()
    opened().close()


class ServersTimeOut(BaseException):
    """As gevent's, or gunicorn's SystemExit."""


@pytest.mark.parametrize("moment", ["conclude", "release"])
def test_a_time_out_while_a_stream_is_let_go_keeps_no_place(
    moment: str, monkeypatch: pytest.MonkeyPatch
):
    body, done = opened(), list[str]()
    next(body)
    real = getattr(body._connection, moment)

    def fail_once(*arguments: Any) -> Any:
        if not done:
            done.append(moment)
            raise ServersTimeOut
        return real(*arguments)

    monkeypatch.setattr(body._connection, moment, fail_once)
    with pytest.raises(ServersTimeOut):
        body.close()
    body.close()
    opened().close()


def test_a_source_that_outlives_its_stream_keeps_its_users_place():
    release = threading.Event()

    def stuck() -> Iterator[str]:
        yield "text"
        release.wait(PATIENCE)

    body = opened(source=stuck(), cleanup_timeout=0)
    next(body)
    body.close()
    assert streams.stragglers == 1
    with pytest.raises(TooManyForKey):
        opened()
    opened("bob").close()
    release.set()
    let_end()
    opened().close()


def test_in_a_rush_no_user_ever_has_more_streams_than_the_number():
    now, most, refused = dict.fromkeys("abc", 0), dict.fromkeys("abc", 0), [0]
    lock = threading.Lock()

    def source(name: str) -> Iterator[str]:
        with lock:
            now[name] += 1
            most[name] = max(most[name], now[name])
        yield "a"
        with lock:
            now[name] -= 1

    def rush(number: int) -> None:
        name = "abc"[number % 3]
        try:
            list(opened(name, source(name)))
        except TooManyForKey:
            refused[0] += 1

    with ThreadPoolExecutor(24) as clients:
        list(clients.map(rush, range(300)))
    assert most == dict.fromkeys("abc", 1)
    assert 0 < refused[0] < 300
