"""Attacks by sources that do what nobody should: the stream ends, once."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any
from unittest.mock import AsyncMock, MagicMock, NonCallableMagicMock

import pytest

import whatwg
from misused import (
    DONE,
    DRIVERS,
    PATIENCE,
    Raising,
    Run,
    boom,
    failure,
    gives,
    in_threads,
    streamed,
    wait_until_all_is_over,
)
from sse_bridge import Ending
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams


@pytest.fixture(autouse=True)
def _all_is_over() -> Iterator[None]:
    yield
    wait_until_all_is_over()


@DRIVERS
def test_a_source_that_is_used_up_already_is_an_empty_stream_and_where_a_model_speaks_a_failure(
    run: Run,
):
    used = iter(["a"])
    list(used)
    body, summary = streamed(run, used)
    assert whatwg.events(body) == [DONE]
    assert summary.ending is Ending.FINISHED
    body, summary = streamed(run, used, dialect="openai", hold=0)
    assert b'"code":"empty_answer"' in body
    assert summary.ending is Ending.FAILED


@DRIVERS
def test_a_generator_that_runs_elsewhere_already_is_a_failure_and_goes_on_there(run: Run):
    go, inside = threading.Event(), threading.Event()

    def source() -> Iterator[str]:
        inside.set()
        go.wait(PATIENCE)
        yield "a"

    running, got = source(), []
    thread = threading.Thread(target=lambda: got.extend(running))
    thread.start()
    inside.wait(PATIENCE)
    body, summary = streamed(run, running, hold=0)
    go.set()
    thread.join(PATIENCE)
    assert failure(body) == "upstream_error"
    assert "already executing" in str(summary.error)
    assert got == ["a"]


def test_one_generator_for_many_requests_at_once_says_no_chunk_twice_and_ends_them_all():
    def source() -> Iterator[str]:
        for number in range(200):
            yield str(number)
            time.sleep(0.0001)

    shared, bodies = source(), []

    def ask() -> None:
        bodies.append(streamed(in_threads, shared)[0])

    asking = [threading.Thread(target=ask) for _ in range(8)]
    for one in asking:
        one.start()
    for one in asking:
        one.join(PATIENCE)
    assert len(bodies) == 8
    numbers = [e.data for body in bodies for e in whatwg.events(body) if e.type == "message"]
    assert len(numbers) == len(set(numbers))


@DRIVERS
def test_a_source_that_gives_itself_as_a_chunk_is_a_failure(run: Run):
    def source() -> Iterator[Any]:
        yield "a"
        yield given[0]

    given = [source()]
    body, summary = streamed(run, given[0])
    assert failure(body) == "upstream_error"
    assert isinstance(summary.error, TypeError)


@DRIVERS
def test_a_source_that_closes_itself_is_a_failure(run: Run):
    def source() -> Iterator[Any]:
        yield "a"
        given[0].close()

    given: list[Any] = [source()]
    assert failure(streamed(run, given[0])[0]) == "upstream_error"


@DRIVERS
def test_an_async_source_that_closes_itself_is_a_failure(run: Run):
    async def source() -> AsyncIterator[Any]:
        yield "a"
        await given[0].aclose()

    given: list[Any] = [source()]
    assert failure(streamed(run, given[0])[0]) == "upstream_error"


class End(BaseException):
    """Of nobody's tree."""


RAISED = [
    *(
        GeneratorExit,
        StopIteration,
        StopAsyncIteration,
        KeyboardInterrupt,
        SystemExit,
        RecursionError,
    ),
    *(
        MemoryError,
        asyncio.CancelledError,
        End,
        BrokenPipeError,
        BlockingIOError,
        NotImplementedError,
    ),
]


