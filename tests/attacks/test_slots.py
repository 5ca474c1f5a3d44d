"""An attacker, or mere bad luck, in the moment in which a stream ends: its place, its `on_end`, its process."""

from __future__ import annotations

import contextvars
import gc
import json
import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from scenes import played
from sse_bridge import Ending, Summary
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams

PATIENCE = 10.0
GONE = Ending.GONE


class Watch:
    """The watch on a client that does not leave."""

    every = second_ping = None
    breaks = False
    stopped = 0

    def start(self, doubt: Any, gone: Any) -> None: ...
    def check(self) -> None: ...
    def is_doubtful(self) -> bool:
        return False

    def break_off(self) -> None: ...
    def has_left(self, within: float) -> bool:
        return False

    def stop(self) -> None:
        self.stopped += 1


@pytest.fixture(autouse=True)
def _all_is_given_back() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name == "sse_bridge source":
            thread.join(PATIENCE)
    assert (streams.open, streams.stragglers) == (0, 0)


class Answer:
    """One stream that goes on for ever, and what was told of its end."""

    def __init__(self, watch: Watch | None = None, **options: Any) -> None:
        self.summaries: list[Summary] = []
        self.over = threading.Event()
        self.closed, self.may_close = threading.Event(), threading.Event()
        self.may_close.set()
        made = Options(on_end=self._end, **options)
        context = contextvars.copy_context()
        self.body = Body(self._source(), made, context, watch=lambda: watch)

    def _source(self) -> Iterator[str]:
        try:
            while True:
                yield "text"
        finally:
            self.may_close.wait(PATIENCE)
            self.closed.set()

    def _end(self, summary: Summary) -> None:
        self.summaries.append(summary)
        self.over.set()

    def check(self, ending: Ending) -> None:
        assert self.over.wait(PATIENCE)
        assert self.closed.wait(PATIENCE)
        assert [summary.ending for summary in self.summaries] == [ending]


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit(), ValueError()]
)
def test_a_cancel_that_raises_keeps_no_place_and_no_source(error: BaseException):
    answer = Answer(cancel=raising(error))
    next(answer.body)
    answer.body.close()
    answer.check(GONE)


def test_a_watch_that_cannot_be_stopped_keeps_no_place_and_no_source():
    watch = Watch()
    stop = once(watch.stop, OSError("the descriptor is gone"))
    watch.stop = stop  # type: ignore[method-assign]
    answer = Answer(watch)
    next(answer.body)
    with pytest.raises(OSError, match="the descriptor is gone"):
        answer.body.close()
    answer.check(GONE)


class ServersTimeOut(BaseException):
    """As gevent's, or gunicorn's SystemExit: raised in the server's thread wherever it is."""


@pytest.mark.parametrize("moment", ["conclude", "release"])
def test_a_time_out_in_the_servers_thread_while_it_lets_go_keeps_no_place(
    moment: str, monkeypatch: pytest.MonkeyPatch
):
    answer = Answer(Watch())
    next(answer.body)
    connection = answer.body._connection
    monkeypatch.setattr(connection, moment, once(getattr(connection, moment), ServersTimeOut()))
    with pytest.raises(ServersTimeOut):
        answer.body.close()
    answer.check(GONE)


def test_a_time_out_in_the_servers_thread_while_it_waits_for_a_cleanup_keeps_no_place():
    answer = Answer(Watch(), cleanup_timeout=PATIENCE)
    next(answer.body)
    answer.may_close.clear()
    answer.body._signal.wait = raising(ServersTimeOut())  # type: ignore[method-assign]
    with pytest.raises(ServersTimeOut):
        answer.body.close()
    answer.may_close.set()
    answer.check(GONE)


def once(call: Callable[..., Any], error: BaseException) -> Callable[..., Any]:
    """The same call, but an error comes with it at its first time."""
    left = [error]

    def fail(*args: Any) -> Any:
        given = call(*args)
        if left:
            raise left.pop()
        return given

    return fail


@pytest.mark.parametrize("seed", range(3))
def test_a_signal_at_any_moment_of_the_letting_go_keeps_no_place(seed: int):
    """The time-out comes as gunicorn's does: out of a signal handler, at a bytecode of its own choice."""
    times = 60
    done = played("timed_out", str(times), str(seed))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == [[["gone"]] * times, 0, 0]


def test_a_thread_that_cannot_be_started_is_a_failure_and_keeps_no_place(monkeypatch):
    gc.collect()  # another test's bodies are not to ask for threads now
    monkeypatch.setattr(threading.Thread, "start", raising(RuntimeError("can't start new thread")))
    with pytest.raises(RuntimeError, match="can't start new thread"):
        Answer(hold=PATIENCE)


# -- the process that a stream belongs to ---------------------------------------------------------


def in_a_child(call: Callable[[], bool]) -> bool:
    """Whether this is true in a forked child."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if call() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def dropped(answer: Answer) -> None:
    del answer.body
    gc.collect()


def closed(answer: Answer) -> None:
    answer.body.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("let_go", [dropped, closed])
def test_a_forked_child_that_lets_go_of_its_parents_stream_ends_nothing(
    let_go: Callable[[Answer], None],
):
    watch = Watch()
    answer = Answer(watch)
    next(answer.body)

    def nothing_is_ended() -> bool:
        let_go(answer)
        names = [thread.name for thread in threading.enumerate()]
        return not answer.summaries and "sse_bridge forgotten" not in names

    assert in_a_child(nothing_is_ended)
    assert next(answer.body)
    assert (watch.stopped, answer.summaries) == (0, [])
    answer.body.close()
    answer.check(GONE)
