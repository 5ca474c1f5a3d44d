"""The process's open streams: their counts, and what they are told."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from sse_bridge.registry import Registry, ShutDown, ShuttingDown, TooManyStreams, streams


def a_stream() -> ShutDown:
    """What a stream enters with; each has its own."""
    return lambda: None


def test_a_stream_over_the_limit_is_refused_and_not_counted():
    registry = Registry()
    registry.enter(a_stream(), 1)
    with pytest.raises(TooManyStreams, match="1 streams are open, max_streams is 1"):
        registry.enter(a_stream(), 1)
    assert registry.open == 1


def test_a_limit_of_none_is_no_limit():
    registry = Registry()
    for _ in range(100):
        registry.enter(a_stream(), None)
    assert registry.open == 100


def test_a_released_slot_is_free():
    registry = Registry()
    first = a_stream()
    registry.enter(first, 1)
    registry.leave(first)
    registry.enter(a_stream(), 1)
    assert registry.open == 1


def test_the_count_is_right_whatever_the_threads_do():
    registry = Registry()

    def come_and_go(_: int) -> None:
        stream = a_stream()
        registry.enter(stream, None)
        registry.leave(stream)

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


def test_a_straggler_takes_the_place_of_a_stream():
    registry, worker = Registry(), object()
    registry.enter(a_stream(), 3)
    registry.straggles(worker)
    registry.straggles(object())
    with pytest.raises(
        TooManyStreams,
        match="1 streams are open, 2 sources of ended ones still run, max_streams is 3",
    ):
        registry.enter(a_stream(), 3)
    registry.ended(worker)
    registry.enter(a_stream(), 3)


def test_a_reserved_place_is_the_streams_once_and_is_given_back():
    registry = Registry()
    place = registry.reserve(1)
    with pytest.raises(TooManyStreams):
        registry.reserve(1)
    stream = a_stream()
    registry.enter(stream, 1, place)
    with pytest.raises(TooManyStreams):
        registry.enter(a_stream(), 1, place)
    registry.leave(place)
    assert registry.open == 1
    registry.leave(stream)
    registry.leave(registry.reserve(1))
    assert registry.open == 0


def test_whoever_makes_the_stream_of_a_place_is_told_of_a_shutdown():
    registry, told = Registry(), list[str]()
    registry.reserve(None)
    registry.reserve(None).tell = lambda: told.append("the maker")
    registry.shut_down()
    assert told == ["the maker"]


def test_once_closed_it_refuses_streams_until_it_is_reopened():
    registry = Registry()
    place = registry.reserve(None)
    registry.close()
    for refused in (
        registry.reserve,
        lambda limit: registry.enter(a_stream(), limit),
        lambda limit: registry.enter(a_stream(), limit, place),
    ):
        with pytest.raises(ShuttingDown, match="the server is shutting down") as raised:
            refused(None)
        assert (raised.value.status_code, raised.value.retry_after) == (503, 1)
    registry.leave(place)
    assert registry.open == 0
    registry.reopen()
    registry.enter(a_stream(), None)
    assert registry.open == 1


def test_a_shutdown_reaches_every_open_stream_and_no_other():
    registry, told = Registry(), list[int]()
    streams = [lambda number=number: told.append(number) for number in range(3)]
    for stream in streams:
        registry.enter(stream, None)
    registry.leave(streams[1])
    registry.shut_down()
    assert sorted(told) == [0, 2]


def test_a_stream_may_leave_while_it_is_told_to_end():
    registry = Registry()

    def leave() -> None:
        registry.leave(leave)

    registry.enter(leave, None)
    registry.shut_down()
    assert registry.open == 0


def test_whoever_looks_does_so_before_each_stream():
    registry = Registry()
    registry.look = registry.close
    with pytest.raises(ShuttingDown):
        registry.enter(a_stream(), None)


def test_a_forked_child_starts_from_nothing():
    stream = a_stream()
    streams.enter(stream, None)
    try:
        child = os.fork()
        if child == 0:
            os._exit(streams.open)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        streams.leave(stream)


def test_a_signal_handler_may_close_what_its_own_thread_is_just_changing():
    registry = Registry()
    with registry._lock:
        registry.close()
        registry.shut_down()
    assert registry.closing
