"""`on_end` is called once, and what it raises is logged."""

from __future__ import annotations

import asyncio
import contextvars
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from sse_bridge import Ending, Summary
from sse_bridge.drivers.farewell import Farewell, call_in_loop, call_on_end
from sse_bridge.loops.asyncio import current_home
from sse_bridge.loops.background import background_home

SUMMARY = Summary(Ending.FINISHED)


def test_on_end_is_claimed_once_however_many_ask():
    farewell = Farewell(print)
    with ThreadPoolExecutor(8) as pool:
        claims = list(pool.map(farewell.claim, range(100)))
    assert [claim for claim in claims if claim] == [print]


def test_whoever_has_claimed_it_may_ask_again():
    farewell, first = Farewell(print), object()
    assert [farewell.claim(first), farewell.claim(first)] == [print, print]
    assert farewell.claim(object()) is None


def test_what_it_gives_to_await_is_awaited_in_the_loop():
    loops: list[object] = []

    async def save() -> None:
        loops.append(asyncio.get_running_loop())

    contextvars.copy_context().run(call_on_end, lambda summary: save(), SUMMARY, background_home)
    assert len(loops) == 1


def test_what_a_sync_one_raises_is_logged(caplog: pytest.LogCaptureFixture):
    def on_end(summary: Summary) -> None:
        raise LookupError("sync")

    call_on_end(on_end, SUMMARY, background_home)
    assert "on_end raised" in caplog.text


def test_what_an_async_one_raises_is_logged(caplog: pytest.LogCaptureFixture):
    async def on_end(summary: Summary) -> None:
        raise LookupError("async")

    async def body() -> None:
        await call_in_loop(on_end, SUMMARY, current_home())

    asyncio.run(body())
    assert "on_end raised" in caplog.text


def test_a_forked_child_has_nothing_to_call(monkeypatch: pytest.MonkeyPatch):
    farewell = Farewell(print)
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: -1)
        assert not farewell.is_ours
        assert not farewell.is_due
        assert farewell.claim(farewell) is None
    assert farewell.is_ours
    assert farewell.is_due
    assert farewell.claim(farewell) is print
