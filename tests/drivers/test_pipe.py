"""The way from source to writer: bounded, and no wake-up is lost."""

from __future__ import annotations

import threading

from sse_bridge.drivers.pipe import ROOM, ROOM_BYTES, Pipe
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.parts import Reasoning


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
