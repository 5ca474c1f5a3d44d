"""How a connection begins and ends: what it refuses, whom it stops, what it counts, what it logs."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from connections import ByHand, close, connection, unopened
from sse_bridge import Ending, Summary, pursuit
from sse_bridge.drivers.connection import GRACE, LAST_GRACE, Connection, log_ending, observer
from sse_bridge.drivers.task_worker import TaskWorker
from sse_bridge.drivers.thread_worker import ThreadWorker
from sse_bridge.drivers.walkers import OwnThreads, own_threads
from sse_bridge.drivers.workers import Job
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.parts import Reasoning
from sse_bridge.registry import (
    ShuttingDown,
    TooManyStreams,
    TooManyThreads,
    Unavailable,
    reserved,
    streams,
)
from sse_bridge.stream import Stream

PING = b": ping\n\n"


class Source:
    """A sync source that knows whether it was closed, and what closing it raises."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.closed = 0
        self.error = error

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("it is not asked for anything")

    def close(self) -> None:
        self.closed += 1
        if self.error is not None:
            raise self.error


class Dialect:
    """One whose voice cannot begin."""

    name, headers, passes, takes_objects = "mute", (), None, True

    def __init__(self, where: str) -> None:
        self._where = where

    def voice(self) -> Any:
        if self._where == "voice":
            raise LookupError("no voice")
        return self._say

    def _say(self, _: object) -> bytes:
        raise LookupError("no words")


def left_in(context_of: contextvars.ContextVar[str], seen: list[str]) -> dict[str, Any]:
    return {"leave": lambda: seen.append(context_of.get("outside"))}


place: contextvars.ContextVar[str] = contextvars.ContextVar("place")


# -- before it runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("where, error", [("voice", "no voice"), ("words", "no words")])
def test_a_dialect_that_cannot_begin_costs_its_source_only_the_closing(where: str, error: str):
    source, before = Source(), streams.open
    with pytest.raises(LookupError, match=error):
        unopened(source, dialect=Dialect(where)).open(0.0)
    assert source.closed == 1
    assert streams.open == before


def test_where_there_is_no_thread_to_be_had_nothing_opens():
    before = streams.open
    full = OwnThreads(0)
    made = unopened([], {"threads": full})
    with pytest.raises(TooManyThreads):
        made.open(0.0)
    assert streams.open == before
    asynchronous = unopened(texts(), {"threads": full})  # which needs none
    asynchronous.open(0.0)
    end_unbegun(asynchronous)


def test_an_open_stream_has_a_place_until_its_request_is_over():
    before = streams.open
    made, worker = connection()
    assert streams.open == before + 1
    with pytest.raises(TooManyStreams):
        unopened([], max_streams=before + 1).open(0.0)
    close(made, worker)
    assert streams.open == before


def test_a_stream_takes_the_place_that_was_kept_for_it():
    most = streams.open + 1
    made = unopened([], max_streams=most)
    context = contextvars.copy_context()
    context.run(reserved.set, streams.reserve(most))
    context.run(made.open, 0.0)
    assert streams.open == most
    made.release(0.0)


def test_a_stream_opens_at_the_time_that_it_is_told():
    made = unopened([], max_duration=10)
    made.open(100.0)
    assert made.deadline == 105.0
    made.stream.gone()
    made.conclude(103.0)
    assert made.farewell.summary is not None
    assert made.farewell.summary.duration == 3.0
    made.release(0.0)


async def texts() -> AsyncIterator[str]:
    yield "a"


def end_unbegun(made: Connection) -> None:
    made.stream.gone()
    made.conclude(0.0)
    signal = ThreadSignal()
    made.pipe.wake_writer = signal.set
    while made.begun and not made.worker.done:
        signal.wait()
    made.release(0.0)


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("wished", [True, False])
def test_a_thread_is_interrupted_where_that_is_wished_and_allowed(
    monkeypatch: pytest.MonkeyPatch, wished: bool, allowed: bool
):
    monkeypatch.setenv("SSE_BRIDGE_INTERRUPT", "1" if allowed else "0")
    made = unopened([], interrupt=wished)
    assert isinstance(made.worker, ThreadWorker)
    assert made.worker._interrupts is (wished and allowed)
    assert made._threads is own_threads


def test_an_async_source_is_run_in_a_task():
    made = unopened(texts())
    assert isinstance(made.worker, TaskWorker)
    made.open(0.0)
    end_unbegun(made)


def test_by_default_nobody_observes():
    assert observer.get() is None
    assert observer.name == "observer"


def test_where_no_thread_can_be_started_the_source_has_not_begun():
    made, worker = unopened([]), ByHand()
    made.worker, error = worker, RuntimeError("can't start new thread")

    def start() -> None:
        raise error

    worker.start = start  # type: ignore[method-assign]
    made.begin()
    assert not made.begun
    assert made.pipe.ended is not None
    assert made.pipe.ended.error is error


