"""A stream in a test's hands, over every framework: from a thread, and from both loops."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from endless import APPS, Source
from sse_bridge import Ending, ServerSentEvent, UpstreamError
from sse_bridge.registry import streams
from sse_bridge.testing import AsyncClient, Client, no_open_streams  # noqa: F401

KINDS = ["sync", "task"]


@pytest.fixture(params=APPS)
def app_of(request: pytest.FixtureRequest) -> Any:
    return APPS[request.param]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def source() -> Iterator[Source]:
    source = Source()
    yield source
    source.release.set()


def event(data: object) -> ServerSentEvent:
    return ServerSentEvent(str(data))


DONE = ServerSentEvent("[DONE]", event="done", id="[DONE]")


# -- from a thread --------------------------------------------------------------------------------


def test_events_of_an_endless_stream_are_taken_in_order(app_of: Any, kind: str, source: Source):
    source.then = "go on"
    with Client(app_of(getattr(source, kind))).stream("GET", "/") as stream:
        assert stream.status_code == 200
        assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert stream.take(3) == [event(0), event(1), event(2)]
        assert stream.take() == [event(3)]
        assert stream.ending is None
        assert not stream.source_closed
    assert stream.ending is Ending.GONE
    assert stream.source_closed
    assert stream.summary.ending is Ending.GONE


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_source_hears_of_the_hang_up_where_it_waits(source: Source, backend: str):
    with Client(APPS["starlette"](source.task), backend=backend).stream("GET", "/") as stream:
        assert stream.take() == [event(0)]
        stream.hang_up()
        assert source.seen in ("CancelledError", "Cancelled")


def test_a_sync_source_is_closed_at_its_next_chunk(app_of: Any, source: Source):
    source.then = "go on"
    with Client(app_of(source.sync)).stream("GET", "/") as stream:
        stream.take(2)
        stream.hang_up()
        assert source.seen == "GeneratorExit"
        assert stream.source_closed


def test_a_source_that_does_not_let_itself_be_ended_is_named(app_of: Any, source: Source):
    with Client(app_of(source.sync)).stream("GET", "/") as stream:
        stream.take()
        with pytest.raises(AssertionError, match=r"(Source\.sync|count) still runs 0\.2 s after"):
            stream.hang_up(timeout=0.2)
        assert not stream.source_closed
        source.release.set()
    assert stream.source_closed
    assert stream.ending is Ending.GONE


def test_a_ping_comes_when_time_has_passed(app_of: Any, kind: str, source: Source):
    with Client(app_of(getattr(source, kind))).stream("GET", "/") as stream:
        stream.take()
        assert stream.pings == 0
        stream.advance(15)
        stream.wait_for_ping()
        stream.advance(15)
        stream.wait_for_ping()
        assert stream.pings == 2
        source.release.set()


def test_a_silent_source_stalls_when_time_has_passed(app_of: Any, kind: str, source: Source):
    app = app_of(getattr(source, kind), stall_timeout=60)
    with Client(app).stream("GET", "/") as stream:
        stream.take()
        stream.advance(60)
        (last,) = stream.read()
        assert last.event == "error"
        assert '"upstream_stalled"' in (last.data or "")
        assert stream.ending is Ending.STALLED
        source.release.set()
    assert stream.summary.chunks == 1


def test_a_long_stream_expires_when_time_has_passed(app_of: Any, kind: str, source: Source):
    app = app_of(getattr(source, kind), max_duration=3600)
    with Client(app).stream("GET", "/") as stream:
        stream.take()
        stream.advance(3600)
        stream.read()
        assert stream.ending is Ending.EXPIRED
        assert stream.summary.duration >= 3600
        source.release.set()


def test_hold_passes_before_the_status_is_awaited(app_of: Any, kind: str, source: Source):
    source.number = 0
    with Client(app_of(getattr(source, kind))).stream("GET", "/", advance=5) as stream:
        assert stream.status_code == 200
        stream.wait_for_ping()
        source.release.set()
        assert stream.read() == [DONE]


def test_a_source_that_never_begins_is_refused_when_time_has_passed(app_of: Any, source: Source):
    source.number = 0
    client = Client(app_of(source.task, first_chunk_timeout=3), raise_app_exceptions=False)
    with client.stream("GET", "/", advance=3) as stream:
        assert stream.status_code == 504
        assert stream.ending is Ending.STALLED
        assert isinstance(stream.summary.error, UpstreamError)


def test_time_that_passes_changes_nothing_for_another_answer(app_of: Any, source: Source):
    app = app_of(source.sync)
    with Client(app).stream("HEAD", "/", advance=5) as stream:
        assert stream.status_code == 200


def test_time_does_not_go_back(source: Source):
    source.then = "go on"
    client = Client(APPS["flask"](source.sync))
    with client.stream("GET", "/") as stream, pytest.raises(ValueError, match="-1"):
        stream.advance(-1)


def test_a_finished_stream_is_read_to_its_end(app_of: Any, kind: str):
    source = Source(number=3, then="finish")
    with Client(app_of(getattr(source, kind))).stream("POST", "/", json={"a": 1}) as stream:
        assert stream.take() == [event(0)]
        assert stream.read() == [event(1), event(2), DONE]
        assert stream.read() == []
        assert stream.ending is Ending.FINISHED
        assert stream.summary.chunks == 3
        assert stream.source_closed
        assert stream.body.startswith(b"data: 0\n\n")


def test_a_failure_in_the_middle_is_told_and_not_raised(app_of: Any, kind: str):
    source = Source(then="fail")
    with Client(app_of(getattr(source, kind))).stream("GET", "/") as stream:
        first, last = stream.read()
        assert first == event(0)
        assert last.event == "error"
        assert stream.ending is Ending.FAILED
        assert isinstance(stream.summary.error, ZeroDivisionError)


def test_an_early_failure_is_raised_in_the_test(app_of: Any, kind: str):
    source = Source(first="fail")
    app = app_of(getattr(source, kind))
    if hasattr(app, "testing"):
        app.testing = True  # or Flask answers itself
    with pytest.raises(ZeroDivisionError), Client(app).stream("GET", "/"):
        pass


def test_an_early_failure_is_a_500_if_one_asks_for_that(app_of: Any, kind: str):
    source = Source(first="fail")
    client = Client(app_of(getattr(source, kind)), raise_app_exceptions=False)
    with client.stream("GET", "/") as stream:
        assert stream.status_code == 500
        assert b"secret" not in stream.body


def test_a_full_server_answers_503(app_of: Any, kind: str):
    app = app_of(lambda: getattr(Source(then="go on"), kind)(), max_streams=streams.open + 1)
    client = Client(app)
    with client.stream("GET", "/") as first, client.stream("GET", "/") as second:
        assert first.status_code == 200
        assert second.status_code == 503
        assert second.headers["retry-after"] == "1"


def test_head_gives_headers_and_no_stream(app_of: Any, source: Source):
    with Client(app_of(source.sync)).stream("HEAD", "/") as stream:
        assert stream.status_code == 200
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.body == b""
        with pytest.raises(RuntimeError, match=r"HEAD / is not a stream of sse_bridge's"):
            stream.summary  # noqa: B018


def test_a_slow_reader_is_given_up_on(app_of: Any, kind: str):
    source = Source(then="go on")
    app = app_of(getattr(source, kind), send_timeout=0.05)
    with Client(app).stream("GET", "/") as stream:
        until = time.monotonic() + 10
        while stream.ending is None:
            assert time.monotonic() < until
            time.sleep(0.01)
        assert stream.ending is Ending.SLOW
        with pytest.raises(
            AssertionError, match="events were wanted, but the stream ended as slow"
        ):
            stream.take(1_000_000)


def test_what_did_not_come_in_time_is_told_with_what_came(app_of: Any, kind: str, source: Source):
    with Client(app_of(getattr(source, kind))).stream("GET", "/") as stream:
        with pytest.raises(AssertionError) as told:
            stream.take(2, timeout=0.05)
        assert str(told.value) == (
            "2 events were wanted, but not within 0.05 s\nGET /: received 200, 9 bytes:\ndata: 0\n\n"
        )
        assert stream.take() == [event(0)]
        with pytest.raises(AssertionError, match=r"a ping was wanted, but not within 0\.05 s"):
            stream.wait_for_ping(timeout=0.05)
        with pytest.raises(AssertionError, match="the end of the stream was wanted, but not"):
            stream.read(timeout=0.05)
        source.release.set()


def test_what_never_comes_is_told_at_once(app_of: Any, kind: str):
    source = Source(then="fail")
    with Client(app_of(getattr(source, kind))).stream("GET", "/") as stream:
        with pytest.raises(
            AssertionError, match="3 events were wanted, but the stream ended as failed"
        ):
            stream.take(3)
        with pytest.raises(
            AssertionError, match="a ping was wanted, but the stream ended as failed"
        ):
            stream.wait_for_ping()


def test_a_status_that_is_held_back_is_explained(source: Source):
    source.number = 0
    client = Client(APPS["flask"](source.sync), timeout=0.1)
    held_back = pytest.raises(AssertionError, match=r"(?s)not within 0\.1 s.*`hold` seconds")
    with held_back, client.stream("GET", "/"):
        pass
    source.release.set()


def test_a_summary_before_the_end_says_what_to_do_first(source: Source):
    source.then = "go on"
    told = pytest.raises(AssertionError, match=r"read\(\) it to its end, or hang_up\(\)")
    with Client(APPS["flask"](source.sync)).stream("GET", "/") as stream, told:
        stream.summary  # noqa: B018


def test_the_tests_own_error_is_told_first(app_of: Any, source: Source):
    source.then = "go on"
    with pytest.raises(KeyError), Client(app_of(source.sync)).stream("GET", "/"):
        raise KeyError


def test_no_error_line_is_for_a_departed_client(
    app_of: Any, kind: str, caplog: pytest.LogCaptureFixture
):
    source = Source(then="go on")
    client = Client(app_of(getattr(source, kind)))
    with caplog.at_level(logging.WARNING), client.stream("GET", "/") as stream:
        stream.take()
    assert caplog.records == []


# -- from a loop ----------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_in_a_loop_events_are_taken_in_order(app_of: Any, kind: str, source: Source):
    source.then = "go on"
    async with AsyncClient(app_of(getattr(source, kind))).stream("GET", "/") as stream:
        assert stream.status_code == 200
        assert await stream.take(3) == [event(0), event(1), event(2)]
        await stream.hang_up()
        assert source.seen in ("GeneratorExit", "CancelledError", "Cancelled")
    assert stream.ending is Ending.GONE
    assert stream.summary.ending is Ending.GONE
    assert stream.source_closed


@pytest.mark.anyio
async def test_in_a_loop_time_passes_too(app_of: Any, kind: str, source: Source):
    app = app_of(getattr(source, kind), stall_timeout=60)
    async with AsyncClient(app).stream("GET", "/") as stream:
        await stream.take()
        stream.advance(15)
        await stream.wait_for_ping()
        stream.advance(45)
        (last,) = await stream.read()
        assert last.event == "error"
        assert stream.ending is Ending.STALLED
        source.release.set()


@pytest.mark.anyio
async def test_in_a_loop_hold_passes_before_the_status_is_awaited(app_of: Any, kind: str):
    source = Source(number=0)
    async with AsyncClient(app_of(getattr(source, kind))).stream("GET", "/", advance=5) as stream:
        assert stream.status_code == 200
        source.release.set()


@pytest.mark.anyio
async def test_in_a_loop_an_early_failure_is_raised(kind: str):
    app = APPS["fastapi"](getattr(Source(first="fail"), kind))
    with pytest.raises(ZeroDivisionError):
        async with AsyncClient(app).stream("GET", "/"):
            pass


@pytest.mark.anyio
async def test_in_a_loop_what_does_not_come_is_told(app_of: Any, source: Source):
    async with AsyncClient(app_of(source.sync)).stream("GET", "/") as stream:
        with pytest.raises(AssertionError, match="2 events were wanted, but not within"):
            await stream.take(2, timeout=0.05)
        with pytest.raises(AssertionError, match=r"(Source\.sync|count) still runs 0\.2 s"):
            await stream.hang_up(timeout=0.2)
        source.release.set()


@pytest.mark.anyio
async def test_in_a_loop_the_tests_own_error_is_told_first(source: Source):
    client = AsyncClient(APPS["asgi"](source.task))
    with pytest.raises(KeyError):
        async with client.stream("GET", "/"):
            raise KeyError
