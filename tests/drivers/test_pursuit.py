"""What could not be done at once is tried again, beside whoever asked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import pytest

from sse_bridge.drivers import pursuit
from sse_bridge.drivers.pursuit import LONGEST, Pursuit

PATIENCE = 10.0


class Attempt:
    """Over at the try of that number; notes which thread made which try."""

    def __init__(self, over_at: float, then: Callable[[], None] = lambda: None) -> None:
        self.threads: list[threading.Thread] = []
        self.over = threading.Event()
        self._over_at = over_at
        self._then = then

    def __call__(self) -> bool:
        self.threads.append(threading.current_thread())
        if len(self.threads) < self._over_at:
            return False
        self.over.set()
        self._then()
        return True


def pursuers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "sse_bridge pursuit"]


def wait_for_the_end() -> None:
    for thread in pursuers():
        thread.join(PATIENCE)
    assert pursuers() == []


def fail() -> None:
    raise LookupError("a fault in a try")


def test_a_try_is_made_beside_the_caller_again_and_again_until_it_is_over():
    attempt = Attempt(over_at=6)
    Pursuit().pursue(attempt)
    assert attempt.over.wait(PATIENCE)
    wait_for_the_end()
    assert len(attempt.threads) == 6
    assert threading.current_thread() not in attempt.threads


def test_one_thread_pursues_them_all_and_ends_with_the_last():
    chase, seen = Pursuit(), []
    attempts = [
        Attempt(over_at=number, then=lambda: seen.append(len(pursuers())))
        for number in range(3, 13)
    ]
    for attempt in attempts:
        chase.pursue(attempt)
    for attempt in attempts:
        assert attempt.over.wait(PATIENCE)
    wait_for_the_end()
    assert [len(attempt.threads) for attempt in attempts] == list(range(3, 13))
    assert set(seen) == {1}


def test_after_its_end_it_begins_anew():
    chase = Pursuit()
    for _ in range(3):
        chase.pursue(attempt := Attempt(over_at=3))
        assert attempt.over.wait(PATIENCE)
        wait_for_the_end()


@pytest.mark.parametrize("raises_at", [1, 3])
def test_a_try_that_raises_is_logged_and_over_and_the_others_go_on(caplog, raises_at):
    chase = Pursuit()
    other = Attempt(over_at=8)
    chase.pursue(other)
    faulty = Attempt(over_at=raises_at, then=fail)
    chase.pursue(faulty)
    assert other.over.wait(PATIENCE)
    wait_for_the_end()
    assert len(faulty.threads) == raises_at
    assert [record.exc_info[0] for record in caplog.records] == [LookupError]


def test_a_newcomer_does_not_wait_until_the_patience_with_the_others_is_over():
    chase = Pursuit()
    chase._changed = Longest()
    patient, newcomer = Attempt(over_at=20), Attempt(over_at=3)
    chase.pursue(patient)
    assert chase._changed.asleep.wait(PATIENCE)
    chase.pursue(newcomer)
    assert newcomer.over.wait(PATIENCE)
    wait_for_the_end()


class Longest(threading.Condition):
    """The longest wait lasts until somebody ends it, and the others no time."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = threading.Event()
        self._was_asleep = False

    def wait(self, timeout: float | None = None) -> bool:
        if timeout != LONGEST or self._was_asleep:
            return super().wait(0)
        self._was_asleep = True
        self.asleep.set()
        woken = super().wait(PATIENCE)
        assert woken, "nobody woke it"
        return woken


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_process_has_its_own_tries_only():
    lasting = Attempt(over_at=float("inf"))
    pursuit.pursue(lasting)
    child = os.fork()
    if child == 0:
        before = len(lasting.threads)
        pursuit.pursue(attempt := Attempt(over_at=5))
        over = attempt.over.wait(PATIENCE)
        os._exit(0 if over and len(lasting.threads) == before else 1)
    status = os.waitpid(child, 0)[1]
    lasting._over_at = 0
    wait_for_the_end()
    assert os.waitstatus_to_exitcode(status) == 0
