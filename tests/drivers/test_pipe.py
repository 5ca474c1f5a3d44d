"""The way from source to writer: bounded, and no wake-up is lost."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from sse_bridge.drivers.pipe import ROOM, ROOM_BYTES, Pipe
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.parts import (
    Choice,
    Finish,
    Frame,
    Native,
    Part,
    Reasoning,
    ToolCall,
    Value,
)


class Wakes:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_what_is_put_is_taken_in_order_and_at_once():
    pipe = Pipe(Wakes())
    pipe.put(["a"])
    pipe.put(["b", "c"])
    assert pipe.take() == [["a"], ["b", "c"]]
    assert pipe.take() == []


def test_there_is_room_for_so_many_chunks_and_no_more():
    pipe = Pipe(Wakes())
    rooms = [pipe.put(["x"]) for _ in range(ROOM)]
    assert rooms == [True] * (ROOM - 1) + [False]
    assert pipe.full()
    pipe.take()
    assert not pipe.full()


def test_there_is_room_for_so_many_bytes_and_no_more():
    pipe = Pipe(Wakes())
    assert pipe.put(["x" * (ROOM_BYTES - 1)])
    assert not pipe.put([Reasoning("xy")])
    assert pipe.full()
    pipe.take()
    assert not pipe.full()
    assert pipe.put(["x"])


def test_a_line_of_json_has_its_weight():
    pipe = Pipe(Wakes())
    assert pipe.put([b"x" * (ROOM_BYTES - 1)])
    assert not pipe.put([b"x"])


def test_256_chunks_and_256_kilobytes_may_wait():
    assert (ROOM, ROOM_BYTES) == (256, 256 * 1024)


BULKY: list[Callable[[int], Part]] = [
    lambda size: "x" * size,
    lambda size: b"x" * size,
    lambda size: Value(b"x" * size),
    lambda size: Native("openai", b"x" * size, None, None),
    lambda size: Frame(b"x" * size),
    lambda size: Reasoning("x" * size),
    lambda size: ToolCall(0, "id", "name", "x" * size),
    lambda size: Choice(1, Reasoning("x" * size)),
    lambda size: Choice(1, "x" * size),
]


@pytest.mark.parametrize("part", BULKY)
def test_a_part_weighs_what_it_says(part: Callable[[int], Part]):
    assert Pipe(Wakes()).put([part(ROOM_BYTES - 1)])
    assert not Pipe(Wakes()).put([part(ROOM_BYTES)])


def test_what_is_no_text_weighs_nothing():
    pipe = Pipe(Wakes())
    assert pipe.put([Finish("stop")])
    assert pipe.put(["x" * (ROOM_BYTES - 1)])
    assert pipe.put([Finish("stop")])
    assert not pipe.put(["x"])


def test_what_was_taken_weighs_nothing_any_more():
    pipe = Pipe(Wakes())
    for _ in range(3):
        assert pipe.put(["x" * (ROOM_BYTES - 2)])
        assert pipe.put(["x"])
        assert not pipe.full()
        pipe.take()


def test_a_source_that_found_room_after_all_does_not_sleep():
    wakes = Wakes()
    pipe = Pipe(Wakes())
    pipe.wake_source = wakes
    pipe.put(["x" * (ROOM_BYTES - 1)])
    assert not pipe.full()
    pipe.take()
    assert wakes.count == 0


def test_exactly_as_many_bytes_as_may_wait_are_too_many():
    pipe = Pipe(Wakes())
    pipe.put(["x" * ROOM_BYTES])
    assert pipe.full()


def test_a_source_that_sleeps_is_woken_once():
    wakes = Wakes()
    pipe = Pipe(Wakes())
    pipe.wake_source = wakes
    pipe.put(["x" * ROOM_BYTES])
    assert pipe.full()
    pipe.take()
    pipe.take()
    assert wakes.count == 1


def test_a_source_is_woken_when_the_writer_wants_no_more():
    wakes = Wakes()
    pipe = Pipe(Wakes())
    pipe.wake_source = wakes
    pipe.put(["x" * ROOM_BYTES])
    assert pipe.full()
    pipe.close()
    assert wakes.count == 1


def test_the_writer_is_woken_only_if_it_sleeps():
    wakes = Wakes()
    pipe = Pipe(wakes)
    pipe.put(["a"])
    assert wakes.count == 0
    pipe.take()
    assert pipe.idle()
    pipe.put(["b"])
    pipe.put(["c"])
    assert wakes.count == 1


def test_the_source_is_woken_only_if_it_sleeps():
    wakes = Wakes()
    pipe = Pipe(Wakes())
    pipe.wake_source = wakes
    for _ in range(ROOM):
        pipe.put(["x"])
    pipe.take()
    assert wakes.count == 0
    for _ in range(ROOM):
        pipe.put(["x"])
    assert pipe.full()
    pipe.take()
    assert wakes.count == 1


def test_a_writer_does_not_sleep_over_what_is_there():
    for prepare in (
        lambda pipe: pipe.put(["x"]),
        lambda pipe: pipe.end(None),
        lambda pipe: pipe.hang_up(),
    ):
        pipe = Pipe(Wakes())
        prepare(pipe)
        assert not pipe.idle()


def test_of_a_new_pipe_nothing_is_known_yet():
    pipe = Pipe(Wakes())
    assert (pipe.gone, pipe.slow, pipe.doubted) == (False, False, False)
    assert (pipe.ended, pipe.closed, pipe.others_may_write) == (None, False, False)


CALLS: dict[str, dict[str, Any]] = {
    "hang_up": {"gone": True, "slow": False, "doubted": False, "shutting_down": False},
    "give_up": {"gone": True, "slow": True, "doubted": False, "shutting_down": False},
    "doubt": {"gone": False, "slow": False, "doubted": True, "shutting_down": False},
    "shut_down": {"gone": False, "slow": False, "doubted": False, "shutting_down": True},
}


@pytest.mark.parametrize("call", CALLS)
def test_who_calls_the_writer_wakes_it_once_and_says_why(call: str):
    wakes = Wakes()
    pipe = Pipe(wakes)
    assert pipe.idle()
    assert pipe.others_may_write is True
    getattr(pipe, call)()
    assert wakes.count == 1
    assert pipe.others_may_write is False
    assert {name: getattr(pipe, name) for name in CALLS[call]} == CALLS[call]
    assert not pipe.idle()
    assert pipe.others_may_write is False


def test_the_end_wakes_the_writer():
    wakes = Wakes()
    pipe, error = Pipe(wakes), ValueError()
    assert pipe.idle()
    pipe.end(error, ["rest"])
    assert wakes.count == 1
    assert pipe.ended == (error, ["rest"])
    assert not pipe.others_may_write


def test_a_writer_that_somebody_else_woke_is_not_woken_again():
    wakes = Wakes()
    pipe = Pipe(wakes)
    assert pipe.idle()
    pipe.wake()
    assert pipe.others_may_write is False
    pipe.put(["x"])
    assert wakes.count == 0


def test_where_chunks_wake_nobody_the_end_does():
    wakes = Wakes()
    pipe = Pipe(wakes)
    pipe.pokes = False
    assert pipe.idle()
    pipe.put(["x"])
    assert wakes.count == 0
    assert pipe.others_may_write
    pipe.end(None)
    assert wakes.count == 1


@pytest.mark.parametrize("call", ["end", "close", *CALLS])
def test_a_writer_sleeps_on_over_chunks_but_over_nothing_else(call: str):
    pipe = Pipe(Wakes())
    pipe.put(["x"])
    assert pipe.others_may_write_chunks()
    assert pipe.others_may_write is True
    getattr(pipe, call)(*[None] * (call == "end"))
    assert not pipe.others_may_write_chunks()
    assert pipe.others_may_write is False


@pytest.mark.parametrize(
    "ready", [[], [[]], [["a", "b"]], [["a"], ["b"]], [["a"], []], [["a"], ["b"], ["c"]]]
)
def test_what_is_not_one_chunk_of_one_part_stays_where_it_is(ready: list[list[Part]]):
    pipe = Pipe(Wakes())
    for parts in ready:
        pipe.put(parts)
    assert pipe.take_lone() is None
    assert pipe.take() == ready


def test_one_chunk_of_one_part_is_taken_as_that_part():
    pipe = Pipe(Wakes())
    for part in ("a", "b"):
        pipe.put([part])
        assert pipe.take_lone() == part
        assert pipe.take_lone() is None
    assert pipe.take() == []


def test_one_part_that_was_taken_weighs_nothing_any_more():
    pipe = Pipe(Wakes())
    for _ in range(3):
        assert pipe.put(["x" * (ROOM_BYTES - 2)])
        assert pipe.put(["x"])
        pipe.take()
        assert pipe.put(["x" * (ROOM_BYTES - 1)])
        assert pipe.take_lone() is not None


def test_a_source_that_waits_for_room_is_woken_when_the_one_part_is_taken():
    wakes = Wakes()
    pipe = Pipe(Wakes())
    pipe.wake_source = wakes
    pipe.put(["x" * ROOM_BYTES])
    assert pipe.full()
    assert pipe.take_lone() == "x" * ROOM_BYTES
    assert wakes.count == 1


def test_time_that_is_skipped_wakes_the_writer_and_is_taken_once():
    wakes = Wakes()
    pipe = Pipe(wakes)
    assert pipe.skipped == 0
    assert pipe.idle()
    pipe.skip(0.5)
    assert wakes.count == 1
    assert not pipe.idle()
    assert not pipe.others_may_write_chunks()
    pipe.skip(2.0)
    assert pipe.take_skipped() == 2.5
    assert pipe.take_skipped() == 0
    assert pipe.idle()


def test_after_close_there_is_no_room_and_nothing_is_kept():
    pipe = Pipe(Wakes())
    pipe.put(["x"])
    pipe.close()
    assert pipe.take() == []
    assert not pipe.put(["y"])
    assert not pipe.full()
    assert pipe.closed


def test_nothing_is_lost_between_two_threads():
    signal, room = ThreadSignal(), ThreadSignal()
    pipe = Pipe(signal.set)
    pipe.wake_source = room.set
    count = 50_000

    def produce() -> None:
        for number in range(count):
            if not pipe.put([str(number)]):
                while pipe.full():
                    room.wait()
        pipe.end(None)

    thread = threading.Thread(target=produce)
    thread.start()
    taken: list[str] = []
    while True:
        ended = pipe.ended
        batch = pipe.take()
        assert len(batch) <= ROOM
        taken += [part for parts in batch for part in parts]
        if ended is not None and not batch:
            break
        if pipe.idle():
            signal.wait()
    thread.join()
    assert taken == [str(number) for number in range(count)]


def test_a_shutdown_wakes_the_writer_and_keeps_it_awake():
    wakes = Wakes()
    pipe = Pipe(wakes)
    assert pipe.idle()
    pipe.shut_down()
    assert wakes.count == 1
    assert not pipe.idle()


# -- at every moment ------------------------------------------------------------------------------


def interleaved(
    call: Callable[[], Any], at: int, meanwhile: Callable[[], object]
) -> tuple[Any, bool]:
    """What `call` gives if the other side has its turn before a step of it; and whether it has so many steps."""
    steps = 0

    def on_call(frame: FrameType, _event: str, _arg: Any) -> Any:
        if frame.f_back is not here:
            return None
        frame.f_trace = on_step  # Python 3.13 wants it before its steps are asked for
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return on_step

    def on_step(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal steps
        if event == "opcode":
            steps += 1
            if steps == at:
                sys.settrace(None)
                meanwhile()
        return on_step

    here, before = sys._getframe(), sys.gettrace()
    here.f_trace_opcodes = (
        True  # Python 3.12 has no steps for a trace that began before any frame asked for them
    )
    sys.settrace(on_call)
    try:
        outcome = call()
    finally:
        sys.settrace(before)
    return outcome, steps >= at


def test_what_is_put_at_any_moment_of_taking_is_taken_now_or_next():
    at, goes_on = 1, True
    while goes_on:
        pipe = Pipe(Wakes())
        pipe.put(["a"])
        taken, goes_on = interleaved(pipe.take, at, lambda it=pipe: it.put(["b"]))
        assert taken + pipe.take() == ([["a"], ["b"]] if goes_on else [["a"]])
        at += 1
    assert at > 10


def test_what_is_put_at_any_moment_of_taking_one_part_is_taken_then_or_later():
    at, goes_on = 1, True
    while goes_on:
        pipe = Pipe(Wakes())
        pipe.put(["a"])
        lone, goes_on = interleaved(pipe.take_lone, at, lambda it=pipe: it.put(["b"]))
        first = [] if lone is None else [[lone]]
        assert first + pipe.take() == ([["a"], ["b"]] if goes_on else [["a"]])
        at += 1
    assert at > 10


@pytest.mark.parametrize("call", ["put", "end", *CALLS])
def test_whatever_comes_at_any_moment_of_falling_asleep_is_seen_or_wakes(call: str):
    at, goes_on = 1, True
    while goes_on:
        wakes = Wakes()
        pipe = Pipe(wakes)
        argument = {"put": [["x"]], "end": [None]}.get(call, [])
        told = getattr(pipe, call)
        sleeps, goes_on = interleaved(pipe.idle, at, lambda: told(*argument))  # noqa: B023
        assert not goes_on or not sleeps or wakes.count == 1
        at += 1
    assert at > 10


@pytest.mark.parametrize("call", ["take", "close"])
def test_room_that_comes_at_any_moment_of_falling_asleep_is_seen_or_wakes(call: str):
    at, goes_on = 1, True
    while goes_on:
        wakes = Wakes()
        pipe = Pipe(Wakes())
        pipe.wake_source = wakes
        pipe.put(["x" * ROOM_BYTES])
        sleeps, goes_on = interleaved(pipe.full, at, getattr(pipe, call))
        assert not goes_on or not sleeps or wakes.count >= 1
        at += 1
    assert at > 10


def test_a_source_that_falls_asleep_at_any_moment_of_taking_is_woken():
    at, goes_on = 1, True
    while goes_on:
        wakes = Wakes()
        pipe = Pipe(Wakes())
        pipe.wake_source = wakes
        pipe.put(["x" * ROOM_BYTES])
        sleeps: list[bool] = []
        taken, goes_on = interleaved(pipe.take, at, lambda: sleeps.append(pipe.full()))  # noqa: B023
        assert taken
        assert sleeps != [True] or wakes.count == 1
        at += 1
    assert at > 10
