"""What we use that others do not promise: looked at in the real packages, each of which may move it."""

from __future__ import annotations

import _socket
import ast
import asyncio
import asyncio.tasks
import contextvars
import dataclasses
import http.client
import inspect
import json
import json.encoder
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import cheroot.makefile
import cheroot.server
import flask
import flask.globals
import gunicorn.config
import gunicorn.workers.sync
import httpcore
import httpcore2
import hypercorn.asyncio.task_group
import hypercorn.config
import hypercorn.run
import openai
import pydantic
import pytest
import trio
import urllib3
import uvicorn
import waitress.adjustments
import waitress.channel
import waitress.parser
import waitress.task
from a2wsgi.wsgi import Body
from flask.ctx import _AppCtxGlobals
from openai.types.chat import ChatCompletionChunk
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

import signals
import sse_bridge
from sse_bridge import notice, private
from sse_bridge.private import IN_PLACE
from stalling import PATIENCE, StallingUpstream

SOURCE = Path(sse_bridge.__file__).parent
MODULES = {
    path.relative_to(SOURCE).with_suffix("").as_posix(): ast.parse(path.read_text("utf-8"))
    for path in SOURCE.rglob("*.py")
}

# -- the table -------------------------------------------------------------------------------------

# They begin with an underscore, and their packages' own documentation is what tells of them.
DOCUMENTED = {
    *("_exit", "_asdict", "_replace", "_current_frames", "_getframe"),  # os, namedtuple, sys
    "_thread",
    "_get_current_object",  # werkzeug's LocalProxy
}


def used_in(tree: ast.Module) -> Iterator[str]:
    """The names by which a module asks for an attribute or imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "").split("."))
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (part for alias in node.names for part in alias.name.split("."))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value  # for getattr


def made_in(tree: ast.Module) -> Iterator[str]:
    """The names that a module of ours gives."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Attribute | ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.attr if isinstance(node, ast.Attribute) else node.id
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__slots__":
            slots = [part for part in ast.walk(node.value) if isinstance(part, ast.Constant)]
            yield from (str(slot.value) for slot in slots)


def is_private(name: str) -> bool:
    dunder = name.startswith("__")
    return name.startswith("__pydantic" if dunder else "_") and name.isidentifier() and name != "_"


def test_no_module_uses_a_private_name_of_others_that_is_not_told():
    ours = {name for tree in MODULES.values() for name in made_in(tree)} | DOCUMENTED
    ours.discard("_asyncio_future_blocking")  # set on the future of another
    found = {
        name: module
        for module, tree in MODULES.items()
        if module != "private"
        for name in used_in(tree)
        if is_private(name) and name not in ours and module not in IN_PLACE.get(name, ())
    }
    assert found == {}


def test_what_is_told_to_stand_elsewhere_stands_there_and_nowhere_else():
    for name, modules in IN_PLACE.items():
        places = {where for where, tree in MODULES.items() if name in set(used_in(tree))}
        assert places - {"private"} == set(modules), name


@pytest.mark.parametrize("name", sorted({*made_in(MODULES["private"])} & {*vars(private)}))
def test_each_name_has_a_user_and_a_test(name: str):
    if name not in ("IN_PLACE", "Switch"):
        assert [where for where, tree in MODULES.items() if name in set(used_in(tree))]
        assert f"private.{name}" in Path(__file__).read_text("utf-8")


# -- asyncio and trio ------------------------------------------------------------------------------


def test_entering_and_leaving_a_task_changes_which_one_is_current():
    enter, leave = private.task_switch(asyncio.tasks)

    async def main() -> None:
        loop, me = asyncio.get_running_loop(), asyncio.current_task()
        other = loop.create_task(asyncio.sleep(0))
        leave(loop, me)
        try:
            assert asyncio.current_task() is None
            enter(loop, other)
            assert asyncio.current_task() is other
            leave(loop, other)
        finally:
            enter(loop, me)
        assert asyncio.current_task() is me
        await other

    asyncio.run(main())


