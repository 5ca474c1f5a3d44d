"""A watch that is handed on from one who waits for the client to the next."""

from __future__ import annotations

from sse_bridge.watches import HandedOn


class Watch:
    every = 0.5
    second_ping = 1.5

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.tell_doubt = self.tell_gone = lambda: None

    def start(self, doubt, gone) -> None:
        self.calls.append("start")
        self.tell_doubt, self.tell_gone = doubt, gone

    def check(self) -> None:
        self.calls.append("check")

    def is_doubtful(self) -> bool:
        return True

    def has_left(self, within: float) -> bool:
        return within > 1

    def stop(self) -> None:
        self.calls.append("stop")


def test_it_is_started_and_stopped_once_and_asks_the_watch_in_it():
    watch = Watch()
    handed_on = HandedOn(watch)
    for _ in range(2):
        handed_on.start(list, list)
    handed_on.check()
    for _ in range(2):
        handed_on.stop()
    assert watch.calls == ["start", "check", "stop"]
    assert (handed_on.every, handed_on.second_ping) == (0.5, 1.5)
    assert handed_on.is_doubtful()
    assert [handed_on.has_left(0), handed_on.has_left(2)] == [False, True]


def test_who_waits_now_is_told_and_nobody_else():
    watch, told = Watch(), []
    handed_on = HandedOn(watch)
    handed_on.start(lambda: told.append("doubt 1"), lambda: told.append("gone 1"))
    watch.tell_doubt()
    handed_on.start(lambda: told.append("doubt 2"), lambda: told.append("gone 2"))
    watch.tell_doubt()
    watch.tell_gone()
    assert told == ["doubt 1", "doubt 2", "gone 2"]


def test_who_comes_after_the_client_has_left_is_told_at_once():
    watch, told = Watch(), []
    handed_on = HandedOn(watch)
    handed_on.start(list, list)
    watch.tell_gone()
    handed_on.start(list, lambda: told.append("gone"))
    assert told == ["gone"]


def test_behind_stop_nobody_is_told():
    watch, told = Watch(), []
    handed_on = HandedOn(watch)
    handed_on.start(list, lambda: told.append("gone"))
    handed_on.stop()
    watch.tell_gone()
    assert told == []
