"""The clock of a loop: many deadlines, one timer."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from sse_bridge.loops import clock as module
from sse_bridge.loops.clock import AT_ONCE, Clock


class Loop:
    """An event loop whose time is the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.turns = 0
        monkeypatch.setattr(module, "monotonic", lambda: self.now)

    def call_later(self, delay: float, call: Callable[[], None]) -> Loop.Timer:
        self.timers.append(timer := (self.now + delay, call))
        return self.Timer(lambda: self.timers.remove(timer) if timer in self.timers else None)

    class Timer:
        def __init__(self, cancel: Callable[[], None]) -> None:
            self.cancel = cancel

    def run_until(self, now: float) -> None:
        while self.timers and min(self.timers)[0] <= now:
            due = min(self.timers, key=lambda timer: timer[0])
            self.timers.remove(due)
            self.now = max(self.now, due[0])
            self.turns += 1
            due[1]()
        self.now = now


class Stream:
    def __init__(self) -> None:
        self.called: list[float] = []

    def on_time(self, now: float) -> None:
        self.called.append(now)


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Loop:
    return Loop(monkeypatch)


def clock_of(loop: Any) -> Clock:
    return Clock(loop)


@pytest.mark.parametrize("wait", [0.001, 0.01, 0.1, 0.25, 1.0, 5.0, 14.9, 15.0, 600.0])
def test_a_deadline_is_never_early_and_late_by_a_sixteenth_at_most(loop: Loop, wait: float):
    clock, stream = clock_of(loop), Stream()
    due = clock.add(stream, loop.now + wait, loop.now)
    assert 1000 + wait <= due <= 1000 + wait + min(max(wait / 16, 0.001), 1)
    loop.run_until(999.999 + wait)
    assert stream.called == []
    loop.run_until(due)
    assert stream.called == [due]


def test_what_is_due_already_is_called_soon(loop: Loop):
    clock, stream = clock_of(loop), Stream()
    clock.add(stream, loop.now - 5, loop.now)
    loop.run_until(loop.now + 0.002)
    assert len(stream.called) == 1


def test_deadlines_that_lie_close_together_are_met_in_one_turn(loop: Loop):
    clock, streams = clock_of(loop), [Stream() for _ in range(50)]
    for number, stream in enumerate(streams):
        clock.add(stream, 1015.01 + number / 250, 1000 + number / 250)
    assert len(loop.timers) == 1
    loop.run_until(1020)
    assert [len(stream.called) for stream in streams] == [1] * 50
    assert loop.turns == 1


def test_so_many_and_no_more_are_met_in_one_turn(loop: Loop):
    clock, streams = clock_of(loop), [Stream() for _ in range(3 * AT_ONCE)]
    for stream in streams:
        clock.add(stream, 1015, 1000)
    loop.run_until(1016)
    assert [len(stream.called) for stream in streams] == [1] * len(streams)
    assert loop.turns == 3


def test_a_nearer_deadline_comes_first(loop: Loop):
    clock, late, soon = clock_of(loop), Stream(), Stream()
    clock.add(late, 1600, 1000)
    clock.add(soon, 1001, 1000)
    loop.run_until(1002)
    assert (len(late.called), len(soon.called)) == (0, 1)
    loop.run_until(1700)
    assert (len(late.called), len(soon.called)) == (1, 1)
    assert loop.timers == []


def test_what_was_removed_is_not_called_and_not_kept(loop: Loop):
    clock, stream, other = clock_of(loop), Stream(), Stream()
    due = clock.add(stream, 1015, 1000)
    clock.add(other, 1015, 1000)
    clock.remove(stream, due)
    clock.remove(stream, 12345.0)  # nothing waits for that
    reference = weakref.ref(stream)
    del stream
    gc.collect()
    assert reference() is None
    loop.run_until(1020)
    assert len(other.called) == 1


def test_one_that_is_added_while_others_are_met_has_its_own_time(loop: Loop):
    clock = clock_of(loop)

    class Pinging(Stream):
        def on_time(self, now: float) -> None:
            super().on_time(now)
            if len(self.called) < 4:
                clock.add(self, now + 15, now)

    stream = Pinging()
    clock.add(stream, 1015, 1000)
    loop.run_until(1100)
    gaps = [later - sooner for sooner, later in zip(stream.called, stream.called[1:], strict=False)]
    assert len(stream.called) == 4
    assert all(15 <= gap <= 16 for gap in gaps)


def test_one_that_raises_stops_nobody_elses_time(loop: Loop):
    clock, other = clock_of(loop), Stream()

    class Raising(Stream):
        def on_time(self, now: float) -> None:
            raise SystemError("broken")

    clock.add(Raising(), 1001, 1000)
    clock.add(other, 1001.5, 1000)
    with pytest.raises(SystemError, match="broken"):
        loop.run_until(1002)
    loop.run_until(1002)
    assert len(other.called) == 1


def test_it_keeps_time_in_a_real_loop():
    async def main() -> None:
        rang = asyncio.Event()

        class Waiting(Stream):
            def on_time(self, now: float) -> None:
                rang.set()

        now = module.monotonic()
        Clock(asyncio.get_running_loop()).add(Waiting(), now + 0.02, now)
        await asyncio.wait_for(rang.wait(), 5)
        assert module.monotonic() >= now + 0.02

    asyncio.run(main())
