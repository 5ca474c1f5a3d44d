"""One thread that makes call after call for a request while its caller waits."""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sse_bridge import interrupt
from sse_bridge.drivers.walkers import OwnThread, Pending, Walked, Walker

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def walker() -> Iterator[Walker]:
    walker = Walker(contextvars.copy_context(), interrupts=False)
    yield walker
    walker.end()


class Watch:
    """A client who can be made to leave, and is looked at when `every` says so, or never."""

    second_ping = None

    def __init__(self, every: float | None = None) -> None:
        self.every = every
        self.doubt = self.gone = lambda: None
        self.checks = 0

    def start(self, doubt: Any, gone: Any) -> None:
        self.doubt, self.gone = doubt, gone

    def check(self) -> None:
        self.checks += 1
        self.gone()

    def is_doubtful(self) -> bool:
        return False

    def has_left(self, within: float) -> bool:
        return False

    def stop(self) -> None:
        pass


def test_all_calls_are_made_on_one_thread_in_one_context(walker: Walker):
    threads = {walker.do(threading.get_ident) for _ in range(3)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    walker.do(lambda: variable.set("walkers"))
    assert walker.do(variable.get) == "walkers"
    assert variable.get() == "unset"


@pytest.mark.parametrize("error", [ValueError("x"), StopIteration(), SystemExit(1)])
def test_what_a_call_raises_is_raised(walker: Walker, error: BaseException):
    def fail() -> None:
        raise error

    with pytest.raises(type(error)):
        walker.do(fail)
    assert walker.do(lambda: 1) == 1


def test_what_it_asks_is_done_by_the_thread_that_waits(walker: Walker):
    assert walker.do(lambda: walker.ask(threading.get_ident)) == threading.get_ident()
    assert walker.ask(threading.get_ident) == threading.get_ident()


def test_what_that_raises_is_raised_to_who_asked(walker: Walker):
    def refuse() -> None:
        raise ValueError("refused")

    def ask() -> str:
        with pytest.raises(ValueError, match="refused"):
            walker.ask(refuse)
        return "went on"

    assert walker.do(ask) == "went on"


def test_at_its_time_the_call_goes_on_and_its_errand_has_what_comes_of_it(walker: Walker):
    go_on = threading.Event()
    with pytest.raises(Pending) as pending:
        walker.do(lambda: go_on.wait(10), until=time.monotonic())
    go_on.set()
    assert walker.do(lambda: pending.value.errand.result()) is True


def test_what_a_thread_does_is_freed_once_and_what_it_does_next_once_again(
    monkeypatch: pytest.MonkeyPatch,
):
    tries: list[bool] = []

    def try_it(thread_id: int, *, unless: Any) -> bool:
        tries.append(unless())
        return len(tries) > 1  # at first it reads nothing

    monkeypatch.setattr(interrupt, "interrupt", try_it)
    go_on, renewed, end = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        assert go_on.wait(10)
        thread.renew()
        renewed.set()
        assert end.wait(10)

    thread = OwnThread(contextvars.copy_context(), call)
    assert [thread.interrupt(lambda: False) for _ in range(3)] == [False, True, True]
    assert len(tries) == 2
    go_on.set()
    assert renewed.wait(10)
    assert [thread.interrupt(lambda: False) for _ in range(2)] == [True, True]
    assert len(tries) == 3
    end.set()


@pytest.mark.parametrize("word", ["doubt", "gone"])
def test_a_client_that_leaves_ends_the_wait_that_has_an_end(walker: Walker, word: str):
    go_on, watch = threading.Event(), Watch()

    def leave_and_wait() -> None:
        getattr(watch, word)()
        go_on.wait(10)

    with pytest.raises(Pending):
        walker.do(leave_and_wait, watch, until=time.monotonic() + 60)
    go_on.set()


def test_without_an_end_the_call_is_freed_once_and_waited_for(
    walker: Walker, monkeypatch: pytest.MonkeyPatch
):
    freed, watch = threading.Event(), Watch(every=0.0)
    frees: list[Any] = []
    monkeypatch.setattr(walker, "free", lambda errand: (frees.append(errand), freed.set()))
    assert walker.do(lambda: freed.wait(10), watch) is True
    assert (len(frees), watch.checks) == (1, 1)


def test_a_wait_that_is_broken_off_frees_the_call_and_refuses_what_it_asks(
    walker: Walker, monkeypatch: pytest.MonkeyPatch
):
    frees: list[Any] = []
    monkeypatch.setattr(walker, "free", frees.append)
    told = threading.Event()

    def time_out(*_: Any) -> None:
        raise SystemExit("the server's own")

    def ask_late() -> None:
        assert told.wait(10)
        with pytest.raises(RuntimeError, match="does not wait"):
            walker.ask(list)
        refused.set()

    refused = threading.Event()
    monkeypatch.setattr(walker, "_wait_for", time_out)
    with pytest.raises(SystemExit):
        walker.do(ask_late)
    told.set()
    assert refused.wait(10)
    assert len(frees) == 1


def test_it_ends_with_its_last_call_once(walker: Walker):
    last: list[int] = []
    walker = Walker(
        contextvars.copy_context(), lambda: last.append(threading.get_ident()), interrupts=False
    )
    own = walker.do(threading.get_ident)
    for _ in range(3):
        walker.end()
    walker._thread._thread.join(10)
    assert last == [own]


def test_on_its_own_thread_it_ends_at_once():
    order: list[str] = []
    walker = Walker(contextvars.copy_context(), lambda: order.append("last"), interrupts=False)
    walker.do(lambda: (walker.end(), order.append("call")))
    walker._thread._thread.join(10)
    assert order == ["last", "call"]


def test_a_last_call_that_raises_is_logged(caplog: pytest.LogCaptureFixture):
    def fail() -> None:
        raise ValueError("in a teardown")

    walker = Walker(contextvars.copy_context(), fail, interrupts=False)
    walker.end()
    walker._thread._thread.join(10)
    assert "in a teardown" in caplog.text


def test_a_worker_goes_on_there(walker: Walker):
    own, done = walker.do(threading.get_ident), threading.Event()
    seen: list[int] = []
    place = walker.spawn(
        contextvars.Context(), lambda: (seen.append(threading.get_ident()), done.set())
    )
    assert place is walker
    assert done.wait(10)
    assert seen == [own]


def test_a_thread_of_its_own_makes_one_call_in_its_context():
    context, done = contextvars.copy_context(), threading.Event()
    context.run(variable.set, "its own")
    seen: list[str] = []
    thread = OwnThread(context, lambda: (seen.append(variable.get()), done.set()))
    assert done.wait(10)
    assert seen == ["its own"]
    assert not thread.is_current()
    thread._thread.join(10)
    assert not thread.interrupt(lambda: False)


def test_a_last_call_that_raises_on_its_own_thread_ends_it_all_the_same():
    def fail() -> None:
        raise ValueError("in a teardown")

    walker = Walker(contextvars.copy_context(), fail, interrupts=False)
    walker.do(walker.end)
    walker._thread._thread.join(10)
    assert not walker._thread._thread.is_alive()


def test_when_it_has_ended_nothing_waits_for_it(walker: Walker):
    walked = Walked(walker, iter([1, 2]))
    assert next(walked) == 1
    for _ in range(2):
        walked.close()
    assert list(walked) == []
    with pytest.raises(RuntimeError, match="the request is over"):
        walker.do(list)


def test_a_source_is_discarded_there_behind_what_was_begun(walker: Walker):
    closed: list[int] = []

    class Source:
        def close(self) -> None:
            closed.append(threading.get_ident())

    walker.discard(Source(), list)
    assert closed in ([], [walker.do(threading.get_ident)])
    assert walker.do(lambda: closed) == [walker.do(threading.get_ident)]
