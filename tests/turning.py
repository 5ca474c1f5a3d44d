"""One request on a loop that is struck at a given turn: what becomes of its source, its `on_end` and its place."""

from __future__ import annotations

import asyncio
import gc
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import trio

from sse_bridge import Ending, Summary
from sse_bridge.registry import streams

App = Callable[[Any, Any, Any], Awaitable[None]]
LATE = 5.0  # seconds after which a loop that has not ended hangs

turn = anyio.lowlevel.checkpoint


class Source:
    """A source, of one kind or another, that knows how often it has begun and was closed."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.began = self.closed = 0
        self.ran_dry = False
        self.made: Any = getattr(self, kind)()

    @property
    def is_closed(self) -> bool:
        """Whether it is closed as often as it has begun; what has an `aclose` only, once in any case."""
        return self.closed == (1 if self.kind == "iterator" else self.began)

    def discard(self) -> None:
        """For a source that nobody came to."""
        if asyncio.iscoroutine(self.made):
            self.made.close()

    def sync(self) -> Iterator[str]:
        self.began += 1
        try:
            for _ in range(40):
                yield "a"
            self.ran_dry = True
        finally:
            self.closed += 1

    async def task(self) -> AsyncIterator[str]:
        self.began += 1
        try:
            for _ in range(8):
                yield "a"
                await turn()
            self.ran_dry = True
        finally:
            self.closed += 1

    async def blocked(self) -> AsyncIterator[str]:
        self.began += 1
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            self.closed += 1

    async def stubborn(self) -> AsyncIterator[str]:
        self.began += 1
        try:
            for _ in range(3):
                try:
                    yield "a"
                    await turn()
                    await turn()
                except anyio.get_cancelled_exc_class():
                    yield "not yet"
            self.ran_dry = True
        finally:
            self.closed += 1

    async def slow_to_close(self) -> AsyncIterator[str]:
        self.began += 1
        try:
            for _ in range(6):
                yield "a"
                await turn()
            self.ran_dry = True
        finally:
            self.closed += 1
            await turn()
            await turn()

    async def awaitable(self) -> AsyncIterator[str]:
        await turn()
        return self.task()

    def function(self) -> Callable[[], Any]:
        return self.task

    def function_on_a_thread(self) -> Callable[[], Any]:
        return lambda: self.task()

    def iterator(self) -> Any:
        return _Iterator(self)


class _Iterator:
    """It has an `aclose`, which takes its time, and no generator's end."""

    def __init__(self, source: Source) -> None:
        self._source, self._left = source, 8

    def __aiter__(self) -> _Iterator:
        self._source.began += 1
        return self

    async def __anext__(self) -> str:
        self._left -= 1
        if not self._left:
            self._source.ran_dry = True
            raise StopAsyncIteration
        await turn()
        return "a"

    async def aclose(self) -> None:
        self._source.closed += 1
        await turn()
        await turn()


KINDS = (
    *("sync", "task", "blocked", "stubborn", "slow_to_close", "awaitable", "function"),
    *("function_on_a_thread", "iterator"),
)


class Farewell:
    """An `on_end`, sync or async, that keeps what it was told."""

    def __init__(self, *, is_async: bool) -> None:
        self.told: list[Summary] = []
        self.call: Callable[[Summary], Any] = self._later if is_async else self.told.append

    async def _later(self, summary: Summary) -> None:
        self.told.append(summary)
        await turn()