class Elsewhere:
    """Threads that are never started."""

    def __init__(self) -> None:
        self.contexts: list[contextvars.Context] = []

    def check(self) -> None: ...

    def spawn(self, context: contextvars.Context, call: Any) -> Any:
        self.contexts.append(context)

    def discard(self, source: Any, home: Any) -> None: ...


@pytest.mark.parametrize("closed", [False, True])
def test_what_a_callable_gave_is_run_anew_and_stopped_if_the_stop_has_gone_elsewhere(
    closed: bool, monkeypatch: pytest.MonkeyPatch
):
    jobs: list[Job] = []
    stopped: list[ThreadWorker] = []
    threads, worker, given = Elsewhere(), ByHand(), iter("ab")
    monkeypatch.setattr(ThreadWorker, "stop", lambda worker: stopped.append(worker))
    made = unopened([], {"threads": threads, "worker": lambda job: jobs.append(job) or worker})
    if closed:
        made.pipe.close()
    jobs[0].hop(given)
    assert made.source is given
    assert isinstance(made.worker, ThreadWorker)
    assert [type(context) for context in threads.contexts] == [contextvars.Context]
    assert stopped == [made.worker] * closed


# -- what is said ---------------------------------------------------------------------------------


def test_a_chunk_of_several_parts_and_several_chunks_are_counted_as_what_they_are():
    made, worker = connection()
    made.pipe.put(["a", "b"])
    assert made.step(0.0) == b"data: a\n\ndata: b\n\n"
    made.pipe.put(["c"])
    assert made.step(0.0) == b"data: c\n\n"
    made.pipe.put([])
    assert made.step(0.0) == b""
    made.pipe.put(["d"])
    made.pipe.put([Reasoning("r"), "e"])
    assert made.step(0.0) == b"data: d\n\ndata: e\n\n"
    made.stream.gone()
    summary = made.stream.summary(0.0)
    assert (summary.chunks, summary.events) == (5, 5)
    close(made, worker)


def test_a_lone_part_goes_the_straight_way(monkeypatch: pytest.MonkeyPatch):
    made, worker = connection()
    alone: list[Any] = []
    monkeypatch.setattr(Stream, "lone", lambda _, part, now: alone.append((part, now)) or b"x")
    made.pipe.put(["a"])
    assert made.step(2.0) == b"x"
    assert alone == [("a", 2.0)]
    close(made, worker)


def test_what_is_ready_when_time_has_run_out_is_said_before_that_is():
    made, worker = connection(max_duration=10)
    made.pipe.put(["a"])
    assert made.step(10.0).startswith(b"data: a\n\nevent: error\n")
    close(made, worker)


def test_a_doubt_is_resolved_by_a_ping_before_what_is_ready():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.doubt()
    assert made.step(1.0) == PING + b"data: a\n\n"
    assert made.step(2.0) == b""
    assert made.stream.ending is None
    close(made, worker)


def test_a_doubt_that_no_ping_can_resolve_is_taken_for_certain():
    made, worker = connection(ping=None)
    made.pipe.doubt()
    assert made.step(1.0) == b""
    assert made.stream.ending is Ending.GONE
    close(made, worker)


def test_a_probe_is_a_ping_that_counts():
    made, worker = connection()
    made.pipe.put(["a"])
    made.step(0.0)
    assert made.probe(1.0) == PING
    assert made.deadline == 16.0
    close(made, worker)


def test_a_client_that_does_not_read_was_slow():
    made, worker = connection()
    made.pipe.give_up()
    assert made.step(1.0) == b""
    assert made.stream.ending is Ending.SLOW
    close(made, worker)


def test_a_source_that_was_told_of_the_shutdown_is_no_failure():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.end(ShuttingDown())
    assert made.step(1.0).startswith(b"data: a\n\nretry: 1000\nevent: error\n")
    assert made.stream.ending is Ending.SHUTDOWN
    close(made, worker)


# -- what is raised instead of an answer ----------------------------------------------------------


def refused(error: BaseException) -> Any:
    made, worker = connection()
    made.pipe.end(error)
    assert made.step(1.0) == b""
    refusal = made.refusal
    close(made, worker)
    return refusal


def test_a_stream_that_has_not_failed_refuses_nothing():
    made, worker = connection()
    assert made.refusal is None
    close(made, worker)


@pytest.mark.parametrize("begun", [True, False])
def test_at_a_shutdown_it_is_said_whether_the_source_ran(begun: bool):
    made, worker = connection() if begun else (unopened([]), ByHand())
    made.pipe.shut_down()
    made.step(1.0)
    assert isinstance(made.refusal, ShuttingDown)
    assert made.refusal.source_ran is begun
    if begun:
        close(made, worker)


