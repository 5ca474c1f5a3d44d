"""What was handed over: what it is, how it is opened and closed."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import BaseModel

from sse_bridge.drivers import sources
from sse_bridge.loops.background import background_home


def generator() -> Iterator[str]:
    yield "a"


async def async_generator() -> AsyncIterator[str]:
    yield "a"


async def coroutine() -> list[str]:
    return ["a"]


class Completion(BaseModel):
    id: str = "1"


def test_whatever_can_give_chunks_is_a_source():
    started = [generator(), async_generator(), coroutine()]
    for source in [
        *started,
        generator,
        async_generator,
        coroutine,
        list,
        [],
        ("a",),
        iter([]),
    ]:
        sources.check_source(source)
    for source in started:
        sources.discard(source, background_home)


@pytest.mark.parametrize("answer", ["a", b"a", bytearray(b"a"), {"a": 1}, Completion()])
def test_an_answer_is_no_source(answer: Any):
    with pytest.raises(TypeError, match=r"did you forget stream=True\?"):
        sources.check_source(answer)


@pytest.mark.parametrize("thing", [5, None, 1.5, object()])
def test_what_gives_nothing_is_no_source(thing: Any):
    with pytest.raises(TypeError, match="source must be an iterable"):
        sources.check_source(thing)


class Holder:
    """As LlamaIndex's responses are."""

    def __init__(self) -> None:
        self.response_gen = iter("x")


def test_an_object_that_holds_its_chunks_is_told_where_they_are():
    with pytest.raises(TypeError, match="its chunks are in its response_gen: give that"):
        sources.check_source(Holder())


class Manager:
    """As an SDK's helper gives it."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *_: Any) -> None: ...


class AsyncManager:
    async def __aenter__(self) -> Any: ...
    async def __aexit__(self, *_: Any) -> None: ...


@pytest.mark.parametrize(
    ("manager", "words"), [(Manager(), "`with"), (AsyncManager(), "`async with")]
)
def test_what_is_to_be_entered_first_is_told_so(manager: Any, words: str):
    with pytest.raises(TypeError, match=f"it is to be entered first: {words} ... as chunks`"):
        sources.check_source(manager)


def test_a_callable_must_give_something_iterable():
    with pytest.raises(TypeError, match="the callable or awaitable returned"):
        sources.check_opened(list)


def test_what_a_loop_must_open_is_known_beforehand():
    opened = [async_generator(), coroutine()]
    assert all(map(sources.is_async, [*opened, async_generator, coroutine]))
    assert sources.is_async(functools.partial(async_generator))
    assert not any(map(sources.is_async, [generator, [], lambda: coroutine()]))
    for source in opened:
        sources.discard(source, background_home)


def test_an_unused_source_of_any_kind_is_closed_without_being_run():
    made = [generator(), async_generator(), coroutine()]
    for source in made:
        sources.discard(source, background_home)
    frames = [made[0].gi_frame, made[1].ag_frame, made[2].cr_frame]  # type: ignore[attr-defined]
    assert frames == [None, None, None]


def test_what_closing_an_unused_source_raises_is_logged(caplog: pytest.LogCaptureFixture):
    class Stubborn:
        def close(self) -> None:
            raise LookupError("stubborn")

    sources.discard(Stubborn(), background_home)
    assert "a source's cleanup raised" in caplog.text


def test_an_open_async_stream_is_closed_in_its_loop():
    closed = threading.Event()

    class AsyncStream:
        def __aiter__(self) -> AsyncIterator[str]:
            return async_generator()

        async def close(self) -> None:
            await asyncio.sleep(0)
            closed.set()

    sources.discard(AsyncStream(), background_home)
    assert closed.wait(5)


class Closable:
    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def close(self) -> None:
        self.log.append(self.name)


def test_the_iterator_is_closed_before_the_object_it_was_made_from():
    log: list[str] = []
    sources.close_sync(Closable(log, "iterator"), Closable(log, "source"))
    assert log == ["iterator", "source"]


def test_an_object_that_is_its_own_iterator_is_closed_once():
    log: list[str] = []
    thing = Closable(log, "both")
    sources.close_sync(thing, thing)
    assert log == ["both"]


def test_an_async_close_is_awaited_and_a_sync_one_is_called():
    log: list[str] = []

    class AsyncClosable(Closable):
        async def aclose(self) -> None:
            await asyncio.sleep(0)
            self.log.append(f"a{self.name}")

    asyncio.run(sources.close_async(AsyncClosable(log, "iterator"), Closable(log, "source")))
    assert log == ["aiterator", "source"]


def test_an_object_that_can_only_be_cancelled_is_cancelled():
    class Run:
        cancelled = 0

        def cancel(self) -> None:
            self.cancelled += 1

    run = Run()
    sources.close_sync(None, run)
    asyncio.run(sources.close_async(None, run))
    assert run.cancelled == 2


def test_a_factory_gives_each_request_its_own_source():
    one = sources.OneRequest(lambda request: [request], "EventStream")
    assert one.take("first")() == ["first"]
    assert one.take("second")() == ["second"]


def test_a_source_is_given_out_once():
    one = sources.OneRequest(["a"], "EventStream")
    assert one.take(None) == ["a"]
    with pytest.raises(RuntimeError, match="serves one request"):
        one.take(None)


def test_a_callable_that_asks_for_no_request_gives_a_source_to_each():
    one = sources.OneRequest(lambda: ["a"], "EventSourceResponse")
    assert [one.take()(), one.take()()] == [["a"], ["a"]]


def test_a_source_that_was_discarded_is_taken_by_nobody():
    one = sources.OneRequest(["a"], "EventSourceResponse")
    one.discard(pytest.fail)
    with pytest.raises(RuntimeError, match="this EventSourceResponse was given a source"):
        one.take()


def test_of_many_threads_that_ask_at_once_one_is_the_first():
    first, start = sources.First(), threading.Barrier(8)

    def ask(_: int) -> bool:
        start.wait(10)
        return first.take()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(ask, range(8))) == [False] * 7 + [True]
