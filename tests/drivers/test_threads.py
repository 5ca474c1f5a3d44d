"""The WSGI driver: what happens when the server's thread lets go, and what the source's thread does then."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import AsyncIterator, Iterator
from math import inf
from time import monotonic
from typing import Any

import pytest

from sse_bridge import Ending, Summary
from sse_bridge.drivers.pipe import ROOM
from sse_bridge.drivers.threads import Body
from sse_bridge.drivers.writes import BATCH_BYTES
from sse_bridge.options import Options
from sse_bridge.registry import streams


@pytest.fixture(autouse=True)
def _no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before


def body_of(source: Any, **options: Any) -> Body:
    return Body(source, Options(**options), contextvars.copy_context())


class Ends:
    """Remembers each Summary and the thread that brought it."""

    def __init__(self) -> None:
        self.summaries: list[Summary] = []
        self.threads: list[str] = []

    def __call__(self, summary: Summary) -> None:
        self.summaries.append(summary)
        self.threads.append(threading.current_thread().name)


def test_close_between_chunks_closes_the_source_on_its_own_thread():
    events: list[str] = []

    def source() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            events.append(threading.current_thread().name)

    ends = Ends()
    body = body_of(source(), on_end=ends)
    next(body)
    body.close()
    assert events == ["sse_bridge source"]
    assert ends.threads == ["sse_bridge source"]
    assert [summary.ending for summary in ends.summaries] == [Ending.GONE]


def test_close_cancels_an_async_source_and_waits_for_its_cleanup():
    events: list[str] = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.02)
            events.append("saved")

    async def on_end(summary: Summary) -> None:
        await asyncio.sleep(0)
        events.append(f"on_end {summary.ending}")

    body = body_of(source(), on_end=on_end)
    next(body)
    body.close()
    assert events == ["saved", "on_end gone"]


def test_a_source_that_cannot_be_stopped_does_not_hold_the_request():
    release = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        release.wait(10)
        yield "b"

    ends = Ends()
    body = body_of(source(), on_end=ends)
    next(body)
    stragglers = streams.stragglers
    body.close()
    assert streams.stragglers == stragglers + 1
    assert [summary.ending for summary in ends.summaries] == [Ending.GONE]
    assert ends.threads == [threading.current_thread().name]
    release.set()
    for thread in threading.enumerate():
        if thread.name == "sse_bridge source":
            thread.join(5)
    assert streams.stragglers == stragglers
    assert len(ends.summaries) == 1


def test_closing_twice_or_after_the_end_changes_nothing():
    ends = Ends()
    body = body_of(["a"], on_end=ends)
    list(body)
    body.close()
    body.close()
    assert [summary.ending for summary in ends.summaries] == [Ending.FINISHED]


def test_a_body_that_is_dropped_ends_its_source():
    closed = threading.Event()

    def source() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.set()

    body = body_of(source())
    reference = weakref.ref(body)
    del body
    gc.collect()
    assert closed.wait(5)
    # It is closed on a thread of its own, which keeps it until then.
    for thread in threading.enumerate():
        if thread.name == "sse_bridge forgotten":
            thread.join(5)
    gc.collect()
    assert reference() is None


def test_a_slow_reader_slows_the_source():
    made = 0

    def source() -> Iterator[str]:
        nonlocal made
        while True:
            made += 1
            yield "x"

    body = body_of(source())
    for _ in range(5):
        next(body)
    assert made <= 7 * (ROOM + 1)
    body.close()


def test_cancel_is_called_first_and_once_when_the_client_leaves():
    events: list[str] = []

    def source() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            events.append("closed")

    body = body_of(source(), cancel=lambda: events.append("cancel"))
    next(body)
    body.close()
    assert events == ["cancel", "closed"]


def test_cancel_is_not_called_for_a_source_that_ran_dry():
    events: list[str] = []
    list(body_of(["a"], cancel=lambda: events.append("cancel")))
    assert events == []


class SdkStream:
    """Like an SDK's: iterating it gives another object, and only its own close() ends the upstream."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self) -> Iterator[str]:
        yield "a"
        yield "b"

    def close(self) -> None:
        self.closed += 1


def test_the_object_that_was_handed_over_is_itself_closed():
    sdk = SdkStream()
    body = body_of(sdk)
    next(body)
    body.close()
    assert sdk.closed == 1


def test_an_object_that_a_callable_gave_is_closed_too():
    sdk = SdkStream()
    list(body_of(lambda: sdk))
    assert sdk.closed == 1


def test_a_source_that_yields_while_it_is_closed_is_warned_about_once(
    caplog: pytest.LogCaptureFixture,
):
    def source() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            yield "one more"

    body = body_of(source())
    next(body)
    body.close()
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert ["yielded while it was being closed" in record.message for record in warnings] == [True]