def test_of_another_failure_nothing_is_said_but_itself():
    error = LookupError("early")
    assert refused(error) is error
    assert not hasattr(error, "source_ran")


def test_what_is_unavailable_says_that_the_source_ran():
    error = Unavailable("no room")
    assert refused(error) is error
    assert error.source_ran is True


def test_what_would_end_the_servers_thread_is_raised_as_an_error_of_ours():
    error = SystemExit(3)
    refusal = refused(error)
    assert type(refusal) is RuntimeError
    assert str(refusal) == "the source raised SystemExit(3)"
    assert refusal.__cause__ is error


# -- how the source is stopped --------------------------------------------------------------------


def test_a_source_that_never_ran_is_closed_once_and_its_context_is_left():
    seen: list[str] = []
    source = Source()
    context = contextvars.copy_context()
    context.run(place.set, "inside")
    made = context.run(lambda: unopened(source, left_in(place, seen)))
    made.open(0.0)
    made.stream.gone()
    made.conclude(0.0)
    made.conclude(0.0)
    assert (source.closed, seen) == (1, ["inside"])
    assert made.pipe.closed
    assert made.patience(7.0) == 7.0
    assert made.release(0.0) is None


def test_a_sync_source_is_one_whatever_its_object_seems_to_have():
    source = Source()
    source.__aiter__ = None  # type: ignore[attr-defined]
    made = unopened(source)
    made.open(0.0)
    made.stream.gone()
    made.conclude(0.0)
    assert source.closed == 1
    assert not made.begun
    made.release(0.0)


def test_what_closing_raises_goes_to_the_log_and_the_context_is_left(
    caplog: pytest.LogCaptureFixture,
):
    seen: list[str] = []
    made = unopened(Source(KeyboardInterrupt()), left_in(place, seen))
    made.open(0.0)
    made.stream.gone()
    made.conclude(0.0)
    assert seen == ["outside"]
    assert made.pipe.closed
    made.release(0.0)


def test_an_async_source_that_never_ran_has_a_task_that_finds_nothing_wanted():
    wanted: list[bool] = []
    worker = ByHand()
    made = unopened(texts(), {"worker": lambda _: worker})
    worker.start = lambda: wanted.append(not made.pipe.closed)  # type: ignore[method-assign]
    made.open(0.0)
    made.stream.gone()
    made.conclude(0.0)
    assert wanted == [False]
    assert made.begun
    close(made, worker)


def test_what_leaving_a_context_raises_goes_to_the_log(caplog: pytest.LogCaptureFixture):
    def leave() -> None:
        raise SystemExit

    made = unopened([], {"leave": leave})
    made.open(0.0)
    made.stream.gone()
    made.conclude(0.0)
    assert [record.message for record in caplog.records] == ["stopping a source raised"]
    assert made.pipe.closed
    made.release(0.0)


def test_cancel_is_called_once_and_before_the_worker_is_stopped():
    order: list[str] = []
    made, worker = connection(cancel=lambda: order.append("cancel"))
    worker.stop = lambda: order.append("stop")  # type: ignore[method-assign]
    made.stream.gone()
    made.conclude(1.0)
    assert order == ["cancel", "stop"]
    made.conclude(1.0)
    assert order.count("cancel") == 1
    close(made, worker)


def test_a_source_that_has_ended_is_not_cancelled():
    order: list[str] = []
    made, worker = connection(cancel=lambda: order.append("cancel"))
    made.pipe.end(None)
    made.step(1.0)
    made.conclude(1.0)
    assert order == []
    close(made, worker)


def test_what_cancel_gives_is_nothing_to_us_if_nobody_can_await_it(
    caplog: pytest.LogCaptureFixture,
):
    made, worker = connection(cancel=lambda: "cancelled")
    made.home = lambda: pytest.fail("no loop is needed")
    made.stream.gone()
    made.conclude(1.0)
    assert caplog.records == []
    close(made, worker)


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit()])
def test_what_cancel_raises_is_logged_and_the_source_is_stopped(
    error: BaseException, caplog: pytest.LogCaptureFixture
):
    def cancel() -> None:
        raise error

    made, worker = connection(cancel=cancel)
    made.stream.gone()
    made.conclude(1.0)
    assert worker.calls == ["start", "stop", "conclude"]
    assert [record.message for record in caplog.records] == ["cancel raised"]
    close(made, worker)


