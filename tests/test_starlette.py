"""The Starlette face, in Starlette and in FastAPI."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from fastapi import Depends, FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket

from sse_bridge import UpstreamError
from sse_bridge.adapters import DashScope
from sse_bridge.registry import streams
from sse_bridge.starlette import EventSourceResponse

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
BODY = b"data: a\n\ndata: b\n\n" + DONE
BACKENDS = ["asyncio", "trio"]


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


def generator() -> Iterator[str]:
    yield from ["a", "b"]


async def async_generator() -> AsyncIterator[str]:
    yield "a"
    yield "b"


async def coroutine() -> Any:
    return async_generator()


async def coroutine_of_sync() -> Any:
    return generator()


def app_for(make: Any, *, middleware: Any = (), **options: Any) -> Starlette:
    async def endpoint(request: Request) -> Response:
        return EventSourceResponse(make(), **options)

    methods = ["GET", "POST", "PUT"]
    return Starlette(routes=[Route("/", endpoint, methods=methods)], middleware=middleware)


def client(app: Any, backend: Any = "asyncio", **arguments: Any) -> TestClient:
    return TestClient(app, backend=backend, **arguments)


# -- sources --------------------------------------------------------------------------------------

SOURCES = {
    "a generator": generator,
    "an async generator": async_generator,
    "a list": lambda: ["a", "b"],
    "a generator function": lambda: generator,
    "an async generator function": lambda: async_generator,
    "a coroutine": coroutine,
    "a coroutine function": lambda: coroutine,
    "a lambda that gives a coroutine": lambda: lambda: coroutine(),
    "a coroutine that gives a sync source": coroutine_of_sync,
    "a lambda that gives a sync source": lambda: lambda: generator(),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", SOURCES.values(), ids=SOURCES.keys())
def test_every_kind_of_source_streams(make: Any, backend: str):
    assert client(app_for(make), backend).get("/").content == BODY


@pytest.mark.parametrize("source", ["text", b"bytes", {"a": 1}, 5, None])
def test_what_is_no_source_is_told_at_once(source: Any):
    with pytest.raises(TypeError, match="source"):
        EventSourceResponse(source)


@pytest.mark.parametrize("source", ["text", {"a": 1}])
def test_forgetting_stream_true_is_asked_about(source: Any):
    with pytest.raises(TypeError, match="did you forget stream=True"):
        EventSourceResponse(source)


def test_forgetting_it_in_what_was_awaited_is_told_within_hold():
    async def answer() -> Any:
        return {"an": "answer"}

    with pytest.raises(TypeError, match="did you forget stream=True"):
        client(app_for(answer)).get("/")


# -- the response ---------------------------------------------------------------------------------


def test_default_headers_are_exact():
    headers = client(app_for(generator)).get("/").headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-cache, no-transform"
    assert headers["x-accel-buffering"] == "no"
    assert "connection" not in headers
    assert "content-length" not in headers


def test_status_and_headers_are_the_users():
    app = app_for(generator, status_code=202, headers={"Cache-Control": "no-store", "X-Own": "1"})
    response = client(app).get("/")
    assert response.status_code == 202
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-own"] == "1"


def test_cookies_can_be_set_as_on_any_response():
    async def endpoint(request: Request) -> Response:
        response = EventSourceResponse(generator())
        response.set_cookie("seen", "yes")
        return response

    response = client(Starlette(routes=[Route("/", endpoint)])).get("/")
    assert response.cookies["seen"] == "yes"
    assert response.content == BODY


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_background_task_runs_after_the_stream(backend: str):
    ran: list[str] = []

    def source() -> Iterator[str]:
        yield "a"
        ran.append("source")

    app = app_for(source, background=BackgroundTask(ran.append, "background"))
    client(app, backend).get("/")
    assert ran == ["source", "background"]


def test_bad_options_are_told_at_once():
    with pytest.raises(ValueError, match="hold must not be negative, got -1"):
        EventSourceResponse(generator(), hold=-1)
    with pytest.raises(TypeError, match="pong"):
        EventSourceResponse(generator(), pong=1)  # type: ignore[call-arg]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_every_method_streams(method: str):
    assert client(app_for(generator)).request(method, "/", content=b"x").content == BODY


# -- hold -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_an_http_exception_before_the_first_chunk_is_a_real_status(kind: str, backend: str):
    def source() -> Iterator[str]:
        raise HTTPException(403, "no")
        yield

    async def async_source() -> AsyncIterator[str]:
        raise HTTPException(403, "no")
        yield

    response = client(app_for(source if kind == "sync" else async_source), backend).get("/")
    assert (response.status_code, response.text) == (403, "no")


def test_an_early_exception_reaches_the_apps_handler():
    async def handle(request: Request, error: Exception) -> Response:
        return JSONResponse({"code": getattr(error, "code", None)}, 429)

    async def source() -> AsyncIterator[Any]:
        yield {"status_code": 429, "code": "Throttling", "message": "m", "output": None}

    app = app_for(source, dialect="delta", adapter=DashScope(incremental_output=True))
    app.add_exception_handler(UpstreamError, handle)
    response = client(app).get("/")
    assert (response.status_code, response.json()) == (429, {"code": "Throttling"})


def test_an_early_exception_without_a_handler_is_a_500():
    def source() -> Iterator[str]:
        raise LookupError("x")
        yield

    response = client(app_for(source), raise_server_exceptions=False).get("/")
    assert response.status_code == 500


def test_an_early_exception_under_middleware_is_a_real_status():
    async def dispatch(request: Request, call_next: Any) -> Any:
        return await call_next(request)

    def source() -> Iterator[str]:
        raise HTTPException(401)
        yield

    app = app_for(source, middleware=[Middleware(BaseHTTPMiddleware, dispatch=dispatch)])
    assert client(app).get("/").status_code == 401


# -- endings --------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_failure_in_mid_stream_ends_in_the_dialect_and_once_in_the_log(
    backend: str, caplog: pytest.LogCaptureFixture
):
    async def source() -> AsyncIterator[str]:
        yield "a"
        raise LookupError("the secret")

    response = client(app_for(source), backend).get("/")
    assert response.status_code == 200
    assert response.content.startswith(b"data: a\n\nevent: error\ndata: {")
    assert b"secret" not in response.content
    assert b"done" not in response.content
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert [record.name for record in tracebacks] == ["sse_bridge"]
    assert "the secret" in caplog.text


def test_head_runs_the_endpoint_and_never_the_source():
    ran: list[bool] = []

    def source() -> Iterator[str]:
        ran.append(True)
        yield "a"

    response = client(app_for(source)).head("/")
    assert (response.status_code, response.content) == (200, b"")
    assert response.headers["content-type"].startswith("text/event-stream")
    assert not ran


@pytest.mark.parametrize("make", [generator, async_generator, coroutine])
def test_head_leaves_no_source_open(make: Any):
    made: list[Any] = []

    def remember() -> Any:
        made.append(make())
        return made[0]

    client(app_for(remember)).head("/")
    frames = [getattr(made[0], name, None) for name in ("gi_frame", "ag_frame", "cr_frame")]
    assert frames == [None, None, None]


def test_a_reconnect_after_a_finished_stream_is_answered_204_and_runs_nothing():
    ran: list[bool] = []

    def source() -> Iterator[str]:
        ran.append(True)
        yield "a"

    response = client(app_for(source)).get("/", headers={"Last-Event-ID": "[DONE]"})
    assert (response.status_code, response.content) == (204, b"")
    assert not ran


def test_over_max_streams_the_answer_is_503_with_retry_after():
    response = client(app_for(generator, max_streams=0)).get("/")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


# -- middleware -----------------------------------------------------------------------------------

STACKS: dict[str, Any] = {
    "gzip": [Middleware(GZipMiddleware, minimum_size=1)],
    "cors": [Middleware(CORSMiddleware, allow_origins=["*"])],
    "base": [
        Middleware(BaseHTTPMiddleware, dispatch=lambda request, call_next: call_next(request))
    ],
}
STACKS["all"] = [*STACKS["base"], *STACKS["gzip"], *STACKS["cors"]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS.keys())
def test_the_stream_passes_middleware_whole(stack: Any, backend: str):
    response = client(app_for(async_generator, middleware=stack), backend).get(
        "/", headers={"Origin": "http://a.example"}
    )
    assert response.content == BODY
    assert "content-encoding" not in response.headers


# -- contexts and threads -------------------------------------------------------------------------

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_source_sees_the_endpoints_context_and_keeps_its_own(kind: str):
    def source() -> Iterator[str]:
        yield variable.get()
        token = variable.set("inside")
        yield variable.get()
        variable.reset(token)
        yield variable.get()

    async def async_source() -> AsyncIterator[str]:
        for text in source():
            await asyncio.sleep(0)
            yield text

    def endpoint(request: Request) -> Response:  # runs in Starlette's thread pool
        variable.set("outside")
        return EventSourceResponse(source() if kind == "sync" else async_source())

    response = client(Starlette(routes=[Route("/", endpoint)])).get("/")
    assert response.content == b"data: outside\n\ndata: inside\n\ndata: outside\n\n" + DONE


def test_a_sync_source_runs_on_one_thread_of_its_own():
    threads: set[str] = set()

    def source() -> Iterator[str]:
        for _ in range(200):
            threads.add(threading.current_thread().name)
            yield "x"

    client(app_for(source)).get("/")
    assert threads == {"sse_bridge source"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_source_may_hold_a_cancel_scope_across_its_chunks(backend: str):
    import anyio

    async def source() -> AsyncIterator[str]:
        with anyio.fail_after(30):
            yield "a"
            await anyio.lowlevel.checkpoint()
            yield "b"

    assert client(app_for(source, ping=0.001), backend).get("/").content.endswith(DONE)


# -- FastAPI --------------------------------------------------------------------------------------


def test_a_fastapi_path_operation_streams_and_its_dependency_lives_as_long():
    events: list[str] = []

    async def session() -> AsyncIterator[str]:
        events.append("opened")
        yield "a session"
        events.append("closed")

    app = FastAPI()

    @app.post("/chat/{name}")
    async def chat(name: str, db: str = Depends(session)) -> EventSourceResponse:
        async def source() -> AsyncIterator[str]:
            yield f"{name} has {db}"
            events.append("streamed")

        return EventSourceResponse(source(), dialect="delta")

    response = client(app).post("/chat/bob")
    assert b'data: {"text":"bob has a session"}' in response.content
    assert events[0] == "opened"
    assert "streamed" in events


def test_a_fastapi_handler_answers_for_an_early_failure():
    app = FastAPI()

    @app.exception_handler(LookupError)
    async def handle(request: Request, error: LookupError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 418)

    @app.get("/")
    def read() -> EventSourceResponse:
        def source() -> Iterator[str]:
            raise LookupError("early")
            yield

        return EventSourceResponse(source())

    response = client(app).get("/")
    assert (response.status_code, response.json()) == (418, {"detail": "early"})


# -- odd places -----------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("make", [generator, async_generator])
def test_a_websocket_can_be_denied_with_a_stream(make: Any, backend: str):
    async def deny(websocket: WebSocket) -> None:
        await websocket.send_denial_response(EventSourceResponse(make(), 403, {"X-Own": "1"}))

    app = Starlette(routes=[WebSocketRoute("/", deny)])
    with (
        client(app, backend) as asks,
        pytest.raises(WebSocketDenialResponse) as denied,
        asks.websocket_connect("/"),
    ):
        raise AssertionError("it was accepted")
    assert (denied.value.status_code, denied.value.headers["x-own"]) == (403, "1")
    assert denied.value.content == BODY


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hold", [0, 5])
@pytest.mark.parametrize("make", [generator, async_generator])
def test_a_middleware_finds_at_the_end_what_it_put_into_its_context_at_the_start(
    make: Any, hold: float, backend: str
):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    resets: list[int] = []

    class Spans:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            tokens: list[Any] = []

            async def send_spanned(message: Any) -> None:
                if message["type"] == "http.response.start":
                    tokens.append(variable.set("span"))
                await send(message)
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    variable.reset(tokens.pop())
                    resets.append(1)

            await self.app(scope, receive, send_spanned)

    app = app_for(make, middleware=[Middleware(Spans)], hold=hold)
    with client(app, backend) as asks:
        assert asks.get("/").content == BODY
    assert resets == [1]
