"""What the log says of a source that outlives its stream, and when."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import copy_context
from functools import lru_cache, partial
from types import MethodType
from typing import Any

import pytest

from connections import ByHand
from sse_bridge import Ending, pursuit
from sse_bridge.drivers import stragglers
from sse_bridge.drivers.sources import name_of, written_as
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams

Reminders = list[tuple[Callable[[], object], float]]


@pytest.fixture
def reminders(monkeypatch: pytest.MonkeyPatch) -> Reminders:
    """What is to be called when: the test says that the time has come."""
    asked: Reminders = []
    monkeypatch.setattr(pursuit, "remind", lambda call, at: asked.append((call, at)))
    return asked


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[tuple[str, str]]]:
    """The lines since the last call, each with its level."""
    caplog.set_level(logging.DEBUG, "sse_bridge")

    def take() -> list[tuple[str, str]]:
        lines = [(record.levelname, record.message) for record in caplog.records]
        caplog.clear()
        return lines

    return take


def words() -> Iterator[str]:
    yield "a"


async def async_words() -> AsyncIterator[str]:
    yield "a"


def test_one_that_ends_in_time_is_told_of_at_debug_only(reminders: Reminders, said: Any):
    worker = ByHand()
    stragglers.count(worker, None, words(), Ending.GONE, 100.0, 5.0)
    [(warn, at)] = reminders
    assert at == 105.0
    stragglers.tell_end(worker)
    warn()
    assert [level for level, _ in said()] == ["DEBUG", "DEBUG"]
    assert streams.stragglers == 0


def test_one_that_does_not_is_warned_of_by_its_name_and_its_end_is_told_too(
    reminders: Reminders, said: Any
):
    worker = ByHand()
    stragglers.count(worker, None, words(), Ending.GONE, 100.0, 5.0)
    said()
    reminders[0][0]()
    [(level, line)] = said()
    assert level == "WARNING"
    assert line.startswith("the source words (")
    assert f"test_stragglers.py:{words.__code__.co_firstlineno}) still runs, more than 5 s" in line
    assert "(gone)" in line
    assert line.endswith("now: 1")
    stragglers.tell_end(worker)
    assert said() == [("INFO", "a source that outlived its stream has ended; 0 still run")]


def test_one_that_ended_as_it_was_counted_is_not_told_of(reminders: Reminders, said: Any):
    worker = ByHand()
    worker.done = True
    stragglers.count(worker, None, words(), Ending.GONE, 100.0, 5.0)
    assert (reminders, said(), streams.stragglers) == ([], [], 0)


def test_an_end_in_time_is_no_news(said: Any):
    stragglers.tell_end(ByHand())
    assert said() == []


def test_nothing_of_one_that_has_ended_waits_for_the_look(reminders: Reminders):
    worker = ByHand()
    stragglers.count(worker, None, words(), Ending.GONE, 100.0, 5.0)
    stragglers.tell_end(worker)
    gone = weakref.ref(worker)
    del worker
    gc.collect()
    assert gone() is None
    reminders[0][0]()


def test_a_reader_that_leaves_a_source_in_its_sleep_is_no_warning(reminders: Reminders, said: Any):
    asleep = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        asleep.wait(10)
        yield "b"

    body = Body(source(), Options(), copy_context())
    next(body)
    before = time.monotonic()
    body.close()
    [(_, at)] = reminders
    assert at >= before + Options().cleanup_timeout
    assert {level for level, _ in said()} <= {"DEBUG", "INFO"}
    asleep.set()
    for thread in threading.enumerate():
        if thread.name == "sse_bridge source":
            thread.join(10)
    reminders[0][0]()
    assert ("DEBUG", "a source that outlived its stream has ended; 0 still run") in said()


class Stream:
    """An SDK's, whose attributes do harm."""

    def __getattr__(self, name: str) -> Any:
        raise SystemExit(name)


@pytest.mark.parametrize(
    "source, name",
    [
        (words, "words"),
        (words(), "words"),
        (async_words(), "async_words"),
        (partial(partial(words)), "words"),
        (Stream.__getattr__, "Stream.__getattr__"),
    ],
)
def test_a_source_is_named_as_in_its_module_and_by_its_place(source: Any, name: str):
    assert name_of(source) == name
    assert written_as(source).startswith(f"{name} (")
    assert f"{__file__}:" in written_as(source)


class Bound:
    """What stands for a method, and is no function."""

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        return MethodType(self, owner)

    def __call__(self, owner: Any) -> Iterator[str]:
        yield "a"


class Model:
    answer = Bound()
    cached = lru_cache(lambda self: ["a"])


@pytest.mark.parametrize("source", [Model().answer, Model().cached])
def test_a_method_of_what_is_no_function_has_its_types_name(source: Any):
    assert name_of(source) == written_as(source) == "method"


@pytest.mark.parametrize(
    "source, name",
    [([1], "list"), (Stream(), "Stream"), (Stream, "Stream")],
    ids=["list", "object", "class"],
)
def test_one_that_has_no_code_is_named_by_its_type(source: Any, name: str):
    assert name_of(source) == written_as(source) == name