def test_a_yielded_future_blocks_until_it_is_taken_as_its_task_would():
    async def main() -> None:
        async def wait() -> None:
            await future

        future = asyncio.get_running_loop().create_future()
        waiting = wait()
        assert waiting.send(None) is future
        assert future._asyncio_future_blocking is True
        private.take_future(future)
        assert future._asyncio_future_blocking is False
        assert await asyncio.wait_for(step_to_its_end(future, waiting), PATIENCE)

    asyncio.run(main())


async def step_to_its_end(future: asyncio.Future[None], waiting: Any) -> bool:
    """Whether a coroutine goes on when what it waits for is done."""
    asyncio.get_running_loop().call_soon(future.set_result, None)
    await future
    try:
        waiting.send(None)
    except StopIteration:
        return True
    return False


async def ctrl_c() -> Any:
    return signal.getsignal(signal.SIGINT)


@pytest.mark.parametrize("run", [lambda: asyncio.run(ctrl_c()), lambda: trio.run(ctrl_c)])
def test_a_loops_handler_of_ctrl_c_is_of_the_module_that_we_know(run: Callable[[], Any]):
    with signals.kept():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        assert notice._module(run()) in private.LOOPS_CTRL_C


# -- json ------------------------------------------------------------------------------------------


def writer() -> Callable[[Any], str]:
    write = private.json_writer(json.encoder, {}, repr, json.encoder.encode_basestring)
    return lambda value: "".join(write(value, 0))


def test_jsons_writer_takes_its_arguments_as_the_encoder_gives_them():
    value = {"b": [1, 2.5, None, True, 'é\u2028"\n'], "a": {}, "c": {1}}
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr)
    assert writer()(value) == encoder.encode(value)


@pytest.mark.parametrize("value, error", [(float("nan"), ValueError), ({(): 1}, TypeError)])
def test_jsons_writer_refuses_what_it_was_told_to(value: Any, error: type[Exception]):
    with pytest.raises(error):
        writer()([value])


def test_jsons_writer_finds_a_cycle_by_its_marks():
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(ValueError, match="Circular"):
        writer()(cycle)


def test_encode_basestring_writes_a_text_as_json_does():
    every = "".join(map(chr, range(0xD800))) + "\U0001f600"
    assert json.encoder.encode_basestring(every) == json.dumps(every, ensure_ascii=False)


# -- pydantic, dataclasses, openai -----------------------------------------------------------------


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    text: str = pydantic.Field("a", alias="Text")
    number: int = 1


def test_pydantic_keeps_fields_apart_from_what_its_class_does_not_name():
    model = Model(Text="b", more=2)  # type: ignore[call-arg] # what is more
    assert model.__dict__ == {"text": "b", "number": 1}
    assert model.__pydantic_extra__ == {"more": 2}
    chunk = ChatCompletionChunk.construct(id="1", choices=[], more=2)
    assert chunk.__dict__["id"] == "1"
    assert chunk.__pydantic_extra__ == {"more": 2}


@pytest.mark.parametrize("unset", [False, True])
def test_pydantics_serializer_writes_what_its_method_writes(unset: bool):
    model, method = Model(Text="b", more=2), Model.model_dump_json  # type: ignore[call-arg]
    assert method.__module__ == private.PYDANTICS_OWN
    by_alias = private.by_alias_of(method)
    assert by_alias is inspect.signature(method).parameters["by_alias"].default
    written = model.__pydantic_serializer__.to_json(
        model, by_alias=by_alias, exclude_unset=unset, warnings=False
    )
    assert written.decode() == model.model_dump_json(exclude_unset=unset)


def test_the_method_of_a_model_that_has_its_own_is_not_pydantics():
    class Own(Model):
        def model_dump_json(self, **_: Any) -> str:  # type: ignore[override]
            return ""

    assert Own.model_dump_json.__module__ != private.PYDANTICS_OWN


def test_the_base_class_of_a_stainless_sdk_has_the_keyword():
    makers = [
        base
        for base in ChatCompletionChunk.__mro__
        if private.STAINLESS in (getattr(vars(base).get("to_dict"), "__kwdefaults__", None) or ())
    ]
    assert [base.__module__.partition(".")[0] for base in makers] == ["openai"]
    assert issubclass(openai.BaseModel, makers[0])


