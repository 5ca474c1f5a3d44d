"""Attacks by callbacks that do what nobody should: the stream ends all the same, once."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import pytest

import whatwg
from misused import (
    DONE,
    DRIVERS,
    Hostile,
    Raising,
    Run,
    boom,
    failure,
    gives,
    in_threads,
    streamed,
    wait_until_all_is_over,
)
from sse_bridge import Ending, Summary
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams


@pytest.fixture(autouse=True)
def _all_is_over() -> Iterator[None]:
    yield
    wait_until_all_is_over()


def test_an_on_end_that_closes_its_own_body_ends_it_once():
    told: list[Summary] = []
    bodies: list[Body] = []

    def on_end(summary: Summary) -> None:
        told.append(summary)
        bodies[0].close()

    bodies.append(Body(iter(["a"]), Options(on_end=on_end), contextvars.copy_context()))
    assert whatwg.events(b"".join(bodies[0]))[-1] == DONE
    assert len(told) == 1


def test_a_cancel_that_closes_its_own_body_is_called_once():
    called: list[int] = []
    bodies: list[Body] = []

    def cancel() -> None:
        called.append(1)
        bodies[0].close()

    def source() -> Iterator[str]:
        while True:
            yield "a"
            time.sleep(0.001)

    bodies.append(Body(source(), Options(cancel=cancel), contextvars.copy_context()))
    next(bodies[0])
    bodies[0].close()
    assert called == [1]


@DRIVERS
def test_an_on_end_that_streams_itself_is_a_stream_within_an_end(run: Run):
    inner: list[bytes] = []

    def on_end(_: Summary) -> None:
        inner.append(in_threads(iter(["b"]), Options()))

    assert whatwg.events(run(iter(["a"]), Options(on_end=on_end)))[-1] == DONE
    assert [e.data for e in whatwg.events(inner[0])] == ["b", "[DONE]"]


@pytest.mark.parametrize("word", ["on_end", "cancel"])
def test_a_callback_that_does_not_come_back_holds_an_async_request_no_longer_than_it_may(word: str):
    release = threading.Event()

    async def blocked(*_: object) -> None:
        while not release.is_set():  # noqa: ASYNC110 - by a thread
            await asyncio.sleep(0.005)

    async def source() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(60)

    options = Options(cleanup_timeout=0.05, **{word: blocked})  # type: ignore[arg-type]
    body = Body(source(), options, contextvars.copy_context())
    next(body)
    body.close()
    assert streams.open == 0
    release.set()


@DRIVERS
@pytest.mark.parametrize(
    "callback", [MagicMock, AsyncMock, lambda: boom, lambda: gives(MagicMock())]
)
def test_a_mock_for_every_callback_changes_no_byte(run: Run, callback: Any):
    options = {word: callback() for word in ("on_end", "cancel")}
    assert run(iter(["a", "b"]), Options(**options)) == run(iter(["a", "b"]), Options())


@DRIVERS
@pytest.mark.parametrize(
    "message",
    [None, b"bytes", 3, "", "a\ud800b", "x" * 1_000_000, MagicMock(), Hostile(), {"a": 1}],
    ids=lambda message: type(message).__name__,
)
def test_whatever_describe_gives_becomes_one_message_in_one_event(run: Run, message: Any):
    body, summary = streamed(run, Raising(LookupError, 1), describe=lambda _: message)
    assert failure(body) == "upstream_error"
    assert len(whatwg.events(body)) == 2
    assert summary.ending is Ending.FAILED


@pytest.mark.parametrize(
    "default", [lambda value: value, lambda value: [value], boom, MagicMock(), Hostile]
)
def test_a_json_default_that_leads_nowhere_is_a_failure(default: Any):
    body, summary = streamed(in_threads, iter(["a", {"x": object()}]), json_default=default)
    assert failure(body) == "serialization_error"
    assert summary.ending is Ending.FAILED


@DRIVERS
def test_pings_as_often_as_can_be_starve_no_chunk(run: Run):
    def source() -> Iterator[str]:
        for _ in range(50):
            yield "a"
            time.sleep(0.001)

    body, summary = streamed(run, source(), ping=1e-9, hold=0)
    assert [e.data for e in whatwg.events(body)] == ["a"] * 50 + ["[DONE]"]
    assert summary.pings == body.count(b": ping\n")
