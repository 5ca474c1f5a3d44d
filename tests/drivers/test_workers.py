"""The source's side: one thread or one task, one context, and on_end exactly once."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from driving import on_anyio, on_threads, run_asyncio, run_trio
from sse_bridge import Summary
from sse_bridge.options import Options

RUNS: dict[str, Any] = {
    "threads": on_threads,
    "asyncio": lambda source, options: run_asyncio(on_anyio, source, options),
    "trio": lambda source, options: run_trio(on_anyio, source, options),
}
every_driver = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


async def async_generator() -> AsyncIterator[str]:
    yield "a"


def generator() -> Iterator[str]:
    yield "a"


@every_driver
@pytest.mark.parametrize("make", [generator, async_generator])
def test_a_sync_on_end_is_called_once_off_the_loop(run: Any, make: Any):
    calls: list[tuple[Summary, bool]] = []

    def on_end(summary: Summary) -> None:
        calls.append((summary, in_a_loop()))

    run(make(), Options(on_end=on_end))
    assert [in_loop for _, in_loop in calls] == [False]


@every_driver
@pytest.mark.parametrize("make", [generator, async_generator])
def test_an_async_on_end_is_awaited_once(run: Any, make: Any):
    calls: list[Summary] = []

    async def on_end(summary: Summary) -> None:
        calls.append(summary)

    run(make(), Options(on_end=on_end))
    assert len(calls) == 1


@every_driver
def test_on_end_runs_in_the_sources_context(run: Any):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    seen: list[str] = []

    async def source() -> AsyncIterator[str]:
        variable.set("by the source")
        yield "a"

    run(source(), Options(on_end=lambda summary: seen.append(variable.get())))
    assert seen == ["by the source"]


@every_driver
def test_a_source_does_not_change_its_callers_context(run: Any):
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="before")

    def source() -> Iterator[str]:
        variable.set("inside")
        yield "a"

    run(source(), Options())
    assert variable.get() == "before"


def in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio

        return trio.lowlevel.in_trio_run()
    return True
