"""A sync source's side: one thread, and what turns out to be of the other kind."""

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
