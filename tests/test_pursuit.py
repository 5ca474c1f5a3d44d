"""What could not be done at once is tried again, beside whoever asked."""

from __future__ import annotations

import itertools
import os
import sys
import threading
from collections.abc import Callable

import pytest

from sse_bridge import interrupt, pursuit
from sse_bridge.pursuit import ALONG, ENDURANCE, LONGEST, Pursuit

PATIENCE = 10.0


class Quarry:
    """A place that is free at the try of that number; notes which thread made which try."""

    thread_id: int | None = None

    def __init__(self, free_at: float, then: Callable[[], None] = lambda: None) -> None:
        self.threads: list[threading.Thread] = []
        self.free = threading.Event()
        self._free_at = free_at
        self._then = then

    def interrupt(self, unless: Callable[[], bool]) -> bool:
        self.threads.append(threading.current_thread())
        if len(self.threads) < self._free_at:
            return False
        self.free.set()
        self._then()
        return True


def never() -> bool:
    return False


def pursuers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sse_bridge pursuit"]


def wait_for_the_end() -> None:
    for thread in pursuers():
        thread.join(PATIENCE)
    assert pursuers() == []


def fail() -> None:
    raise LookupError("a fault in a try")


def test_a_try_is_made_beside_the_caller_again_and_again_until_it_is_over():
    quarry = Quarry(free_at=6)
    Pursuit().pursue(quarry, never)
    assert quarry.free.wait(PATIENCE)
    wait_for_the_end()
    assert len(quarry.threads) == 6
    assert threading.current_thread() not in quarry.threads


def test_one_thread_pursues_them_all_and_ends_with_the_last():
    chase, seen = Pursuit(), []
    quarries = [
        Quarry(free_at=number, then=lambda: seen.append(len(pursuers()))) for number in range(3, 9)
    ]
    for quarry in quarries:
        chase.pursue(quarry, never)
    for quarry in quarries:
        assert quarry.free.wait(PATIENCE)
    wait_for_the_end()
    assert [len(quarry.threads) for quarry in quarries] == list(range(3, 9))
    assert set(seen) == {1}


def test_after_its_end_it_begins_anew():
    chase = Pursuit()
    for _ in range(3):
        chase.pursue(quarry := Quarry(free_at=3), never)
        assert quarry.free.wait(PATIENCE)
        wait_for_the_end()


@pytest.mark.parametrize("raises_at", [1, 3])
def test_a_try_that_raises_is_logged_and_over_and_the_others_go_on(caplog, raises_at):
    chase = Pursuit()
    other = Quarry(free_at=6)
    chase.pursue(other, never)
    faulty = Quarry(free_at=raises_at, then=fail)
    chase.pursue(faulty, never)
    assert other.free.wait(PATIENCE)
    wait_for_the_end()
    assert len(faulty.threads) == raises_at
    assert [record.exc_info[0] for record in caplog.records] == [LookupError]


def test_a_newcomer_does_not_wait_until_the_patience_with_the_others_is_over():
    chase = Pursuit()
    chase._changed = Longest()
    patient, newcomer = Quarry(free_at=20), Quarry(free_at=3)
    chase.pursue(patient, never)
    assert chase._changed.asleep.wait(PATIENCE)
    chase.pursue(newcomer, never)
    assert newcomer.free.wait(PATIENCE)
    patient._free_at = 0
    chase._chases.clear()
    chase.pursue(Quarry(free_at=0), never)
    wait_for_the_end()


