"""A stream's times: deadlines that follow from when something happened."""

from __future__ import annotations

from math import inf

import pytest

from sse_bridge.times import FIRST_PING, NEVER, Limits, Times


def started(now: float = 100.0, **limits: float) -> Times:
    times = Times(Limits(**limits))
    times.start(now)
    return times


def test_nothing_is_due_before_the_start():
    assert Times(Limits()).deadline(held=True) == NEVER
    assert Times(Limits()).deadline(held=False) == NEVER


def test_a_held_stream_is_due_to_open():
    times = started(hold=5)
    assert times.holds
    assert times.deadline(held=True) == 105


def test_a_hold_may_be_as_short_as_anything():
    assert started(hold=0.001).holds


def test_a_stream_that_is_not_held_has_its_first_ping_soon():
    times = started(hold=0, ping=15)
    assert not times.holds
    assert times.deadline(held=False) == 100 + FIRST_PING


def test_a_first_ping_is_no_later_than_any_other():
    assert started(hold=0, ping=0.1).deadline(held=False) == pytest.approx(100.1)


def test_without_pings_none_is_ever_due():
    times = started(hold=0, ping=inf)
    assert not times.pings
    assert times.deadline(held=False) == NEVER
    assert not times.wants_ping(10**9)


def test_to_speak_moves_the_ping_on():
    times = started(ping=15)
    times.spoke_at = 107
    assert times.deadline(held=False) == 122
    assert (times.wants_ping(121.9), times.wants_ping(122)) == (False, True)


def test_a_source_has_one_patience_for_its_first_chunk_and_another_for_the_next():
    times = started(first_chunk_timeout=30, stall_timeout=10, ping=inf)
    assert times.deadline(held=False) == 130
    assert (times.is_stalled(129.9), times.is_stalled(130)) == (False, True)
    times.hear(120)
    assert times.deadline(held=False) == 130
    times.hear(125)
    assert times.deadline(held=False) == 135
    assert (times.is_stalled(134.9), times.is_stalled(135)) == (False, True)


def test_only_the_first_chunk_is_the_first():
    times = started()
    assert times.first_heard_at is None
    times.hear(103)
    times.hear(104)
    assert (times.started_at, times.first_heard_at, times.heard_at) == (100, 103, 104)


def test_time_that_is_skipped_has_passed_for_all_that_happened():
    times = started(ping=15, hold=5, stall_timeout=10, max_duration=60)
    times.hear(101)
    times.spoke_at = 101
    times.advance(4)
    assert (times.started_at, times.first_heard_at, times.heard_at, times.spoke_at) == (
        96,
        97,
        97,
        97,
    )
    assert (times.deadline(held=True), times.deadline(held=False)) == (101, 107)
    assert (times.is_over(155.9), times.is_over(156)) == (False, True)


def test_what_has_not_happened_stays_so_when_time_is_skipped():
    times = started()
    times.advance(4)
    assert times.first_heard_at is None


def test_a_stream_is_over_at_its_longest_whatever_it_says():
    times = started(max_duration=60, ping=inf)
    times.hear(159)
    assert times.deadline(held=False) == 160
    assert (times.is_over(159.9), times.is_over(160)) == (False, True)