class Client:
    """A client that stays, and what it was sent."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self._asked = False

    async def receive(self) -> Any:
        if self._asked:
            await anyio.sleep_forever()
        self._asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if len(self.sent) % 2:
            await turn()

    @property
    def heard_all(self) -> bool:
        """Whether it was sent a body with its end; one that is empty is the answer to nobody."""
        body = b"".join(message.get("body", b"") for message in self.sent)
        return bool(body) and self.sent[-1].get("more_body") is False


def scope() -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [(b"accept", b"text/event-stream")],
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }


class Request:
    """One request to `app`."""

    def __init__(self, app: App) -> None:
        self.client = Client()
        self.began = self.struck = self.is_over = False
        self.left = (0, 0)  # open streams and stragglers when it was over
        self.task: asyncio.Task[None] | None = None
        self.around: anyio.CancelScope | None = None
        self._app = app

    async def ask(self) -> None:
        self.began = True
        try:
            with anyio.CancelScope() as self.around:
                await self._app(scope(), self.client.receive, self.client.send)
        finally:
            self.left = (streams.open, streams.stragglers)
            self.is_over = True


Strike = Callable[[Request], None]


def cancel_the_request(request: Request) -> None:
    assert request.task is not None
    request.task.cancel()


def cancel_all(_: Request) -> None:
    """What `asyncio.run` does at its end, which then does it once more."""
    for task in asyncio.all_tasks():
        task.cancel()


def interrupt(_: Request) -> None:
    raise KeyboardInterrupt


def cancel_the_scope_around(request: Request) -> None:
    if request.around is not None:
        request.around.cancel()
    else:  # it has not begun
        cancel_the_request(request)


# Coroutines that it makes tasks of, which are cancelled before they begin.
_STARLETTES = re.compile(r"coroutine (object )?'?(BaseHTTPMiddleware|StreamingResponse)\.")

STRIKES = (cancel_the_request, cancel_all, interrupt, cancel_the_scope_around)


@contextmanager
def nothing_goes_astray() -> Iterator[list[Any]]:
    """No error finds nobody to be raised to, no task is forgotten, and no coroutine of ours is never awaited."""
    astray: list[Any] = []
    hook, sys.unraisablehook = sys.unraisablehook, astray.append
    try:
        yield astray
        gc.collect()
    finally:
        sys.unraisablehook = hook
    told = [seen if isinstance(seen, dict) else (seen.exc_value, seen.object) for seen in astray]
    assert [seen for seen in told if not _STARLETTES.search(repr(seen))] == []


def strike_at(turns: int, strike: Strike, app: App, *, new_loop: Any = None) -> Request:
    """Run one request on asyncio, do that to it at that turn of the loop, and see that nothing of it is left."""
    request = Request(app)

    def tick(left: int) -> None:
        if request.is_over:
            return
        if left:
            asyncio.get_running_loop().call_soon(tick, left - 1)
        else:
            request.struck = True
            strike(request)

    async def main() -> None:
        late = asyncio.get_running_loop().call_later(LATE, asyncio.get_running_loop().stop)
        request.task = asyncio.ensure_future(request.ask())
        tick(turns)
        await asyncio.wait([request.task])
        late.cancel()
        if not request.task.cancelled():
            await request.task

    with nothing_goes_astray() as astray, asyncio.Runner(loop_factory=new_loop) as runner:
        runner.get_loop().set_exception_handler(lambda _, context: astray.append(context))
        with suppress(asyncio.CancelledError, KeyboardInterrupt):
            runner.run(main())
    _check_place(request)
    return request


def strike_on_trio(turns: int, app: App, *, with_interrupt: bool) -> Request:
    """The same on trio, whose loop is cancelled around the request, or interrupted."""
    request = Request(app)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(request.ask)
            for _ in range(turns):
                await trio.lowlevel.cancel_shielded_checkpoint()
            request.struck = not request.is_over
            if with_interrupt:
                raise KeyboardInterrupt
            nursery.cancel_scope.cancel()

    with nothing_goes_astray():
        try:
            trio.run(main)
        except* KeyboardInterrupt:
            pass
    _check_place(request)
    return request


def _check_place(request: Request) -> None:
    assert request.left == (0, 0)
    assert (streams.open, streams.stragglers) == (0, 0)


def check_ending(request: Request, source: Source, told: list[Summary]) -> None:
    """The source was closed, and its `on_end` called once with an ending that is true."""
    if not request.began:
        source.discard()
        return
    if not told:  # it was struck before there was a stream
        assert not source.began
        assert not request.client.sent
        return
    assert source.is_closed, f"began {source.began} times, closed {source.closed}"
    assert len(told) == 1
    if request.client.heard_all:
        assert told[0].ending is Ending.FINISHED
    else:  # a source may have run dry, and then nobody was to hear it
        assert told[0].ending in ({Ending.GONE} | ({Ending.FINISHED} if source.ran_dry else set()))
