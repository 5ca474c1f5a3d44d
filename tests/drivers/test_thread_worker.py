"""A sync source's side: one thread, and what turns out to be of the other kind."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest

from driving import on_anyio, on_threads, plain_sync, run_asyncio, run_trio
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options

RUNS: dict[str, Any] = {
    "threads": on_threads,
    "asyncio": lambda source, options: run_asyncio(on_anyio, source, options),
    "trio": lambda source, options: run_trio(on_anyio, source, options),
}
every_driver = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


async def async_generator() -> AsyncIterator[str]:
    yield "a"


@every_driver
def test_a_sync_source_runs_on_one_thread(run: Any):
    threads: set[int] = set()

    def source() -> Iterator[str]:
        for _ in range(200):
            threads.add(threading.get_ident())
            yield "a"

    run(source(), Options())
    assert len(threads - {threading.get_ident()}) == len(threads) == 1


@every_driver
def test_what_opens_on_a_thread_and_turns_out_async_goes_on_in_the_loop(run: Any):
    opened: list[str] = []

    def open_it() -> Any:
        opened.append(threading.current_thread().name)
        return async_generator()

    assert run(lambda: open_it(), Options()).startswith(b"data: a\n\n")
    assert opened == ["sse_bridge source"]


# -- what a generator returns ----------------------------------------------------------------------


def refuses(*chunks: str) -> Generator[str, None, Any]:
    yield from chunks
    return {"error": "no credit"}, 402


def runs_out() -> Generator[str, None, None]:
    yield "a"
    return


def inner() -> Generator[str, None, int]:
    yield "a"
    return 1


def outer() -> Iterator[str]:
    assert (yield from inner()) == 1


class Sdks:
    """An iterable of somebody's, which is no generator, and may return what it likes."""

    def __iter__(self) -> Generator[str, None, int]:
        return inner()


SYNC_RUNS = {
    "plain": lambda source, options: plain_sync(lambda: source, options),
    **RUNS,
    "a callable": lambda source, options: on_threads(lambda: source, options),
}
every_sync_driver = pytest.mark.parametrize("run", SYNC_RUNS.values(), ids=SYNC_RUNS.keys())


@every_sync_driver
def test_a_generator_that_returns_a_value_before_its_first_chunk_is_an_error_that_says_what_to_do(
    run: Any,
):
    with pytest.raises(TypeError, match=r"returned a tuple of length 2: .*abort\(.*raise"):
        run(refuses(), Options())


@every_sync_driver
def test_one_that_returns_a_value_later_fails_in_the_words_of_the_dialect(run: Any):
    said = run(refuses("a", "b"), Options(describe=str))
    assert said.startswith(b"data: a\n\ndata: b\n\nevent: error\n")
    assert b"call abort(...) or raise" in said
    assert b"event: done" not in said
    assert b"402" not in said


@every_sync_driver
@pytest.mark.parametrize("source", [runs_out, outer, Sdks])
def test_what_returns_nothing_or_to_its_own_caller_or_is_no_generator_ends_well(
    run: Any, source: Any
):
    assert run(source(), Options()).startswith(b"data: a\n\nevent: done\n")


@pytest.mark.parametrize("is_read", [True, False])
def test_what_a_generator_returns_as_it_is_closed_is_nobodys_affair(
    is_read: bool, caplog: pytest.LogCaptureFixture
):
    steps = []

    def source() -> Generator[str, None, str]:
        try:
            while True:
                yield "a"
        except GeneratorExit:
            steps.append("closed")
            return "what was there"

    body = Body(source(), Options(), contextvars.copy_context())
    if is_read:
        next(body)
    body.close()
    assert steps == ["closed"]
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


def test_a_source_that_returns_when_it_sees_that_its_stream_is_over_is_not_blamed(
    caplog: pytest.LogCaptureFixture,
):
    over = threading.Event()

    def source() -> Generator[str, None, str]:
        yield "a"
        over.wait(10)
        return "what was there"

    body = Body(source(), Options(), contextvars.copy_context())
    next(body)
    body._connection.pipe.close()
    over.set()
    body.close()
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
