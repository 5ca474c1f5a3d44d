"""WSGI apps that run on one thread with their results, and the frameworks that need it."""

from __future__ import annotations

import contextvars
import logging
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from sse_bridge.middleware.wsgi_whole import keeps_to_its_thread
from sse_bridge.registry import streams
from sse_bridge.wsgi import Middleware
from wsgi_server import Server

EVENTS = ("Content-Type", "text/event-stream")
App = Callable[..., Any]


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    yield
    assert streams.open == 0
    for thread in threading.enumerate():
        if thread.name == "sse_bridge source":
            thread.join(5)
            assert not thread.is_alive()


# -- frameworks -----------------------------------------------------------------------------------


def bottle_app() -> App:
    import bottle

    app = bottle.Bottle()

    @app.get("/stream")
    def stream() -> Iterator[str]:
        bottle.response.content_type = "text/event-stream"
        for number in range(3):
            yield f"data: {bottle.request.query.q}{number}\n\n"

    @app.get("/page")
    def page() -> str:
        return f"hi {bottle.request.query.q}"

    made: App = app
    return made


def web_app() -> App:
    import web

    class Stream:
        def GET(self) -> Iterator[str]:
            web.header("Content-Type", "text/event-stream")
            for number in range(3):
                yield f"data: {web.input().q}{number}\n\n"

    class Page:
        def GET(self) -> str:
            return f"hi {web.input().q}"

    pages = {"Stream": Stream, "Page": Page}
    made: App = web.application(("/stream", "Stream", "/page", "Page"), pages).wsgifunc()
    return made


def cherrypy_app() -> App:
    import cherrypy

    class Root:
        @cherrypy.expose
        def stream(self, q: str) -> Iterator[str]:
            cherrypy.response.headers["Content-Type"] = "text/event-stream"
            return (f"data: {cherrypy.request.params['q']}{number}\n\n" for number in range(3))

        stream._cp_config = {"response.stream": True}  # noqa: RUF012

        @cherrypy.expose
        def page(self, q: str) -> str:
            return f"hi {q}"

    cherrypy.config.update({"environment": "embedded"})
    made: App = cherrypy.Application(Root())
    return made


FRAMEWORKS = {"bottle": bottle_app, "web.py": web_app, "cherrypy": cherrypy_app}
each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


@each_framework
def test_one_line_around_a_framework_of_thread_locals_streams_and_passes(framework: str):
    client = Client(Middleware(FRAMEWORKS[framework]()))
    streamed = client.get("/stream?q=x")
    assert streamed.get_data() == b"data: x0\n\ndata: x1\n\ndata: x2\n\n"
    assert streamed.headers["X-Accel-Buffering"] == "no"
    assert client.get("/page?q=y").get_data() == b"hi y"
    assert client.get("/nothing").status_code == 404


@each_framework
def test_they_are_known_behind_other_middlewares(framework: str):
    assert keeps_to_its_thread(ProxyFix(ProxyFix(FRAMEWORKS[framework]())))


def test_a_bound_method_of_such_an_app_is_known():
    assert keeps_to_its_thread(bottle_app().wsgi)  # type: ignore[attr-defined]


def test_other_apps_are_not():
    from flask import Flask

    app = Flask(__name__)
    for one in (app, app.wsgi_app, ProxyFix(app.wsgi_app), lambda environ, start: []):
        assert not keeps_to_its_thread(one)
        assert not Middleware(one)._whole


@pytest.mark.parametrize("whole", ["yes", 1, []])
def test_whole_is_true_false_or_none(whole: Any):
    with pytest.raises(TypeError, match="whole must be True, False or None, got"):
        Middleware(bottle_app(), whole=whole)


def test_a_package_that_is_only_called_web_is_not(monkeypatch: pytest.MonkeyPatch):
    def app(environ: Any, start_response: Any) -> list[bytes]:
        return []

    app.__module__ = "web.views"
    monkeypatch.setitem(sys.modules, "web", ModuleType("web"))
    assert not keeps_to_its_thread(app)


# -- one thread for all ---------------------------------------------------------------------------


class Database:
    """What sqlite3 gives, as far as threads go."""

    def __init__(self) -> None:
        self._thread = threading.get_ident()

    def ask(self, number: int) -> int:
        if threading.get_ident() != self._thread:
            raise sqlite3.ProgrammingError(
                "SQLite objects created in a thread can only be used in that same thread."
            )
        return number


def streaming(kind: str = "text/event-stream", **seen: list[Any]) -> App:
    """An app with a database that only its own thread may use, and that notes where its parts run."""

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        database = Database()
        start_response("200 OK", [("Content-Type", kind)])
        return rows(database)

    def rows(database: Database) -> Iterator[bytes]:
        try:
            for number in range(3):
                yield f"data: {database.ask(number)}\n\n".encode()
        finally:
            seen.get("closed", []).append(threading.current_thread().name)

    return app