@DRIVERS
@pytest.mark.parametrize("error", RAISED)
def test_whatever_a_source_raises_after_a_word_is_told_as_a_failure_and_ends_nobody_else(
    run: Run, error: type[BaseException]
):
    body, summary = streamed(run, Raising(error, 1))
    assert b"secret" not in body
    if error is StopIteration:
        assert whatwg.events(body)[-1] == DONE
    else:
        assert failure(body) in ("upstream_error", "upstream_unreachable")
        assert summary.ending is Ending.FAILED


@DRIVERS
@pytest.mark.parametrize("error", RAISED)
def test_whatever_a_source_raises_before_a_word_ends_the_request_and_not_the_server(
    run: Run, error: type[BaseException]
):
    """No SystemExit and no KeyboardInterrupt reaches the server's own thread or loop."""
    _, summary = streamed(run, Raising(error, 0))
    assert summary.ending is (Ending.FINISHED if error is StopIteration else Ending.FAILED)


class OddIterable:
    def __init__(self, method: str, result: Callable[..., Any]) -> None:
        setattr(type(self), method, result)


def odd(method: str, result: Callable[..., Any]) -> Any:
    return type("Odd", (OddIterable,), {})(method, result)


async def never_an_iterable() -> int:
    return 3


ODD_SOURCES: dict[str, Callable[[], Any]] = {
    "iter gives a number": lambda: odd("__iter__", lambda self: 3),
    "iter gives nothing": lambda: odd("__iter__", lambda self: None),
    "iter raises": lambda: odd("__iter__", boom),
    "aiter gives a number": lambda: odd("__aiter__", lambda self: 3),
    "aiter raises": lambda: odd("__aiter__", boom),
    "a callable gives a callable": lambda: gives(gives(["a"])),
    "a callable gives a str": lambda: gives("a"),
    "a callable gives None": lambda: gives(None),
    "a callable raises": lambda: boom,
    "a callable wants arguments": lambda: lambda one, two: ["a"],
    "a class": lambda: type("Nothing", (), {}),
    "an awaitable of a number": never_an_iterable,
    "a mock": MagicMock,
    "a mock of async things": AsyncMock,
    "a mock that cannot be called": NonCallableMagicMock,
}


@DRIVERS
@pytest.mark.parametrize("make", ODD_SOURCES.values(), ids=ODD_SOURCES)
def test_what_only_looks_like_a_source_ends_its_request_in_time(run: Run, make: Any):
    _, summary = streamed(run, make(), hold=0)
    assert summary.ending in (Ending.FAILED, Ending.FINISHED)


class Closes:
    """Its `close` is odd."""

    def __init__(self, close: Any) -> None:
        self.close = close

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])


@DRIVERS
@pytest.mark.parametrize(
    "close", [3, None, "close", boom, gives(MagicMock()), lambda *_: 1 / 0, MagicMock()]
)
def test_an_odd_close_costs_no_stream_its_end(run: Run, close: Any):
    body, summary = streamed(run, Closes(close))
    assert whatwg.events(body)[-1] == DONE
    assert summary.ending is Ending.FINISHED


def test_a_close_that_does_not_come_back_holds_no_request_longer_than_it_may():
    release = threading.Event()
    body = Body(
        Closes(lambda: release.wait(60)), Options(cleanup_timeout=0.05), contextvars.copy_context()
    )
    assert whatwg.events(b"".join(body))[-1] == DONE
    assert streams.open == 0
    release.set()


# -- bodies ----------------------------------------------------------------------------------------


def test_a_body_that_is_asked_on_after_its_end_says_nothing_more():
    body = Body(iter(["a"]), Options(), contextvars.copy_context())
    assert whatwg.events(b"".join(body))[-1] == DONE
    body.close()
    for _ in range(3):
        with pytest.raises(StopIteration):
            next(body)
        with suppress(StopIteration):
            iter(body).__next__()


def test_a_body_that_is_asked_on_after_it_was_closed_says_nothing_more():
    body = Body(iter(["a"] * 1000), Options(), contextvars.copy_context())
    body.close()
    assert len(list(body)) <= 1  # what was made before it was closed
