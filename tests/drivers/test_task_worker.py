"""An async source's side: one task, and what turns out to be of the other kind."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from driving import on_anyio, on_threads, run_asyncio, run_trio
from sse_bridge.options import Options

RUNS: dict[str, Any] = {
    "threads": on_threads,
    "asyncio": lambda source, options: run_asyncio(on_anyio, source, options),
    "trio": lambda source, options: run_trio(on_anyio, source, options),
}
every_driver = pytest.mark.parametrize("run", RUNS.values(), ids=RUNS.keys())


@every_driver
def test_an_async_source_runs_in_one_task(run: Any):
    tasks: set[int] = set()

    async def source() -> AsyncIterator[str]:
        for _ in range(200):
            tasks.add(current_task_id())
            yield "a"

    run(source(), Options())
    assert len(tasks) == 1


def current_task_id() -> int:
    import anyio

    return anyio.get_current_task().id


@every_driver
def test_what_is_awaited_and_turns_out_sync_goes_on_on_a_thread(run: Any):
    threads: list[str] = []

    async def open_it() -> Any:
        def source() -> Iterator[str]:
            threads.append(threading.current_thread().name)
            yield "a"

        return source()

    assert run(open_it, Options()).startswith(b"data: a\n\n")
    assert threads == ["sse_bridge source"]