def test_a_cancel_that_is_to_be_awaited_is_awaited_in_the_loop_and_what_it_raises_is_logged():
    is_logged = ThreadSignal()
    logged: list[str] = []

    class Log(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            logged.append(record.getMessage())
            is_logged.set()

    async def cancel() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    log, handler = logging.getLogger("sse_bridge"), Log()
    made, worker = connection(cancel=cancel)
    made.stream.gone()
    log.addHandler(handler)
    try:
        made.conclude(1.0)
        is_logged.wait()
    finally:
        log.removeHandler(handler)
    assert logged == ["cancel raised"]
    close(made, worker)


def test_a_closed_pipe_has_stopped_the_worker_already():
    made, worker = connection()
    made.stream.gone()
    made.pipe.close()
    made.conclude(1.0)
    assert worker.calls == ["start", "conclude"]
    close(made, worker)


def test_an_ending_is_logged_once_however_often_it_is_concluded(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "sse_bridge")
    made, worker = connection()
    made.stream.gone()
    assert not made.concluded
    made.conclude(2.5)
    made.conclude(9.0)
    assert made.concluded
    assert [record.message for record in caplog.records] == [
        "client disconnected after 2.500 s, 0 events"
    ]
    assert made.farewell.summary is not None
    assert made.farewell.summary.duration == 2.5
    close(made, worker)


def test_time_that_is_skipped_is_part_of_the_duration():
    made, worker = connection()
    made.skip(5.0)
    made.step(0.0)
    made.stream.gone()
    made.conclude(1.0)
    assert made.farewell.summary is not None
    assert made.farewell.summary.duration == 6.0
    close(made, worker)


@pytest.mark.parametrize("told", [None, ValueError("told")])
def test_a_stream_that_cannot_be_summed_up_still_has_an_ending_to_tell(
    told: BaseException | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    made, worker = connection()
    error = ArithmeticError("no sum")

    def summary(_stream: Stream, _now: float) -> Summary:
        raise error

    made.stream.error = told
    made.stream.ending = Ending.SLOW
    monkeypatch.setattr(Stream, "summary", summary)
    made.conclude(1.0)
    assert made.farewell.summary == Summary(Ending.SLOW, error=told or error, held=True)
    assert caplog.records[0].message == "the summary of a stream could not be made"
    close(made, worker)


# -- how long it is waited for --------------------------------------------------------------------


def test_how_long_a_blocked_source_is_waited_for():
    assert (GRACE, LAST_GRACE) == (0.1, 0.5)
    made, worker = connection(cleanup_timeout=0.05)
    assert made.patience(10.0) == 10.05
    close(made, worker)
    made, worker = connection(cleanup_timeout=3)
    made.stream.shutdown(1.0)
    assert made.patience(10.0) == 10.5
    close(made, worker)


# -- those that outlive their streams -------------------------------------------------------------


def test_a_source_that_outlives_its_stream_is_counted_and_looked_at_again_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
):
    reminders: list[float] = []
    monkeypatch.setattr(pursuit, "remind", lambda call, at: reminders.append(at))
    before = streams.stragglers
    made, worker = connection(cleanup_timeout=7)
    made.stream.gone()
    made.release(100.0)
    assert streams.stragglers == before + 1
    assert reminders == [107.0]
    assert streams.ended(worker) is False


def test_a_source_that_ends_while_it_is_counted_is_no_straggler(caplog: pytest.LogCaptureFixture):
    class Ending_(ByHand):
        looks = 0

        @property
        def done(self) -> bool:  # type: ignore[override]
            self.looks += 1
            return self.looks > 1

        @done.setter
        def done(self, _: bool) -> None: ...

    before = streams.stragglers
    made = unopened([], {"worker": lambda _: Ending_()})
    made.open(0.0)
    made.begin()
    made.release(0.0)
    assert streams.stragglers == before
    assert caplog.records == []


@pytest.mark.parametrize("begun", [True, False])
def test_a_source_that_has_ended_or_never_ran_is_no_straggler(begun: bool):
    before = streams.stragglers
    made, worker = connection()
    made.begun, worker.done = begun, begun
    made.release(0.0)
    assert streams.stragglers == before


def test_on_end_is_left_to_whoever_releases_first():
    made, worker = connection(on_end=print)
    worker.done = True
    assert made.release(0.0) is print


# -- what the log says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ending, line",
    [
        (Ending.FINISHED, "stream finished after 1.500 s, 2 events"),
        (Ending.FAILED, "stream failed after 1.500 s, 2 events"),
        (Ending.GONE, "client disconnected after 1.500 s, 2 events"),
        (Ending.SLOW, "stream ended as slow after 1.500 s, 2 events"),
        (Ending.STALLED, "stream ended as stalled after 1.500 s, 2 events"),
        (Ending.SHUTDOWN, "stream ended as shutdown after 1.500 s, 2 events"),
    ],
)
def test_the_log_says_how_long_and_how_much(
    ending: Ending, line: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "sse_bridge")
    log_ending(Summary(ending, duration=1.5, events=2, error=ValueError()), held=False)
    assert [record.message for record in caplog.records] == [line]
