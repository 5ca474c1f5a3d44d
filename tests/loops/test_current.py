"""Which loop the caller runs in."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
import trio

from sse_bridge.loops.asyncio import AsyncioHome
from sse_bridge.loops.base import Home
from sse_bridge.loops.current import current_home
from sse_bridge.loops.trio import TrioHome


@pytest.mark.parametrize("run, kind", [(asyncio.run, AsyncioHome), (trio.run, TrioHome)])
def test_the_home_is_that_of_the_running_loop(run: Any, kind: type):
    async def home() -> Home:
        return current_home()

    assert type(run(home() if run is asyncio.run else home)) is kind


def test_an_asyncio_loop_beside_a_running_trio_has_its_own():
    kinds: list[type] = []

    async def home() -> None:
        kinds.append(type(current_home()))

    async def main() -> None:
        thread = threading.Thread(target=lambda: asyncio.run(home()))
        thread.start()
        await trio.to_thread.run_sync(thread.join)
        await home()

    trio.run(main)
    assert kinds == [AsyncioHome, TrioHome]


def test_outside_of_a_loop_there_is_none():
    with pytest.raises(RuntimeError):
        current_home()
