"""Waiting in trio: what the tests of both loops, in test_waiting.py, leave out."""

from __future__ import annotations

import pytest
import trio

from sse_bridge.drivers.on_trio import TrioHome


def test_a_run_that_is_over_hears_nothing_and_raises_nothing():
    async def body() -> TrioHome:
        return TrioHome()

    home = trio.run(body)
    home._thread_id = 0  # as another thread sees it
    home.soon(lambda: pytest.fail("called in a run that is over"))
