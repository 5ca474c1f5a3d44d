"""The process's open streams: their counts, and what they are told."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge import registry as registry_module
from sse_bridge.registry import (
    Place,
    Registry,
    ShutDown,
    ShuttingDown,
    TooManyForKey,
    TooManyStreams,
    streams,
)


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
    assert registry.ended(worker) is False
    assert registry.ended(worker) is None
    assert registry.stragglers == 0


def test_a_straggler_that_was_warned_of_says_so_at_its_end():
    registry, worker = Registry(), object()
    assert not registry.warn_of(worker)
    registry.straggles(worker)
    assert registry.warn_of(worker)
    assert registry.ended(worker) is True
    assert not registry.warn_of(worker)


def test_a_straggler_takes_the_place_of_a_stream():
    registry, worker = Registry(), object()
    registry.enter(a_stream(), 3)
    registry.straggles(worker)
    registry.straggles(object())
    with pytest.raises(
        TooManyStreams,
        match="1 streams are open, 2 sources of ended streams still run, max_streams is 3",
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


# -- keys -----------------------------------------------------------------------------------------


def test_a_key_has_its_own_number_and_an_error_does_not_tell_whose_it_is():
    registry = Registry()
    anns = a_stream()
    assert registry.enter(anns, 1, key="ann") == "ann"
    assert registry.enter(a_stream(), 1, key="bob") == "bob"
    with pytest.raises(
        TooManyForKey, match=r"^1 streams of one key are open, max_streams is 1$"
    ) as raised:
        registry.enter(a_stream(), 1, key="ann")
    assert (raised.value.status_code, raised.value.retry_after) == (429, 1)
    registry.leave(anns)
    registry.enter(a_stream(), 1, key="ann")


def test_a_stream_without_a_key_of_its_own_counts_for_its_places():
    registry, stream = Registry(), a_stream()
    place = registry.reserve(1, "ann")
    assert registry.enter(stream, None, place) == "ann"
    registry.leave(place)
    with pytest.raises(TooManyForKey):
        registry.reserve(1, "ann")
    registry.leave(stream)
    registry.leave(registry.reserve(1, "ann"))


def test_a_stream_with_another_key_than_its_places_is_counted_for_its_own():
    registry = Registry()
    registry.enter(a_stream(), None, key="bob")
    place = registry.reserve(1, "ann")
    with pytest.raises(TooManyForKey):
        registry.enter(a_stream(), 1, place, "bob")
    assert registry.enter(a_stream(), 2, place, "bob") == "bob"
    registry.reserve(1, "ann")


def test_a_straggler_takes_the_place_of_a_stream_of_its_key():
    registry, worker = Registry(), object()
    registry.straggles(worker, "ann")
    with pytest.raises(TooManyForKey):
        registry.reserve(1, "ann")
    assert registry.ended(worker) is not None
    registry.reserve(1, "ann")


KEYS = st.sampled_from(["ann", "bob", 7, None])
STEPS = st.tuples(
    st.sampled_from(["enter", "reserve", "leave", "straggle", "ended"]), KEYS, st.integers(0, 9)
)


@settings(deadline=None)
@given(st.lists(STEPS, max_size=60))
def test_whatever_comes_and_goes_the_books_add_up(steps: list[tuple[str, str | int | None, int]]):
    registry, places = Registry(), list[Place]()
    opened, late = dict[Any, Any](), dict[Any, Any]()

    def held(key: Any) -> int:
        return [*opened.values(), *late.values()].count(key)

    for step, key, number in steps:
        limit = None if key is None else 2
        if step in ("enter", "reserve"):
            place = places[number % len(places)] if places and step == "enter" else None
            mine = place in opened
            who = Place(limit, key) if step == "reserve" else a_stream()
            counted = opened[place] if mine and key is None else key
            is_full = limit is not None and held(key) - (mine and opened[place] == key) >= limit
            try:
                assert registry.enter(who, limit, place, key) == counted
            except TooManyForKey:
                assert is_full
                continue
            assert not is_full
            opened.pop(place, None)
            opened[who] = counted
            if isinstance(who, Place):
                places.append(who)
        elif opened and step in ("leave", "straggle"):
            who = list(opened)[number % len(opened)]
            registry.leave(who)
            key = opened.pop(who)
            if step == "straggle":
                late[worker := object()] = key
                registry.straggles(worker, key)
        elif late and step == "ended":
            worker = list(late)[number % len(late)]
            assert registry.ended(worker) is not None
            del late[worker]
        assert (registry.open, registry.stragglers) == (len(opened), len(late))
        told = {key: len(holders) for key, holders in registry._of_key.items()}
        assert told == {key: held(key) for key in ["ann", "bob", 7] if held(key)}


def interrupted_at(line: int, call: Callable[[], object]) -> bool:
    """Whether this call got that far: at its so-manieth line it is interrupted."""
    lines = itertools.count()

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if frame.f_code.co_filename != registry_module.__file__:
            return None
        if event == "line" and next(lines) == line:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_whoever_is_interrupted_anywhere_in_leaving_leaves_by_doing_it_again():
    for line in itertools.count():
        registry, stream, other = Registry(), a_stream(), a_stream()
        registry.enter(stream, None, key="ann")
        registry.enter(other, None, key="bob")
        was_interrupted = interrupted_at(line, lambda: registry.leave(stream))  # noqa: B023
        registry.leave(stream)
        assert (registry.open, registry._of_key) == (1, {"bob": {other}})
        if not was_interrupted:
            break
    assert line > 5