def test_a_dataclass_is_told_by_its_fields():
    @dataclasses.dataclass
    class Event:
        data: str

    name = "__dataclass_fields__"
    assert list(getattr(Event, name)) == list(getattr(Event("a"), name)) == ["data"]


# -- clients ---------------------------------------------------------------------------------------


def by_http_client(upstream: StallingUpstream) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", upstream.port)
    connection.request("GET", "/")
    connection.getresponse().read()


def by_urllib3(upstream: StallingUpstream) -> None:
    response = urllib3.request("GET", upstream.url, retries=False, preload_content=False)
    next(response.stream(1), None)
    response.close()


def by_httpcore(upstream: StallingUpstream) -> None:
    httpcore.request("GET", upstream.url)


def by_httpcore2(upstream: StallingUpstream) -> None:
    httpcore2.request("GET", upstream.url)


def frames_of(
    read: Callable[[StallingUpstream], None], known: str, events: int | None = None
) -> list[tuple[str, str]]:
    """The modules and functions, innermost first, of a thread that a `known` client has wait for its upstream."""

    def reading() -> None:
        try:
            read(upstream)
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError):
            pass
        except (httpcore.NetworkError, httpcore.ProtocolError):
            pass
        except (httpcore2.NetworkError, httpcore2.ProtocolError):
            pass

    with StallingUpstream(events) as upstream:
        thread = threading.Thread(target=reading)
        thread.start()
        assert upstream.stalled.wait(PATIENCE)
        over = time.monotonic() + PATIENCE
        while not is_reading(found := innermost(thread), known):
            assert time.monotonic() < over, found
            time.sleep(0.002)
    thread.join(PATIENCE)
    return found


def is_reading(frames: list[tuple[str, str]], known: str) -> bool:
    return frames[0][1] in private.READS and client_of(frames)[0].startswith(known)


def client_of(frames: list[tuple[str, str]]) -> tuple[str, str]:
    return next(frame for frame in frames if frame[0] not in private.PLUMBING)


def innermost(thread: threading.Thread) -> list[tuple[str, str]]:
    frame: FrameType | None = sys._current_frames().get(thread.ident or 0)
    found = []
    while frame is not None:
        found.append((frame.f_globals["__name__"], frame.f_code.co_name))
        frame = frame.f_back
    return found


def test_http_clients_read_through_pythons_own_modules():
    # Before the headers; and amid the chunks of a body, which urllib3 reads itself.
    for read, events, known in zip(
        (by_http_client, by_urllib3), (None, 0), private.HTTP_CLIENTS, strict=True
    ):
        frames = frames_of(read, known, events)
        assert frames[0][0] in private.PLUMBING


def test_httpcore_and_its_successor_read_in_the_module_that_we_know():
    for read, module in zip((by_httpcore, by_httpcore2), private.HTTPCORE, strict=True):
        assert client_of(frames_of(read, module)) == (module, "read")


@pytest.mark.parametrize("package", [httpcore, httpcore2])
def test_httpcores_shared_connection_is_in_the_module_that_we_know(package: Any):
    shared, own = (
        kind.handle_request.__globals__["__name__"]
        for kind in (package.HTTP2Connection, package.HTTP11Connection)
    )
    assert shared.endswith(private.MULTIPLEXED)
    assert not own.endswith(private.MULTIPLEXED)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_what_wraps_a_socket_has_it_beneath(pair: tuple[socket.socket, socket.socket]):
    with pair[0].makefile("rb", buffering=0) as reader:
        assert private.socket_beneath(reader) is pair[0]
    for name in private.HTTPCORE:
        assert private.socket_beneath(import_module(name).SyncStream(pair[0])) is pair[0]


# -- Flask -----------------------------------------------------------------------------------------


@pytest.fixture
def app() -> flask.Flask:
    return flask.Flask(__name__)


def test_flasks_variables_hold_its_contexts_and_their_tokens_undo_a_push(app: flask.Flask):
    def push_and_undo() -> None:
        context = app.test_request_context()
        context.push()
        variables = private.context_variables(flask.globals)
        assert variables is not None
        request_var, app_var = variables
        assert request_var.get() is context
        token, pushed = private.tokens_of(context).pop()
        assert app_var.get() is pushed
        request_var.reset(token)
        assert not flask.has_request_context()
        app_var.reset(private.tokens_of(pushed).pop())
        assert not flask.has_app_context()

    contextvars.copy_context().run(push_and_undo)


