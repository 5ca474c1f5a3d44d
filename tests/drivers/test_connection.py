"""What all drivers share, with the clock as an argument."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest

from connections import close, connection
from sse_bridge import Ending, Summary
from sse_bridge.drivers.connection import GRACE, Connection, log_ending, observer
from sse_bridge.loops.background import background_home
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.options import Options
from sse_bridge.registry import streams


def test_what_is_ready_and_the_end_leave_together():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.put(["b"])
    made.pipe.end(None)
    assert made.step(1.0) == b"data: a\n\ndata: b\n\nevent: done\nid: [DONE]\ndata: [DONE]\n\n"
    assert made.stream.ending is Ending.FINISHED
    close(made, worker)


def test_what_a_reader_had_left_over_comes_before_the_end_and_is_no_chunk():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.end(None, ("rest",))
    assert made.step(1.0).startswith(b"data: a\n\ndata: rest\n\nevent: done")
    assert made.stream.summary(1.0).chunks == 1
    close(made, worker)


def test_when_nothing_is_ready_time_decides():
    made, worker = connection()
    assert made.step(4.9) == b""
    assert made.step(5.0) == b": ping\n\n"
    close(made, worker)


def test_a_busy_source_does_not_outlast_max_duration():
    made, worker = connection(max_duration=10)
    made.pipe.put(["a"])
    made.step(9.0)
    made.pipe.put(["b"])
    assert b"max_duration" in made.step(10.0)
    close(made, worker)


def test_a_client_that_left_is_heard_before_what_is_ready():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.hang_up()
    assert made.step(1.0) == b""
    assert made.stream.ending is Ending.GONE
    close(made, worker)


def test_the_source_is_stopped_only_if_it_has_not_ended_itself():
    made, worker = connection()
    made.stream.gone()
    made.conclude(1.0)
    assert worker.calls == ["start", "stop", "conclude"]
    close(made, worker)
    made, worker = connection()
    made.pipe.end(None)
    made.step(1.0)
    made.conclude(1.0)
    assert worker.calls == ["start", "conclude"]
    close(made, worker)


def test_a_cleanup_is_waited_for_and_a_blocked_source_hardly():
    made, worker = connection(cleanup_timeout=3)
    assert made.patience(100.0) == 100.0 + GRACE
    worker.cleaning = True
    assert made.patience(100.0) == 103.0
    close(made, worker)


def test_without_a_thread_to_be_had_the_stream_fails_and_on_end_is_left_to_the_driver():
    made, worker = connection(on_end=print)

    def start() -> None:
        raise RuntimeError("can't start new thread")

    worker.start = start  # type: ignore[method-assign]
    made.begin()
    made.step(1.0)
    assert made.stream.ending is Ending.FAILED
    made.conclude(1.0)
    assert made.release(0.0) is print


def test_a_refusal_is_the_error_of_a_stream_that_said_nothing():
    made, worker = connection()
    error = LookupError("early")
    made.pipe.end(error)
    made.step(1.0)
    assert made.refusal is error
    close(made, worker)


def test_after_the_first_byte_there_is_no_refusal():
    made, worker = connection()
    made.pipe.put(["a"])
    made.step(1.0)
    made.pipe.end(LookupError("late"))
    made.step(2.0)
    assert made.refusal is None
    close(made, worker)


@pytest.mark.parametrize(
    ("ending", "held", "level"),
    [
        (Ending.FINISHED, False, "DEBUG"),
        (Ending.FAILED, False, "ERROR"),
        (Ending.FAILED, True, "DEBUG"),  # the framework is about to raise and log it
        (Ending.GONE, False, "INFO"),
        (Ending.SLOW, False, "WARNING"),
        (Ending.STALLED, False, "WARNING"),
        (Ending.EXPIRED, False, "WARNING"),
        (Ending.SHUTDOWN, False, "DEBUG"),
    ],
)
def test_each_ending_is_one_line(
    ending: Ending, held: bool, level: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG, "sse_bridge")
    log_ending(Summary(ending, error=LookupError("x")), held=held)
    assert [record.levelname for record in caplog.records] == [level]
    assert bool(caplog.records[0].exc_info) == (level == "ERROR")


def test_a_shutdown_ends_the_stream_behind_what_is_ready():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.shut_down()
    data = made.step(1.0)
    assert data.startswith(b"data: a\n\nretry: 1000\nevent: error\n")
    assert made.stream.ending is Ending.SHUTDOWN
    close(made, worker)


def test_a_source_that_has_ended_by_itself_is_not_shut_down():
    made, worker = connection()
    made.pipe.put(["a"])
    made.pipe.end(None)
    made.pipe.shut_down()
    made.step(1.0)
    assert made.stream.ending is Ending.FINISHED
    close(made, worker)


def test_a_client_that_left_is_not_told_of_a_shutdown():
    made, worker = connection()
    made.pipe.put(["a"])
    made.step(1.0)
    made.pipe.shut_down()
    made.pipe.hang_up()
    assert made.step(2.0) == b""
    assert made.stream.ending is Ending.GONE
    close(made, worker)


def test_the_registry_reaches_an_open_stream_and_no_closed_one():
    made, worker = connection()
    streams.shut_down()
    assert made.pipe.shutting_down
    close(made, worker)
    made.pipe.shutting_down = False
    streams.shut_down()
    assert not made.pipe.shutting_down


def test_time_that_is_skipped_has_passed_for_this_stream():
    made, worker = connection(ping=15, max_duration=100)
    made.pipe.put(["a"])
    made.step(0.0)
    assert made.deadline == 15.0
    made.skip(14.0)
    assert not made.pipe.idle()
    assert made.step(0.5) == b""
    assert made.deadline == 1.0
    assert made.step(1.0) == b": ping\n\n"
    made.skip(85.0)
    assert b"max_duration" in made.step(1.0)
    assert made.stream.summary(1.0).duration == 100.0
    close(made, worker)


def test_a_skip_wakes_the_writer():
    signal = ThreadSignal()
    made = Connection([], Options(), contextvars.copy_context(), signal.set, background_home)
    assert made.pipe.idle()
    made.skip(1.0)
    assert not made.pipe.others_may_write


def test_an_observer_sees_the_connections_of_its_context_only():
    seen: list[Connection] = []
    context = contextvars.copy_context()
    context.run(observer.set, seen.append)
    inside = context.run(connection)
    outside = connection()
    assert seen == [inside[0]]
    for made, worker in (inside, outside):
        close(made, worker)


class Opened:
    """A source that is open already, and takes a while to close."""

    def __init__(self) -> None:
        self.closed = False

    def __aiter__(self) -> Any:
        raise AssertionError("it is not asked for anything")

    async def aclose(self) -> None:
        await asyncio.sleep(0.01)
        self.closed = True


def test_an_open_source_that_was_never_begun_is_closed_in_a_task_that_is_waited_for():
    source, told, signal = Opened(), [], ThreadSignal()
    options = Options(on_end=told.append)
    made = Connection(source, options, contextvars.copy_context(), signal.set, background_home)
    made.open(0.0)
    made.stream.gone()
    made.conclude(0.0)
    assert made.patience(0.0) == options.cleanup_timeout
    while not made.worker.done:
        signal.wait()
    assert made.release(0.0) is None
    assert source.closed
    assert [summary.ending for summary in told] == [Ending.GONE]
