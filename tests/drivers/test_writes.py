"""Writes that take too long: seen by the time that is given, and by the one thread that looks."""

from __future__ import annotations

import gc
import os
import threading
import weakref
from collections.abc import Callable
from math import inf
from time import monotonic

import pytest

from sse_bridge.drivers import writes as writes_module
from sse_bridge.drivers.writes import BATCH_BYTES, Lookout, Writes, batches
from sse_bridge.watches import HandedOn

PATIENCE = 10.0
TIMEOUT = 30.0


class Connection:
    """A watch on one: says what was done to it, in order."""

    every = second_ping = None
    breaks = True

    def __init__(self, then: Callable[[], None] = lambda: None) -> None:
        self.events: list[str] = []
        self.broken = threading.Event()
        self._then = then

    def start(self, doubt: Callable[[], None], gone: Callable[[], None]) -> None: ...
    def check(self) -> None: ...
    def is_doubtful(self) -> bool:
        return False

    def has_left(self, within: float) -> bool:
        return False

    def stop(self) -> None: ...

    def slow(self) -> None:
        self.events.append("slow")

    def break_off(self) -> None:
        self.events.append("broken off")
        self.broken.set()
        self._then()

    def writes(self, timeout: float = TIMEOUT) -> Writes:
        return Writes(timeout, self, self.slow)


def test_a_write_is_broken_off_when_its_time_is_over_and_who_asks_hears_why_before():
    connection = Connection()
    writes = connection.writes()
    writes.since = 100.0
    assert writes.look(129.9) == 130.0
    assert connection.events == []
    assert writes.look(130.0) == inf
    assert connection.events == ["slow", "broken off"]


def test_a_slow_reader_who_takes_something_within_the_time_is_let_be():
    connection = Connection()
    writes = connection.writes()
    now = 0.0
    for _ in range(1000):
        writes.since = now
        now = writes.look(
            now + 29.0
        )  # when the next look is due, and the server has just asked for more
    assert connection.events == []


def test_who_has_nothing_to_write_is_let_be_for_any_time():
    connection = Connection()
    writes = connection.writes()
    assert [writes.look(now) for now in (0.0, 1e6)] == [30.0, 1e6 + 30.0]
    assert connection.events == []


def test_what_is_over_is_not_looked_at_again_and_holds_nothing():
    connection = Connection()
    writes, gone = connection.writes(), weakref.ref(connection)
    writes.since = 0.0
    writes.end()
    assert writes.look(1e6) == inf
    assert connection.events == []
    del connection
    gc.collect()
    assert gone() is None


def test_a_watch_that_was_handed_on_breaks_off_the_same_connection():
    connection = Connection()
    handed_on = HandedOn(connection)
    assert handed_on.breaks
    handed_on.break_off()
    assert connection.events == ["broken off"]


# -- who looks ------------------------------------------------------------------------------------


def lookers() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "sse_bridge writes"}


def test_one_thread_looks_at_all():
    older, lookout, connections = lookers(), Lookout(), [Connection() for _ in range(50)]
    all_writes = [connection.writes(timeout=0.01) for connection in connections]
    for number, writes in enumerate(all_writes):
        writes.since = monotonic() if number % 2 else inf
        lookout.add(writes)
    for connection in connections[1::2]:
        assert connection.broken.wait(PATIENCE)
    assert not any(connection.events for connection in connections[::2])
    assert len(lookers() - older) == 1
    for writes in all_writes:
        lookout.remove(writes)


def test_what_is_over_leaves_nothing_even_before_its_next_look():
    lookout, connection = Lookout(), Connection()
    writes = connection.writes(timeout=3600.0)
    lookout.add(writes)
    gone = weakref.ref(connection)
    lookout.remove(writes)
    del connection
    gc.collect()
    assert gone() is None
    assert lookout._open == set()


def test_a_write_is_broken_off_once_however_long_its_server_takes_to_notice():
    lookout, stuck = Lookout(), Connection()
    writes = stuck.writes(timeout=0.01)
    writes.since = monotonic()
    lookout.add(writes)
    assert stuck.broken.wait(PATIENCE)
    for _ in range(3):  # each makes it look at all
        another = Connection()
        beside = another.writes(timeout=0.01)
        beside.since = monotonic()
        lookout.add(beside)
        assert another.broken.wait(PATIENCE)
    assert stuck.events == ["slow", "broken off"]


def test_one_that_is_due_sooner_than_all_others_is_not_kept_waiting_for_them():
    lookout, late, soon = Lookout(), Connection(), Connection()
    waiting = late.writes(timeout=3600.0)
    lookout.add(waiting)
    writes = soon.writes(timeout=0.01)
    writes.since = monotonic()
    lookout.add(writes)
    assert soon.broken.wait(PATIENCE)
    assert late.events == []
    lookout.remove(waiting)


def test_a_fault_in_breaking_one_off_is_not_the_end_of_the_others():
    def fail() -> None:
        raise LookupError("a fault")

    lookout, faulty, sound = Lookout(), Connection(then=fail), Connection()
    for connection in (faulty, sound):
        writes = connection.writes(timeout=0.01)
        writes.since = monotonic()
        lookout.add(writes)
    assert sound.broken.wait(PATIENCE)
    assert faulty.broken.wait(PATIENCE)


def test_where_no_thread_is_to_be_had_the_next_who_asks_has_one_started(
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    lookout, first, second = Lookout(), Connection(), Connection()
    writes = first.writes(timeout=0.01)
    writes.since = monotonic()
    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        lookout.add(writes)
    lookout.add(second.writes(timeout=0.01))
    assert first.broken.wait(PATIENCE)


def test_a_forked_child_has_none_of_its_parents_looks():
    writes = Connection().writes(timeout=60.0)
    writes_module.look_at(writes)
    child = os.fork()
    if child == 0:
        os._exit(len(writes_module._lookout._open))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    writes_module.forget(writes)


# -- what one write is ----------------------------------------------------------------------------


def test_what_is_much_is_cut_into_single_writes_and_nothing_is_lost():
    data = os.urandom(3 * BATCH_BYTES + 1)
    pieces = list(batches(data))
    assert [len(piece) for piece in pieces] == [*[BATCH_BYTES] * 3, 1]
    assert b"".join(pieces) == data