def test_what_one_context_is_asked_for_is_called_at_the_end_of_another(app: flask.Flask):
    asked: list[str] = []
    with app.test_request_context():
        of_the_request = flask.globals.request_ctx._get_current_object()  # type: ignore[attr-defined]
        with of_the_request.copy() as copied:
            private.share_after_requests(copied, of_the_request)

            @flask.after_this_request
            def called(response: flask.Response) -> flask.Response:
                asked.append("called")
                return response

        app.process_response(flask.Response())
    assert asked == ["called"]


def test_g_is_of_the_class_that_we_derive_from_and_holds_all_in_its_dict(app: flask.Flask):
    assert flask.Flask.app_ctx_globals_class is _AppCtxGlobals
    with app.app_context():
        flask.g.a = 1
        assert vars(flask.g._get_current_object()) == {"a": 1}
        assert type(flask.g._get_current_object()) is _AppCtxGlobals


def test_stream_with_context_keeps_its_generator_where_we_find_it(app: flask.Flask):
    inner = iter("ab")
    with app.test_request_context():
        wrapped: Any = flask.stream_with_context(inner)
        assert private.within_stream_with_context(wrapped, flask.stream_with_context) is inner
        wrapped.close()
    assert private.within_stream_with_context(wrapped, flask.stream_with_context) is None
    mine = (letter for letter in "ab")
    assert private.within_stream_with_context(mine, flask.stream_with_context) is None


# -- servers that stop -----------------------------------------------------------------------------


async def nothing(scope: Any, receive: Any, send: Any) -> None:
    """An app that is never called."""


def test_uvicorn_shows_by_its_handler_whether_it_stops():
    async def main() -> None:
        server = uvicorn.Server(uvicorn.Config(nothing, port=0, lifespan="off", log_level="error"))
        assert not private.uvicorn_stops(server)
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0)
        assert private.server_of(signal.getsignal(signal.SIGTERM)) is server
        assert not private.uvicorn_stops(server)
        assert server.servers
        server.servers[0].close()
        assert private.uvicorn_stops(server)
        server.servers.clear()
        server.should_exit = True
        assert private.uvicorn_stops(server)
        await serving

    with signals.kept():
        asyncio.run(main())


def test_gunicorns_worker_shows_by_its_handler_whether_it_stops(monkeypatch: pytest.MonkeyPatch):
    config = gunicorn.config.Config()
    config.set("timeout", 7)
    worker = gunicorn.workers.sync.SyncWorker(1, 1, [], None, 30, config, None)
    handlers: dict[int, Any] = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(signal, "siginterrupt", nothing_of_it)
    monkeypatch.setattr(signal, "set_wakeup_fd", nothing_of_it)
    worker.PIPE = [-1, -1]
    worker.init_signals()
    worker.tmp.close()
    assert private.server_of(handlers[signal.SIGTERM]) is worker
    assert not private.gunicorn_stops(worker)
    assert private.gunicorn_timeout(worker) == 7
    worker.handle_exit(signal.SIGTERM, None)
    assert private.gunicorn_stops(worker)


def nothing_of_it(*_: Any) -> int:
    return -1


def test_hypercorn_gives_its_worker_the_event_where_we_find_it():
    class Unstarted(multiprocessing.Process):
        def start(self) -> None: ...

    event, workers = threading.Event(), []
    sockets = hypercorn.config.Sockets([], [], [])
    context = SimpleNamespace(Process=Unstarted)
    hypercorn.run._populate(workers, hypercorn.config.Config(), print, sockets, event, context)
    (worker,) = workers
    assert not private.hypercorn_stops(worker)
    event.set()
    assert private.hypercorn_stops(worker)
    assert not private.hypercorn_stops(multiprocessing.current_process())


# -- servers' connections --------------------------------------------------------------------------


