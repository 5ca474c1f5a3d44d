"""The way from source to writer: bounded, and no wake-up is lost."""

from __future__ import annotations

import threading

from sse_bridge.drivers.handover import ROOM, ROOM_BYTES, Handover
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.parts import Reasoning


class Wakes:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def test_what_is_put_is_taken_in_order_and_at_once():
    handover = Handover(Wakes())
    handover.put(["a"])
    handover.put(["b", "c"])
    assert handover.take() == [["a"], ["b", "c"]]
    assert handover.take() == []


def test_there_is_room_for_so_many_chunks_and_no_more():
    handover = Handover(Wakes())
    rooms = [handover.put(["x"]) for _ in range(ROOM)]
    assert rooms == [True] * (ROOM - 1) + [False]
    assert handover.full()
    handover.take()
    assert not handover.full()


def test_there_is_room_for_so_many_bytes_and_no_more():
    handover = Handover(Wakes())
    assert handover.put(["x" * (ROOM_BYTES - 1)])
    assert not handover.put([Reasoning("xy")])
    assert handover.full()
    handover.take()
    assert not handover.full()
    assert handover.put(["x"])


def test_a_line_of_json_has_its_weight():
    handover = Handover(Wakes())
    assert handover.put([b"x" * (ROOM_BYTES - 1)])
    assert not handover.put([b"x"])


def test_the_writer_is_woken_only_if_it_sleeps():
    wakes = Wakes()
    handover = Handover(wakes)
    handover.put(["a"])
    assert wakes.count == 0
    handover.take()
    assert handover.idle()
    handover.put(["b"])
    handover.put(["c"])
    assert wakes.count == 1


def test_the_source_is_woken_only_if_it_sleeps():
    wakes = Wakes()
    handover = Handover(Wakes())
    handover.wake_source = wakes
    for _ in range(ROOM):
        handover.put(["x"])
    handover.take()
    assert wakes.count == 0
    for _ in range(ROOM):
        handover.put(["x"])
    assert handover.full()
    handover.take()
    assert wakes.count == 1


def test_a_writer_does_not_sleep_over_what_is_there():
    for prepare in (
        lambda handover: handover.put(["x"]),
        lambda handover: handover.end(None),
        lambda handover: handover.hang_up(),
    ):
        handover = Handover(Wakes())
        prepare(handover)
        assert not handover.idle()


def test_after_close_there_is_no_room_and_nothing_is_kept():
    handover = Handover(Wakes())
    handover.put(["x"])
    handover.close()
    assert handover.take() == []
    assert not handover.put(["y"])
    assert not handover.full()
    assert handover.closed


def test_nothing_is_lost_between_two_threads():
    signal, room = ThreadSignal(), ThreadSignal()
    handover = Handover(signal.set)
    handover.wake_source = room.set
    count = 50_000

    def produce() -> None:
        for number in range(count):
            if not handover.put([str(number)]):
                while handover.full():
                    room.wait()
        handover.end(None)

    thread = threading.Thread(target=produce)
    thread.start()
    taken: list[str] = []
    while True:
        ended = handover.ended
        batch = handover.take()
        assert len(batch) <= ROOM
        taken += [part for parts in batch for part in parts]
        if ended is not None and not batch:
            break
        if handover.idle():
            signal.wait()
    thread.join()
    assert taken == [str(number) for number in range(count)]


def test_a_shutdown_wakes_the_writer_and_keeps_it_awake():
    wakes = Wakes()
    handover = Handover(wakes)
    assert handover.idle()
    handover.shut_down()
    assert wakes.count == 1
    assert not handover.idle()
