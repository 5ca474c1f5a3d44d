"""Whatever a stream's end raises: its source stops, its place is free, `on_end` comes once, the client is told."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from driving import on_anyio
from sse_bridge import Ending, Summary, dialects
from sse_bridge.adapters import Plain
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.parts import End, Failure, Start
from sse_bridge.registry import streams
from sse_bridge.stream import Stream

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"
ERRORS = [LookupError, SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError]


class Source:
    """Says two words, then does what the test wants; it knows whether it was closed."""

    def __init__(self, then: Callable[[], None] = lambda: None, close: type | None = None) -> None:
        self.closed = 0
        self._then, self._close = then, close

    def sync(self) -> Iterator[str]:
        try:
            yield "a"
            yield "b"
            self._then()
        finally:
            self.closed += 1
            if self._close is not None:
                raise self._close("in cleanup")

    async def task(self) -> AsyncIterator[str]:
        try:
            yield "a"
            await asyncio.sleep(0)
            yield "b"
            self._then()
        finally:
            self.closed += 1
            if self._close is not None:
                raise self._close("in cleanup")


def in_threads(source: Any, options: Options) -> bytes:
    body, told = Body(source, options, contextvars.copy_context()), b""
    try:
        for data in body:
            told += data
    except ConnectionResetError:
        told += b"<cut>"
    return told


def in_a_loop(source: Any, options: Options) -> bytes:
    return asyncio.run(on_anyio(source, options, cut=b"<cut>"))


DRIVERS = {"threads": in_threads, "asyncio": in_a_loop}


@pytest.fixture(params=[(driver, kind) for driver in DRIVERS for kind in ("sync", "task")], ids=str)
def stream_it(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Stream a `Source` to its end; afterwards nothing is open."""
    monkeypatch.setattr(logging.getLogger("sse_bridge"), "disabled", True)
    driver, kind = request.param
    open_before = streams.open
    yield lambda source, **options: DRIVERS[driver](
        getattr(source, kind)(), Options(hold=0, **options)
    )
    assert (streams.open, streams.stragglers) == (open_before, 0)


class Dialect:
    """The plain dialect, that raises over some of its words."""

    name, headers, passes, takes_objects = "odd", (), None, True

    def __init__(self, *kinds: type) -> None:
        self._kinds = kinds

    def voice(self) -> Any:
        voice = dialects.by_name("plain").voice()

        def say(part: Any) -> bytes:
            if type(part) in self._kinds:
                raise LookupError(f"no words for {type(part).__name__}")
            return voice(part)

        return say


class Adapter:
    """The plain adapter, whose reader raises at the end."""

    name = "odd"

    def reader(self, wish: Any) -> Any:
        reader = Plain().reader(wish)

        class Odd:
            read = staticmethod(reader.read)

            def end(self) -> Any:
                raise LookupError("at the end")

        return Odd()


def ended(stream_it: Any, source: Source, **options: Any) -> tuple[bytes, Summary]:
    summaries: list[Summary] = []
    told = stream_it(source, on_end=summaries.append, **options)
    assert len(summaries) == 1
    assert source.closed == 1
    assert told.startswith(b"data: a\n\ndata: b\n\n")
    return told, summaries[0]


def test_an_adapter_that_raises_at_the_end_is_a_failure_that_is_told(stream_it: Any):
    told, summary = ended(stream_it, Source(), adapter=Adapter())
    assert summary.ending is Ending.FAILED
    assert b"event: error" in told


def test_a_dialect_without_a_word_for_the_end_tells_a_failure(stream_it: Any):
    told, summary = ended(stream_it, Source(), dialect=Dialect(End))
    assert (summary.ending, str(summary.error)) == (Ending.FAILED, "no words for End")
    assert b"event: error" in told
    assert DONE not in told


def test_a_dialect_without_a_word_for_failures_is_cut(stream_it: Any):
    def fail() -> None:
        raise ValueError("the source's own")

    for source, dialect in (Source(fail), Dialect(Failure)), (Source(), Dialect(End, Failure)):
        told, summary = ended(stream_it, source, dialect=dialect)
        assert summary.ending is Ending.FAILED
        assert told.endswith(b"<cut>")


def test_a_summary_that_cannot_be_made_is_told_in_short(
    stream_it: Any, monkeypatch: pytest.MonkeyPatch
):
    def summary(self: Stream, now: float) -> Summary:
        raise LookupError("a fault of ours")

    monkeypatch.setattr(Stream, "summary", summary)
    told, made = ended(stream_it, Source())
    assert made.ending is Ending.FINISHED
    assert told.endswith(DONE)


@pytest.mark.parametrize("error", ERRORS)
def test_what_on_end_raises_ends_nothing_else(stream_it: Any, error: type[BaseException]):
    calls: list[Summary] = []

    def on_end(summary: Summary) -> None:
        calls.append(summary)
        raise error("in on_end")

    assert stream_it(Source(), on_end=on_end).endswith(DONE)
    assert len(calls) == 1


@pytest.mark.parametrize("error", ERRORS)
def test_what_describe_raises_costs_the_client_no_ending(
    stream_it: Any, error: type[BaseException]
):
    def fail() -> None:
        raise ValueError("the source's own")

    def describe(_: BaseException) -> str:
        raise error("in describe")

    told, summary = ended(stream_it, Source(fail), describe=describe)
    assert b"The answer was interrupted by an error." in told
    assert isinstance(summary.error, ValueError)


@pytest.mark.parametrize("error", ERRORS)
def test_what_cancel_raises_stops_the_source_all_the_same(
    stream_it: Any, error: type[BaseException]
):
    def cancel() -> None:
        raise error("in cancel")

    # It is called where the source has not ended by itself: here the second word cannot be said.
    summaries: list[Summary] = []
    source = Source()
    told = stream_it(
        source, cancel=cancel, on_end=summaries.append, json_default=None, dialect=Picky()
    )
    assert [summary.ending for summary in summaries] == [Ending.FAILED]
    assert source.closed == 1
    assert b"event: error" in told


class Picky(Dialect):
    """It has no word for ``b``."""

    def voice(self) -> Any:
        voice = dialects.by_name("plain").voice()

        def say(part: Any) -> bytes:
            if part == "b":
                raise LookupError("no word for it")
            return voice(part)

        return say


@pytest.mark.parametrize("error", [LookupError, SystemExit, KeyboardInterrupt])
def test_what_the_sources_cleanup_raises_changes_no_ending(
    stream_it: Any, error: type[BaseException]
):
    summaries: list[Summary] = []
    source = Source(close=error)
    told = stream_it(source, on_end=summaries.append)
    assert source.closed == 1
    assert len(summaries) == 1
    assert told.endswith((DONE, b"\n\n"))


def test_a_dialect_that_cannot_begin_leaves_nothing_open(stream_it: Any):
    with pytest.raises(LookupError, match="no words for Start"):
        stream_it(Source(), dialect=Dialect(Start))


def test_two_broken_answers_do_not_use_up_max_streams(stream_it: Any):
    for _ in range(5):
        told = stream_it(Source(), max_streams=streams.open + 1, adapter=Adapter())
        assert b"event: error" in told