def test_waitresss_function_is_a_method_of_what_has_the_socket(
    pair: tuple[socket.socket, socket.socket],
):
    adjustments = waitress.adjustments.Adjustments()
    server = SimpleNamespace(server_name="a", effective_port=80, effective_host="a")
    server.adj, server.active_channels = adjustments, {}
    channel = waitress.channel.HTTPChannel(server, pair[0], ("a", 1), adjustments, map={})
    request = waitress.parser.HTTPRequestParser(adjustments)
    request.received(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    environ = waitress.task.WSGITask(channel, request).get_environment()
    assert private.waitress_socket(environ["waitress.client_disconnected"]) is pair[0]


def test_cheroots_bodies_have_the_connections_reader_beneath(
    pair: tuple[socket.socket, socket.socket],
):
    with cheroot.makefile.MakeFile(pair[0], "rb") as reader:
        known = cheroot.server.KnownLengthRFile(reader, 3)
        chunked = cheroot.server.ChunkedRFile(reader, 3)
        for body in (known, chunked, cheroot.server.SizeCheckWrapper(known, 3)):
            assert private.innermost_reader(body) is reader
        assert reader.fileno() == pair[0].fileno()


def test_a2wsgis_body_asks_the_receive_that_it_was_given_last():
    async def theirs() -> dict[str, Any]:
        raise AssertionError("it was replaced")

    async def ours() -> dict[str, Any]:
        return {"type": "http.request", "body": b"ours"}

    async def main() -> None:
        body = Body(asyncio.get_running_loop(), theirs)
        assert private.is_a2wsgis(body)
        assert body.loop is asyncio.get_running_loop()
        assert body.receive is theirs
        body.receive = ours
        assert await asyncio.to_thread(body.read) == b"ours"

    asyncio.run(main())


CYCLES = ["uvicorn.protocols.http.h11_impl", "uvicorn.protocols.http.httptools_impl"]


@pytest.mark.parametrize("module", CYCLES)
def test_uvicorns_receive_is_its_own_and_leads_to_the_transport(module: str):
    kind = import_module(module).RequestResponseCycle
    names = kind.__init__.__code__.co_varnames[1 : kind.__init__.__code__.co_argcount]
    cycle = kind(**{name: MagicMock() for name in names})
    assert cycle.receive.__module__.startswith(private.SERVERS_RECEIVE)
    assert private.transport_behind(cycle.receive) is cycle.transport
    assert {"abort", "is_closing"} <= {*dir(asyncio.Transport)}


def test_hypercorns_receive_is_a_queues_own():
    async def main() -> Any:
        receives = []

        async def over(message: None) -> None: ...

        async def wrapped(scope: Any, receive: Any, *_: Any) -> None:
            receives.append(receive)

        loop = asyncio.get_running_loop()
        async with hypercorn.asyncio.task_group.TaskGroup(loop) as group:
            await group.spawn_app(wrapped, hypercorn.config.Config(), {"type": "http"}, over)
        return receives

    (receive,) = asyncio.run(main())
    assert receive.__module__.startswith(private.SERVERS_RECEIVE)
    assert private.transport_behind(receive) is None


def test_a_middlewares_app_is_found_by_one_of_the_names(app: flask.Flask):
    for wrapper in (ProxyFix(app), DispatcherMiddleware(app), app.wsgi_app):
        assert app in [getattr(wrapper, name, None) for name in private.WRAPPED]


# -- the system's own socket -----------------------------------------------------------------------


def test_the_systems_own_socket_takes_a_descriptor_and_gives_it_back(
    pair: tuple[socket.socket, socket.socket],
):
    own = _socket.socket(fileno=pair[0].fileno())
    own.shutdown(socket.SHUT_WR)
    assert pair[1].recv(1) == b""
    assert own.detach() == pair[0].fileno()
    os.fstat(pair[0].fileno())


UNDER_GEVENT = """
from gevent import monkey
monkey.patch_all()
import _socket, socket
print(socket.socket.__module__, _socket.socket.__module__)
"""


def test_gevent_leaves_the_systems_own_socket_in_its_place():
    ran = subprocess.run(
        [sys.executable, "-c", UNDER_GEVENT],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    replaced, own = ran.stdout.split()
    assert replaced.startswith("gevent.")
    assert own == "_socket"