ROWS = b"data: 0\n\ndata: 1\n\ndata: 2\n\n"


def whole(app: App, **options: Any) -> App:
    """Validated on both sides."""
    return validator(Middleware(validator(app), whole=True, **options))


@pytest.mark.parametrize("kind", ["text/event-stream", "text/csv"])
def test_the_app_its_result_and_its_close_are_on_one_thread(kind: str):
    closed: list[str] = []
    assert Server().run(whole(streaming(kind, closed=closed))).body == ROWS
    assert closed == ["sse_bridge source"]


@pytest.mark.parametrize("kind", ["text/event-stream", "text/csv"])
def test_so_it_is_where_the_server_closes_early(kind: str):
    closed: list[str] = []
    server = Server().open(whole(streaming(kind, closed=closed)))
    assert next(iter(server.result)).startswith(b"data: 0\n\n")
    server.close()
    assert closed == ["sse_bridge source"]


def test_without_it_the_error_carries_a_note_that_names_the_option(
    caplog: pytest.LogCaptureFixture,
):
    with pytest.raises(sqlite3.ProgrammingError) as raised:
        Server().run(Middleware(streaming()))
    assert any("whole=True" in note for note in raised.value.__notes__)


def test_with_it_another_error_carries_none():
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        raise RuntimeError("Working outside of request context.")
        yield b""

    with pytest.raises(RuntimeError) as raised:
        Server().run(Middleware(app, whole=True))
    assert not hasattr(raised.value, "__notes__")


# -- the servers side -----------------------------------------------------------------------------


def test_the_servers_functions_are_called_on_its_own_thread():
    threads: list[threading.Thread] = []

    class Noting(Server):
        def start_response(self, *arguments: Any) -> Any:
            threads.append(threading.current_thread())
            write = super().start_response(*arguments)
            return lambda data: (threads.append(threading.current_thread()), write(data))

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"written ")
        return [b"returned"]

    assert Noting().run(Middleware(app, whole=True)).body == b"written returned"
    assert threads == [threading.current_thread()] * 2


def test_what_the_server_raises_reaches_the_app():
    def app(environ: Any, start_response: Any) -> list[bytes]:
        try:
            start_response("200 OK", [("Content-Type", "text/plain")])
        except ValueError as error:
            return [str(error).encode()]
        return []

    class Refusing(Server):
        def start_response(self, *arguments: Any) -> Any:
            self.told.append(("500", []))
            raise ValueError("refused")

    assert Refusing().run(Middleware(app, whole=True)).body == b"refused"


@pytest.mark.parametrize("error", [ValueError("own"), SystemExit(3), KeyboardInterrupt()])
def test_what_the_app_raises_is_raised_to_the_server(error: BaseException):
    def app(environ: Any, start_response: Any) -> list[bytes]:
        raise error

    with pytest.raises(type(error)):
        Server().run(Middleware(app, whole=True))


def test_it_runs_in_a_copy_of_the_servers_context():
    variable = contextvars.ContextVar("variable", default="unset")
    variable.set("servers")

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        found = variable.get()
        variable.set("apps")
        return [found.encode()]

    assert Server().run(whole(app)).body == b"servers"
    assert variable.get() == "servers"


def test_over_max_streams_the_result_is_closed_on_its_thread():
    closed: list[str] = []
    app = whole(streaming(closed=closed), max_streams=0)
    assert Server().run(app).status.startswith("503")
    assert closed == []  # it never began, and a generator that never began runs nothing


def test_a_result_that_the_server_forgets_lets_its_thread_end():
    server = Server().open(Middleware(streaming("text/csv"), whole=True))
    server.result = None


def test_a_failure_of_the_model_before_the_first_byte_is_a_status():
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        raise ConnectionError("the model is away")
        yield b""

    for on_one_thread in (True, False):
        server = Server().run(Middleware(app, whole=on_one_thread))
        assert server.status == "502 Bad Gateway"


@pytest.mark.parametrize("on_one_thread", [True, False])
def test_an_oserror_before_any_stream_is_raised_for_debuggers_and_reporters(on_one_thread: bool):
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        raise PermissionError("a file of the app's own")

    with pytest.raises(PermissionError):
        Server().run(Middleware(app, whole=on_one_thread))


@pytest.mark.parametrize("on_one_thread", [True, False])
def test_one_of_a_stream_that_has_begun_is_answered_for_servers_close_on_it(on_one_thread: bool):
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        raise PermissionError("a file of the app's own")
        yield b""

    server = Server().run(Middleware(app, whole=on_one_thread))
    assert server.status == "500 Internal Server Error"
    assert b"file" not in server.body


def test_a_failure_behind_it_ends_the_stream_as_ever(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.ERROR)

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [EVENTS])
        yield b"data: 1\n\n"
        raise ValueError("own")

    server = Server().run_cut(Middleware(app, whole=True))
    assert b"event: error" in server.body
