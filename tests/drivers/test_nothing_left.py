"""A stream in a loop that is over leaves the collector nothing of ours: all is freed at once."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import anyio
import pytest

from answering import PATIENCE, Answer, both_loops, lone, turns


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a log record was told of would be kept by pytest.
    monkeypatch.setattr(logging.getLogger("sse_bridge"), "disabled", True)


def is_ours(thing: Any) -> bool:
    """Whether this is one of the package's own objects, or a function, frame or coroutine of its code."""
    code = getattr(thing, "__code__", None) or next(
        (
            getattr(thing, name)
            for name in ("cr_code", "gi_code", "ag_code", "f_code")
            if hasattr(thing, name)
        ),
        None,
    )
    if code is not None:
        return "sse_bridge" in code.co_filename
    return type(thing).__module__.startswith("sse_bridge")


@contextlib.contextmanager
def nothing_left() -> Iterator[None]:
    """What is done here leaves nothing of ours to the collector."""
    gc.collect()
    gc.disable()
    try:
        yield
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        left = sorted(repr(thing)[:120] for thing in gc.garbage if is_ours(thing))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert left == []


# -- ways to end ----------------------------------------------------------------------------------

Way = Callable[[str], Awaitable[None]]


def saying(kind: str, *, is_silent: bool = True) -> Any:
    """A source that says a and b, and is silent then if it is not to end."""
    released = threading.Event()

    async def task() -> AsyncIterator[str]:
        async for chunk in lone("a", "b"):
            yield chunk
        if is_silent:
            await anyio.sleep_forever()

    def thread() -> Iterator[str]:
        yield from "ab"
        if is_silent:
            released.wait(PATIENCE)

    options = {"on_end": None}  # a summary that is kept would keep an error
    return (task(), options) if kind == "task" else (thread(), {**options, "cancel": released.set})


async def finished(kind: str) -> None:
    source, options = saying(kind, is_silent=False)
    await Answer().drive(source, **options)


async def waits_until(answer: Answer, then: Callable[[], object]) -> None:
    while b"b" not in answer.body:
        await turns(1)
    await turns()
    then()


async def beside(kind: str, send: Any, then: Callable[[Answer], object], **more: Any) -> None:
    """Drive one that is silent after two chunks, and do `then` when these are written."""
    source, options = saying(kind)
    answer = Answer(send)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(waits_until, answer, lambda: then(answer))
        await answer.drive(source, **options, **more)


async def gone(kind: str) -> None:
    await beside(kind, None, Answer.hang_up)


async def shut_down(kind: str) -> None:
    await beside(kind, None, lambda answer: answer.pipe.shut_down())


async def stalled(kind: str) -> None:
    source, options = saying(kind)
    await Answer().drive(source, stall_timeout=0.02, **options)


async def expired(kind: str) -> None:
    source, options = saying(kind)
    await Answer().drive(source, max_duration=0.02, **options)


async def cancelled_by_a_scope(kind: str) -> None:
    with anyio.CancelScope() as scope:
        await beside(kind, None, lambda _: scope.cancel())


def raising(error: type[Exception], *, waits: bool) -> Way:
    async def way(kind: str) -> None:
        async def send(data: bytes) -> None:
            if b"data: b" in data:
                await turns(waits)
                raise error("of send")

        source, options = saying(kind)
        with contextlib.suppress(LookupError):
            await Answer(send).drive(source, **options)

    return way


WAYS: dict[str, Way] = {
    "finished": finished,
    "gone": gone,
    "shutdown": shut_down,
    "stalled": stalled,
    "expired": expired,
    "cancelled by a scope": cancelled_by_a_scope,
    "a write's OSError": raising(ConnectionResetError, waits=False),
    "a waiting write's OSError": raising(ConnectionResetError, waits=True),
    "a write's error": raising(LookupError, waits=False),
    "a waiting write's error": raising(LookupError, waits=True),
}


@both_loops
@pytest.mark.parametrize("kind", ["task", "thread"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_stream_that_is_over_leaves_nothing_to_the_collector(run: Any, kind: str, way: Way):
    async def main() -> None:
        await way(kind)  # what is made once and kept
        await turns()
        with nothing_left():
            with anyio.fail_after(PATIENCE):
                await way(kind)
            await turns()

    run(main)