def test_what_cleanup_raises_goes_to_the_log_only(caplog: pytest.LogCaptureFixture):
    def source() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            raise LookupError("in cleanup")

    ends = Ends()
    body = body_of(source(), on_end=ends)
    next(body)
    body.close()
    assert "in cleanup" in caplog.text
    assert ends.summaries[0].error is None


def test_what_on_end_raises_is_logged(caplog: pytest.LogCaptureFixture):
    def on_end(summary: Summary) -> None:
        raise LookupError("in on_end")

    list(body_of(["a"], on_end=on_end))
    assert "on_end raised" in caplog.text


def test_a_client_that_left_is_one_info_line_without_a_traceback(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "sse_bridge")
    body = body_of(iter(lambda: "x", None))
    next(body)
    body.close()
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("INFO", None)]


def test_a_source_that_exits_is_a_failure_like_any_other():
    def source() -> Iterator[str]:
        yield "a"
        raise SystemExit(1)

    assert b"event: error" in b"".join(body_of(source()))


def test_a_stall_is_told_while_the_source_is_blocked():
    release = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        release.wait(10)

    ends = Ends()
    written = b"".join(body_of(source(), stall_timeout=0.05, on_end=ends))
    release.set()
    assert b'"code":"upstream_stalled"' in written
    assert [summary.ending for summary in ends.summaries] == [Ending.STALLED]


# -- a client that does not read ------------------------------------------------------------------


class Client:
    """A watch on one that is there, but does not read."""

    every = second_ping = None
    breaks = True

    def __init__(self) -> None:
        self.broken_off = threading.Event()
        self.stopped = False

    def start(self, doubt: Any, gone: Any) -> None:
        self.hang_up = gone

    def check(self) -> None: ...
    def is_doubtful(self) -> bool:
        return False

    def has_left(self, within: float) -> bool:
        return False

    def break_off(self) -> None:
        self.broken_off.set()
        self.hang_up()  # as the kernel has it then

    def stop(self) -> None:
        self.stopped = True


def body_for(client: Client, source: Any, **options: Any) -> Body:
    context = contextvars.copy_context()
    return Body(source, Options(**options), context, watch=lambda: client)


def endless() -> Iterator[str]:
    while True:
        yield "x" * 1000


PATIENCE = 10.0


@pytest.mark.parametrize("asked_again", [False, True])
def test_a_write_that_takes_longer_than_send_timeout_is_broken_off_and_the_ending_is_slow(
    asked_again: bool,
):
    client, ends = Client(), Ends()
    body = body_for(client, endless(), send_timeout=0.01, on_end=ends)
    next(body)
    assert client.broken_off.wait(PATIENCE)
    if asked_again:  # by a server that does not mind what its write came to
        list(body)
    body.close()
    assert [summary.ending for summary in ends.summaries] == [Ending.SLOW]
    assert client.stopped


def test_a_server_that_waits_for_the_source_is_not_writing():
    client, made, bodies = Client(), threading.Event(), []

    def source() -> Iterator[str]:
        yield "a"
        made.wait(PATIENCE)
        writes = bodies[0]._writes
        while writes.since < inf:  # until the server's thread is back
            pass
        yield str(writes.look(monotonic() + 3600.0) < inf)

    body = body_for(client, source(), ping=None)
    bodies.append(body)
    assert next(body) == b"data: a\n\n"
    made.set()
    assert next(body).startswith(b"data: True\n\n")
    body.close()
    assert not client.broken_off.is_set()


def test_without_a_send_timeout_or_where_nothing_can_be_broken_off_no_write_is_looked_at():
    blind = Client()
    blind.breaks = False
    for client, timeout in ((Client(), None), (blind, 0.01)):
        body = body_for(client, ["a"], send_timeout=timeout)
        assert body._writes is None
        list(body)
        body.close()
        assert client.stopped


def test_what_ends_the_body_is_a_write_too_and_the_ending_stays():
    client, ends = Client(), Ends()
    body = body_for(client, ["a"], send_timeout=0.05, on_end=ends)
    list(body)
    assert not client.stopped
    assert client.broken_off.wait(PATIENCE)  # in the mark of its end, say
    body.close()
    assert [summary.ending for summary in ends.summaries] == [Ending.FINISHED]
    assert client.stopped


def test_a_body_that_ended_and_is_dropped_without_a_close_holds_nothing_of_its_client():
    client = Client()
    body = body_for(client, ["a"])
    list(body)
    del body
    gc.collect()
    assert client.stopped


def test_a_failure_that_is_raised_instead_of_an_answer_holds_nothing_of_its_client():
    client = Client()

    def source() -> Iterator[str]:
        raise LookupError("early")
        yield

    with pytest.raises(LookupError):
        body_for(client, source())
    assert client.stopped


def test_one_large_frame_is_given_in_writes_that_a_slow_reader_can_take():
    text = "x" * (3 * BATCH_BYTES)
    pieces = list(body_of([text, "y"]))
    assert max(map(len, pieces)) <= BATCH_BYTES
    assert f"data: {text}\n\ndata: y\n\n".encode() in b"".join(pieces)