class Longest(threading.Condition):
    """The first wait that takes its time lasts until somebody ends it, and the others no time."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None or timeout < 0.1 or self.asleep.is_set():
            return super().wait(0)
        self.asleep.set()
        woken = super().wait(PATIENCE)
        assert woken, "nobody woke it"
        return woken


def fails_once() -> Callable[[object], set[int]]:
    """A look at the threads that raises at first."""
    raised: list[bool] = []

    def look(thread_ids: object) -> set[int]:
        if not raised:
            raised.append(True)
            raise MemoryError("no room for a look")
        return set()

    return look


def test_a_round_that_raises_is_logged_and_the_next_is_made(caplog, monkeypatch):
    monkeypatch.setattr(interrupt, "reading", fails_once())
    Pursuit().pursue(quarry := Quarry(free_at=1), never)
    assert quarry.free.wait(PATIENCE)
    wait_for_the_end()
    assert [record.exc_info[0] for record in caplog.records] == [MemoryError]


# -- rounds, with time as an argument -------------------------------------------------------------


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> Pursuit:
    """A pursuit whose rounds are made by the test, from the time 0 on."""
    monkeypatch.setattr(Pursuit, "_start", lambda self: None)
    monkeypatch.setattr(pursuit, "monotonic", lambda: 0.0)
    return Pursuit()


def rounds(still: Pursuit, until: float) -> list[float]:
    """When rounds were made, each when it is due."""
    made = []
    while still._chases and (now := min(chase.next_at for chase in still._chases)) <= until:
        made.append(now)
        still._round(now)
    return made


def test_the_tries_get_ever_rarer_and_end(still: Pursuit):
    still.pursue(quarry := Quarry(free_at=float("inf")), never)
    made = rounds(still, until=10 * ENDURANCE)
    pauses = [later - sooner for sooner, later in itertools.pairwise(made)]
    assert pauses == sorted(pauses, key=lambda pause: round(pause, 6))
    assert pauses[0] < 0.01
    assert pauses[-1] == pytest.approx(LONGEST)
    assert ENDURANCE <= made[-1] <= ENDURANCE + LONGEST
    assert len(quarry.threads) == len(made) - 1
    assert still._chases == []


def test_a_thousand_are_tried_in_the_rounds_of_a_few(still: Pursuit, monkeypatch):
    for number in range(1000):
        monkeypatch.setattr(pursuit, "monotonic", lambda number=number: number / 100)
        still.pursue(Quarry(free_at=float("inf")), never)
    made = rounds(still, until=200)
    assert len([now for now in made if now > 100]) <= ALONG * 100 / LONGEST


def test_one_look_at_the_threads_serves_all_of_a_round(still: Pursuit, monkeypatch):
    looks = []
    look = sys._current_frames
    monkeypatch.setattr(sys, "_current_frames", lambda: looks.append(None) or look())
    quarries = [Quarry(free_at=1) for _ in range(50)]
    for quarry in quarries:
        quarry.thread_id = threading.get_ident()  # which is in no read
        still.pursue(quarry, never)
    still._round(0.0)
    assert len(looks) == 1
    assert [quarry.threads for quarry in quarries] == [[]] * 50


def test_whose_thread_is_in_an_upstream_read_is_tried(still: Pursuit, monkeypatch):
    monkeypatch.setattr(interrupt, "reading", lambda thread_ids: set(thread_ids) & {7})
    reader, other = Quarry(free_at=1), Quarry(free_at=1)
    reader.thread_id, other.thread_id = 7, 8
    still.pursue(reader, never)
    still.pursue(other, never)
    still._round(0.0)
    assert (len(reader.threads), len(other.threads)) == (1, 0)


def test_what_need_not_be_freed_any_more_is_left_alone(still: Pursuit):
    still.pursue(quarry := Quarry(free_at=1), lambda: True)
    still._round(0.0)
    assert (quarry.threads, still._chases) == ([], [])


def test_who_is_to_be_reminded_is_called_once_and_not_before_the_time(still: Pursuit):
    called: list[str] = []
    still.remind(lambda: called.append("late"), 9.0)
    still.remind(lambda: called.append("soon"), 2.0)
    still._round(1.9)
    assert called == []
    assert rounds(still, until=10) == [2.0, 9.0]
    assert called == ["soon", "late"]


def test_a_reminder_that_raises_is_logged_and_the_others_go_on(still: Pursuit, caplog):
    called: list[str] = []
    still.remind(fail, 1.0)
    still.remind(lambda: called.append("a"), 1.0)
    assert rounds(still, until=10) == [1.0]
    assert called == ["a"]
    assert [record.exc_info[0] for record in caplog.records] == [LookupError]


def test_a_reminder_is_made_beside_the_caller():
    threads: list[threading.Thread] = []
    Pursuit().remind(lambda: threads.append(threading.current_thread()), 0.0)
    wait_for_the_end()
    assert [thread.name for thread in threads] == ["sse_bridge pursuit"]


def test_who_is_to_be_reminded_in_a_far_future_does_not_hold_up_the_others():
    far, called = Pursuit(), threading.Event()
    far.remind(lambda: None, 1e11)  # further away than any platform can wait
    far.remind(called.set, 0.0)
    assert called.wait(PATIENCE)
    with far._changed:
        far._chases.clear()
        far._changed.notify()
    wait_for_the_end()


def test_a_round_that_raises_leaves_the_reminders_for_another(caplog, monkeypatch):
    monkeypatch.setattr(pursuit, "LONGEST", 0.0)
    monkeypatch.setattr(interrupt, "reading", fails_once())
    called: list[int] = []
    Pursuit().remind(lambda: called.append(1), 0.0)
    wait_for_the_end()
    assert called == [1]


# -- forks ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_process_has_its_own_tries_only():
    lasting = Quarry(free_at=float("inf"))
    over = threading.Event()
    pursuit.pursue(lasting, over.is_set)
    child = os.fork()
    if child == 0:
        before = len(lasting.threads)
        pursuit.pursue(quarry := Quarry(free_at=5), never)
        free = quarry.free.wait(PATIENCE)
        os._exit(0 if free and len(lasting.threads) == before else 1)
    status = os.waitpid(child, 0)[1]
    over.set()
    wait_for_the_end()
    assert os.waitstatus_to_exitcode(status) == 0
