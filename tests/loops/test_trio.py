"""Waiting in trio: what the tests of both loops, in test_base.py, leave out."""

from __future__ import annotations

import pytest
import trio
import trio.lowlevel

from sse_bridge.loops.trio import TrioHome


def test_a_run_that_is_over_hears_nothing_and_raises_nothing():
    async def body() -> TrioHome:
        return TrioHome()

    home = trio.run(body)
    home._thread_id = 0  # as another thread sees it
    home.soon(lambda: pytest.fail("called in a run that is over"))


def test_a_call_in_a_thread_is_made_although_its_task_is_cancelled():
    made: list[bool] = []

    async def body() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await TrioHome().in_thread(lambda: made.append(True))

    trio.run(body)
    assert made == [True]


def test_a_wait_outlasts_being_cancelled():
    steps: list[str] = []

    async def wait() -> None:
        await trio.lowlevel.checkpoint()
        steps.append("over")

    async def body() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await TrioHome().outlast(wait)

    trio.run(body)
    assert steps == ["over"]
