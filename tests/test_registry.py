"""The counts of a process's streams."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from sse_bridge.registry import Registry, TooManyStreams, streams


def test_a_stream_over_the_limit_is_refused_and_not_counted():
    registry = Registry()
    registry.enter(1)
    with pytest.raises(TooManyStreams, match="1 streams are open, max_streams is 1"):
        registry.enter(1)
    assert registry.open == 1


def test_a_limit_of_none_is_no_limit():
    registry = Registry()
    for _ in range(100):
        registry.enter(None)
    assert registry.open == 100


def test_a_released_slot_is_free():
    registry = Registry()
    registry.enter(1)
    registry.leave()
    registry.enter(1)
    assert registry.open == 1


def test_the_count_is_right_whatever_the_threads_do():
    registry = Registry()

    def come_and_go(_: int) -> None:
        registry.enter(None)
        registry.leave()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(come_and_go, range(2000)))
    assert registry.open == 0


def test_a_straggler_counts_until_it_ends():
    registry, worker = Registry(), object()
    registry.straggles(worker)
    assert registry.stragglers == 1
    assert registry.ended(worker)
    assert not registry.ended(worker)
    assert registry.stragglers == 0


def test_a_forked_child_starts_from_nothing():
    streams.enter(None)
    try:
        child = os.fork()
        if child == 0:
            os._exit(streams.open)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        streams.leave()
