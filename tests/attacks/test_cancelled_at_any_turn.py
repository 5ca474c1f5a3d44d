"""Attack: a request is cancelled, with or without all else, at each turn of its stream's life."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware as Around
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import StreamingResponse
from starlette.routing import Route

from sse_bridge import Ending
from sse_bridge.asgi import EventStream, Middleware
from sse_bridge.registry import streams
from sse_bridge.starlette import EventSourceResponse
from turning import (
    KINDS,
    STRIKES,
    Farewell,
    Source,
    Strike,
    cancel_all,
    cancel_the_request,
    check_ending,
    interrupt,
    strike_at,
    strike_on_trio,
)

# Each turn of a short stream's life, and some of the long silence of one that is blocked.
TURNS = (*range(30), *range(30, 100, 7))
NEVER = 10_000
IN_THE_APP = ("task", "blocked", "slow_to_close", "iterator")  # of which an app can make its frames


@pytest.fixture(autouse=True)
def _a_clean_place() -> Iterator[None]:
    streams.__init__()  # type: ignore[misc]  # what another test has left is not this one's
    gc.freeze()  # each strike collects the garbage: what is there already need not be looked through
    yield
    gc.unfreeze()


async def frames(source: Source) -> AsyncIterator[bytes]:
    try:
        async for chunk in source.made:
            yield f"data: {chunk}\n\n".encode()
    finally:
        await source.made.aclose()


def bare(source: Source, **options: Any) -> Any:
    made = source.made
    return EventStream((lambda _: made()) if inspect.isroutine(made) else made, **options)


def response(source: Source, **options: Any) -> Any:
    return EventSourceResponse(source.made, **options)


def around_ours(source: Source, **options: Any) -> Any:
    return Middleware(bare(source, **options))


def around_an_app(source: Source, **options: Any) -> Any:
    return Middleware(_app(source, b"text/event-stream", b""), **options)


def around_chunks(source: Source, **options: Any) -> Any:
    return Middleware(_app(source, b"application/x-ndjson", b'{"text": "a"}\n'), **options)


def around_one_that_listens(source: Source, **options: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        made = StreamingResponse(frames(source), media_type="text/event-stream")
        await made(scope, receive, send)

    return Middleware(app, **options)


def _app(source: Source, kind: bytes, line: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        told = frames(source)
        try:
            async for frame in told:
                body = line or frame
                await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            await told.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


FACES: dict[Any, tuple[str, ...]] = {
    bare: KINDS,
    response: ("sync", "task", "function", "iterator"),
    around_ours: KINDS,
    around_an_app: IN_THE_APP,
    around_chunks: IN_THE_APP,
    around_one_that_listens: IN_THE_APP,
}
CASES = [
    pytest.param(face, kind, id=f"{face.__name__}, {kind}")
    for face, kinds in FACES.items()
    for kind in kinds
]


def survives(face: Any, kind: str, run: Callable[[int, Any], Any], hold: float = 0) -> None:
    """Strike it at each turn, until it is over before that."""
    for turn in TURNS:
        source, farewell = Source(kind), Farewell(is_async=turn % 2 == 1)
        request = run(turn, face(source, hold=hold, cleanup_timeout=1, on_end=farewell.call))
        check_ending(request, source, farewell.told)
        if not request.struck:
            return


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__)
@pytest.mark.parametrize(("face", "kind"), CASES)
def test_a_stream_that_is_struck_at_any_turn_of_asyncio_ends_truthfully(
    face: Any, kind: str, strike: Strike
):
    survives(face, kind, lambda turn, app: strike_at(turn, strike, app))


@pytest.mark.parametrize("strike", [cancel_the_request, cancel_all], ids=["it", "all"])
@pytest.mark.parametrize("face", [bare, around_an_app, around_chunks])
def test_a_stream_that_is_struck_while_its_status_is_on_hold_ends_truthfully(
    face: Any, strike: Strike
):
    survives(face, "blocked", lambda turn, app: strike_at(turn, strike, app), hold=5)


@pytest.mark.skipif(not importlib.util.find_spec("uvloop"), reason="uvloop is not installed")
@pytest.mark.parametrize("face", FACES)
def test_a_stream_that_is_struck_at_any_turn_of_uvloop_ends_truthfully(face: Any):
    import uvloop  # type: ignore[import-not-found,unused-ignore]

    new_loop = uvloop.new_event_loop
    survives(face, "task", lambda turn, app: strike_at(turn, cancel_all, app, new_loop=new_loop))


@pytest.mark.parametrize("with_interrupt", [False, True], ids=["cancelled", "interrupted"])
@pytest.mark.parametrize(("face", "kind"), CASES)
def test_a_stream_that_is_struck_at_any_checkpoint_of_trio_ends_truthfully(
    face: Any, kind: str, with_interrupt: bool
):
    def run(turn: int, app: Any) -> Any:
        return strike_on_trio(turn * 4, app, with_interrupt=with_interrupt)

    survives(face, kind, run)


def test_all_that_is_cancelled_in_the_turn_in_which_a_middlewares_stream_opens_ends():
    source, farewell = Source("task"), Farewell(is_async=False)
    inner = _app(source, b"text/event-stream", b"")
    opened: list[bool] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        async def send_and_cancel(message: Any) -> None:
            await send(message)
            if not opened:
                opened.append(True)
                for task in asyncio.all_tasks():
                    task.cancel()

        await inner(scope, receive, send_and_cancel)

    wrapped = Middleware(app, on_end=farewell.call)
    request = strike_at(NEVER, interrupt, wrapped)
    check_ending(request, source, farewell.told)
    assert [summary.ending for summary in farewell.told] == [Ending.GONE]


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__)
@pytest.mark.parametrize("where", ["a response", "a middleware"])
def test_a_stream_that_is_struck_within_starlettes_own_middleware_ends_truthfully(
    where: str, strike: Strike
):
    async def through(request: Any, call_next: Any) -> Any:
        return await call_next(request)

    def run(turn: int) -> Any:
        source, farewell = Source("task"), Farewell(is_async=False)

        async def endpoint(_: Any) -> Any:
            if where == "a response":
                return EventSourceResponse(source.made, hold=0, on_end=farewell.call)
            return StreamingResponse(frames(source), media_type="text/event-stream")

        around = [Around(BaseHTTPMiddleware, dispatch=through)]
        if where == "a middleware":
            around.append(Around(Middleware, hold=0, on_end=farewell.call))
        app = Starlette(routes=[Route("/", endpoint)], middleware=around)
        request = strike_at(turn, strike, app)
        check_ending(request, source, farewell.told)
        return request

    for turn in TURNS:
        if not run(turn).struck:
            return


@pytest.mark.parametrize("kind", ["sync", "task", "blocked", "iterator"])
@pytest.mark.parametrize("face", [bare, response, around_ours])
def test_an_interrupt_out_of_the_servers_send_stops_the_source(face: Any, kind: str):
    for message in range(3):
        source, farewell = Source(kind), Farewell(is_async=False)
        app = face(source, hold=0, on_end=farewell.call)

        async def interrupted(
            scope: Any, receive: Any, send: Any, message: int = message, app: Any = app
        ) -> None:
            sent: list[Any] = []

            async def send_or_raise(said: Any) -> None:
                sent.append(said)
                if len(sent) > message:
                    raise KeyboardInterrupt
                await send(said)

            await app(scope, receive, send_or_raise)

        check_ending(strike_at(NEVER, cancel_all, interrupted), source, farewell.told)
        assert len(farewell.told) == 1
