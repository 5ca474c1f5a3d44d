"""The ASGI server for one request, an app's lifespan, and the loop for tests that have none."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from sse_bridge.starlette import EventSourceResponse
from sse_bridge.testing import AsyncClient, Client, no_open_streams  # noqa: F401

EVENTS = [(b"content-type", b"text/event-stream")]
START = {"type": "http.response.start", "status": 200, "headers": EVENTS}


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(app: Any, **settings: Any) -> Any:
    return Client(app, **settings).stream("GET", "/")


def body(data: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


# -- a request ------------------------------------------------------------------------------------


def test_a_stream_of_starlettes_own_is_read_and_hung_up(backend: str):
    seen, waits = [], threading.Event()

    async def source() -> AsyncIterator[str]:
        try:
            for _ in range(3):
                yield "data: a\n\n"
            waits.set()  # cancelled elsewhere, a generator is closed by the collector only
            await anyio.sleep_forever()
        except BaseException as error:
            seen.append(type(error).__name__)
            raise

    async def endpoint(_: Request) -> Any:
        return StreamingResponse(source(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/", endpoint)])
    with ask(app, backend=backend) as stream:
        assert [event.data for event in stream.take(3)] == ["a", "a", "a"]
        assert waits.wait(5)
        stream.hang_up()
        assert seen == ["CancelledError" if backend == "asyncio" else "Cancelled"]
        with pytest.raises(RuntimeError, match="not a stream of sse_bridge's"):
            stream.summary  # noqa: B018


def test_an_app_that_goes_on_sending_waits_for_its_reader_and_is_ended(backend: str):
    sent = 0

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send(START)
        while True:
            await send(body(b"data: " + b"a" * 1000 + b"\n\n"))
            sent += 1

    with ask(app, backend=backend) as stream:
        stream.take(3)
        assert sent < 10
        with pytest.raises(
            AssertionError, match=r"the app still runs 0\.1 s after the client disconnected"
        ):
            stream.hang_up(timeout=0.1)
        stream._server.abandon()


def test_the_request_is_told_and_then_the_hang_up(backend: str):
    heard = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        heard.append(await receive())
        await send(START)
        await send(body(b"data: a\n\n"))
        heard.extend([await receive(), await receive()])

    client = Client(app, backend=backend)
    with client.stream("POST", "/", content=b"x") as stream:
        stream.take()
    request, *rest = heard
    assert request == {"type": "http.request", "body": b"x", "more_body": False}
    assert rest == [{"type": "http.disconnect"}] * 2


@pytest.mark.parametrize(
    "messages",
    [[body(b"a")], [START, START], [START, body(b"", more=False), body(b"a")], [{"type": "x"}]],
    ids=["body first", "two starts", "body after its end", "unknown"],
)
def test_what_no_server_takes_is_refused(messages: list[Any]):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    with pytest.raises(RuntimeError, match="unexpected message"), ask(app):
        pass


def test_a_failure_before_the_answer_is_raised_or_a_500(backend: str):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), ask(app, backend=backend):
        pass
    with ask(app, backend=backend, raise_app_exceptions=False) as stream:
        assert stream.status_code == 500


def test_what_a_framework_answers_and_raises_is_raised():
    async def endpoint(_: Request) -> Any:
        raise ZeroDivisionError

    app = Starlette(routes=[Route("/", endpoint)])
    with pytest.raises(ZeroDivisionError), ask(app):
        pass


def test_a_failure_in_the_middle_is_raised_where_the_next_event_is_wanted(backend: str):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"data: a\n\n"))
        raise ZeroDivisionError

    with ask(app, backend=backend) as stream:
        stream.take()
        with pytest.raises(ZeroDivisionError):
            stream.take()


def test_a_background_task_is_waited_for():
    ran = []

    async def endpoint(_: Request) -> Any:
        return EventSourceResponse(["a"], background=BackgroundTask(ran.append, True))

    with ask(Starlette(routes=[Route("/", endpoint)])) as stream:
        stream.read()
    assert ran == [True]


# -- a lifespan -----------------------------------------------------------------------------------


def with_lifespan(told: list[str], *, fails: str = "") -> Starlette:
    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        if fails == "startup":
            raise ZeroDivisionError
        told.append("startup")
        async with anyio.create_task_group():  # which is to be left in the task that entered it
            yield {"state": "mine"}
        if fails == "shutdown":
            raise ZeroDivisionError
        told.append("shutdown")

    async def endpoint(request: Request) -> Any:
        return JSONResponse(getattr(request.state, "state", None))

    return Starlette(routes=[Route("/", endpoint)], lifespan=lifespan)


def test_a_client_that_is_entered_runs_the_lifespan(backend: str):
    told: list[str] = []
    with Client(with_lifespan(told), backend=backend) as client:
        assert told == ["startup"]
        with client.stream("GET", "/") as first, client.stream("GET", "/") as second:
            assert first.json() == second.json() == "mine"
    assert told == ["startup", "shutdown"]


@pytest.mark.anyio
async def test_so_does_one_in_a_loop():
    told: list[str] = []
    async with AsyncClient(with_lifespan(told)) as client:
        async with client.stream("GET", "/") as stream:
            assert stream.json() == "mine"
        assert told == ["startup"]
    assert told == ["startup", "shutdown"]


def test_without_that_there_is_none():
    told: list[str] = []
    with ask(with_lifespan(told)) as stream:
        assert stream.json() is None
    assert told == []


@pytest.mark.parametrize("fails", ["startup", "shutdown"])
def test_what_a_lifespan_raises_is_raised(fails: str, backend: str):
    app = with_lifespan([], fails=fails)
    with pytest.raises(ZeroDivisionError), Client(app, backend=backend):
        pass


@pytest.mark.anyio
@pytest.mark.parametrize("fails", ["startup", "shutdown"])
async def test_so_it_is_in_a_loop(fails: str):
    client = AsyncClient(with_lifespan([], fails=fails))
    with pytest.raises(ZeroDivisionError):
        async with client:
            pass


def test_a_lifespan_that_says_it_failed_is_told():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})

    with pytest.raises(RuntimeError, match="the app's lifespan failed: no database"), Client(app):
        pass


def test_an_app_without_a_lifespan_needs_none(backend: str):
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send(START)
        await send(body(b"data: a\n\n", more=False))

    with Client(app, backend=backend) as client, client.stream("GET", "/") as stream:
        assert stream.take()[0].data == "a"


def test_a_lifespan_that_does_not_start_is_told():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(10)

    late = pytest.raises(AssertionError, match=r"the app's startup takes longer than 0\.1 s")
    with late, Client(app, timeout=0.1):
        pass


@pytest.mark.anyio
async def test_nor_does_it_keep_a_loop_waiting():
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await anyio.sleep(10)

    with pytest.raises(AssertionError, match=r"the app's startup takes longer than 0\.1 s"):
        async with AsyncClient(app, timeout=0.1):
            pass


# -- a loop ---------------------------------------------------------------------------------------


def test_an_unknown_loop_is_told():
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(RuntimeError, match="no loop could be started"), ask(app, backend="curio"):
        pass


def test_what_keeps_a_loop_from_ending_is_told():
    release = threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"data: a\n\n", more=False))
        await anyio.to_thread.run_sync(release.wait, 10)

    def test() -> None:
        with ask(app, timeout=0.2) as stream:
            stream.take()

    with pytest.raises(AssertionError, match=r"runs 0\.2 s"):
        test()
    release.set()


@pytest.mark.anyio
async def test_a_client_with_a_loop_of_its_own_works_within_another(backend: str):
    async def endpoint(_: Request) -> Any:
        await anyio.lowlevel.checkpoint()
        return EventSourceResponse(["a"])

    with ask(Starlette(routes=[Route("/", endpoint)]), backend=backend) as stream:
        assert stream.take()[0].data == "a"
