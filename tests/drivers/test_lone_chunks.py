"""Chunks that come alone, each written before its source waits: the same bytes and counts as given at once."""

from __future__ import annotations

import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, NamedTuple

import anyio
import anyio.lowlevel
import pytest

from answering import PATIENCE, Answer, both_loops, lone
from chunks import (
    CUMULATIVE,
    INCREMENTAL,
    dashscope_choice,
    dashscope_chunk,
    dashscope_text,
    openai_chunk,
)
from driving import run_asyncio, run_trio
from sse_bridge import Ending, ServerSentEvent, Summary
from sse_bridge import options as options_module
from sse_bridge.adapters import JsonLines, OpenAI
from sse_bridge.drivers import plain
from sse_bridge.drivers.writes import BATCH_BYTES
from sse_bridge.options import Options
from sse_bridge.parts import Start

TEXTS = ["Hel", "lo ", "", None, "你好\nzwei", "\n", "x", b"\xe4\xbd", b"\xa0", "end"]
OBJECTS = [{"a": 1}, [1, "zwei"], ServerSentEvent("x", event="tick", id="7"), 3.5, "text", {"b": 2}]
HALVES = ["a", "b", "\ud83d", "\ude00", "c", "\ud83d", "d", "e", "\ude00"]
WORDS = [
    openai_chunk({"role": "assistant", "content": ""}),
    openai_chunk({"reasoning_content": "hm"}),
    *(openai_chunk({"content": text}) for text in ("Hel", "lo", "", " you")),
    openai_chunk({"content": "both", "reasoning_content": "parts"}),
    openai_chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f"}}]}),
    openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
    openai_chunk({}, "stop"),
    {**openai_chunk(), "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 2}},
]
GROWN = [*map(dashscope_text, ("我", "我是", "我是 Qwen")), dashscope_text("我是 Qwen.", "stop")]
PIECES = [
    *(dashscope_chunk(dashscope_choice(text)) for text in ("Hel", "lo", "")),
    dashscope_chunk(dashscope_choice("!", "stop")),
]
FRAMES = ["data: a\n\n", "data: b\n", "data: c\n\n", ": said\n\n", "id: 1\ndata: d", "\n\n"]
LINES = [b'{"text": "a"}\n', b'{"text": "b"}\n{"te', b'xt": "c"}\n', b'{"text": "d"}']

ADAPTERS: dict[str, tuple[Any, list[Any]]] = {
    "auto, texts": ("auto", TEXTS),
    "auto, objects": ("auto", OBJECTS),
    "auto, openai's": ("auto", WORDS),
    "auto, halves": ("auto", HALVES),
    "plain, texts": ("plain", TEXTS),
    "plain, objects": ("plain", OBJECTS),
    "plain, halves": ("plain", HALVES),
    "openai": ("openai", WORDS),
    "openai that must finish": (OpenAI(must_finish=True), WORDS),
    "dashscope, cumulative": (CUMULATIVE, GROWN),
    "dashscope, incremental": (INCREMENTAL, PIECES),
    "frames": ("frames", FRAMES),
    "lines": (JsonLines(OpenAI()), LINES),
}
DIALECTS = ["plain", "openai", "delta"]
MORE: list[dict[str, Any]] = [{}, {"collect": True}, {"retry": 1000}, {"hold": 0}]


@pytest.fixture(autouse=True)
def _one_name_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options_module, "_opening", lambda: Start("id-1", 1))


async def at_once(chunks: Iterable[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


class Told(NamedTuple):
    """What a client heard, what the face raised, and the summary without its times."""

    body: bytes
    raised: str
    summary: Summary


def told(run: Any, source: Any, **options: Any) -> Told:
    answer, raised = Answer(), ""

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            await answer.drive(source, **options)

    try:
        run(main)
    except Exception as error:
        raised = repr(error)
    summary = answer.summary._replace(time_to_first_chunk=None, duration=0, error=None)
    if summary.ending is Ending.FAILED:  # how many had come already behind one that cannot be said
        summary = summary._replace(chunks=0)
    return Told(answer.body, raised, summary)


def plainly(chunks: Iterable[Any], **options: Any) -> tuple[bytes, str]:
    said = b""
    try:
        for data in plain.drive(chunks, Options(**options)):
            said += data
    except Exception as error:
        return said, repr(error)
    return said, ""


@pytest.mark.parametrize("more", MORE, ids=str)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("adapter, chunks", ADAPTERS.values(), ids=ADAPTERS.keys())
def test_chunks_that_come_alone_are_told_and_counted_like_those_that_come_at_once(
    adapter: Any, chunks: list[Any], dialect: str, more: dict[str, Any]
):
    options = {"adapter": adapter, "dialect": dialect, "ping": None, **more}
    alone = told(run_asyncio, lone(*copy.deepcopy(chunks)), **options)
    assert (alone.body, alone.raised) == plainly(copy.deepcopy(chunks), **options)
    assert alone == told(run_asyncio, at_once(copy.deepcopy(chunks)), **options)
    assert alone == told(run_asyncio, copy.deepcopy(chunks), **options)
    assert alone == told(run_trio, lone(*copy.deepcopy(chunks)), **options)
    assert alone.summary.bytes == len(alone.body)


# -- one by one, on asyncio: all but the first and the last are written in the writer's stead ------


def in_stead(*chunks: Any, **options: Any) -> Answer:
    answer = Answer()

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            await answer.drive(lone("first", *chunks), **options)

    asyncio.run(main())
    assert len(answer.in_stead) == len(answer.writes) - 2
    return answer


def test_each_lone_chunk_is_one_write_in_stead_whatever_it_says():
    several = "data: a\n\ndata: b\n\n"  # one chunk, two frames
    answer = in_stead("x", several, {"a": 1}, b"y", adapter="plain")
    assert answer.in_stead == answer.writes[1:-1]
    assert len(answer.in_stead) == 4
    both = openai_chunk({"content": "both", "reasoning_content": "parts"})
    answer = in_stead(both, both, dialect="delta")
    assert len(answer.in_stead) == 2
    assert all(write.count(b"data: ") == 2 for write in answer.in_stead)


def test_an_empty_chunk_writes_nothing_and_wakes_nobody():
    quiet, spoken = in_stead(), in_stead("", None, b"", "")
    assert (spoken.writes, spoken.steps) == (quiet.writes, quiet.steps)
    assert spoken.summary.chunks == quiet.summary.chunks + 4


@both_loops
def test_a_lone_chunk_that_is_larger_than_a_write_goes_out_in_several_and_in_its_place(run: Any):
    chunks = ["a", "b", "x" * (BATCH_BYTES + 1), "c", "y" * 3 * BATCH_BYTES, "d", "z" * 70_000]
    answer = Answer()

    async def main() -> None:
        with anyio.fail_after(PATIENCE):
            await answer.drive(lone(*chunks))

    run(main)
    assert answer.body == plainly(chunks)[0]
    assert max(map(len, answer.writes)) <= BATCH_BYTES
    assert answer.summary.bytes == len(answer.body)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_character_whose_halves_come_alone_comes_out_whole(dialect: str):
    answer = in_stead("b", "\ud83d", "\ude00", "c", dialect=dialect)
    said = answer.body.decode()
    assert "\U0001f600" in said or "\\ud83d\\ude00" in said
    assert "\ufffd" not in said
    assert answer.summary.ending is Ending.FINISHED


# -- what is due while chunks come alone -----------------------------------------------------------


async def ends_as(ending: Ending, source: Any, **options: Any) -> Answer:
    answer = Answer()
    with anyio.fail_after(PATIENCE):
        await answer.drive(source, hold=0, ping=None, **options)
    assert answer.summary.ending is ending
    return answer


@both_loops
@pytest.mark.parametrize("before", [["a"], ["a", "b", "c"], ["", "a"]], ids=str)
def test_a_stall_timeout_that_is_nearer_than_that_of_the_first_chunk_holds_from_there(
    run: Any, before: list[str]
):
    async def source() -> AsyncIterator[str]:
        async for chunk in lone(*before):
            yield chunk
        await anyio.sleep_forever()

    options = {"first_chunk_timeout": 3600, "stall_timeout": 0.05}
    answer = run(lambda: ends_as(Ending.STALLED, source(), **options))
    assert answer.is_over
    assert answer.body.startswith(b"data: a\n\n")


@both_loops
def test_a_stream_of_lone_chunks_that_never_pauses_for_long_ends_at_its_max_duration(run: Any):
    async def source() -> AsyncIterator[str]:
        while True:
            yield "a"
            await anyio.lowlevel.checkpoint()

    answer = run(lambda: ends_as(Ending.EXPIRED, source(), max_duration=0.1, stall_timeout=5))
    assert answer.is_over
    assert answer.summary.duration >= 0.1
    assert answer.summary.chunks > 2


@both_loops
def test_a_stream_of_sync_chunks_that_never_pauses_ends_at_its_max_duration(run: Any):
    def source() -> Iterator[str]:
        while True:
            yield "a"

    answer = run(lambda: ends_as(Ending.EXPIRED, source(), max_duration=0.1))
    assert answer.is_over
    assert answer.summary.duration >= 0.1


@both_loops
@pytest.mark.parametrize("kind", ["task", "thread"])
def test_pings_come_by_the_clock_as_long_as_a_source_is_blocked(run: Any, kind: str):
    pings = threading.Event()
    heard: Any = None
    seen: list[bytes] = []

    async def task() -> AsyncIterator[str]:
        async for chunk in lone("a", "b"):
            yield chunk
        await heard.wait()

    def thread() -> Iterator[str]:
        yield from "ab"
        pings.wait(PATIENCE)

    async def send(data: bytes) -> None:
        seen.append(data)
        if seen.count(b": ping\n\n") == 3:
            pings.set()
            heard.set()

    async def main() -> None:
        nonlocal heard
        heard = anyio.Event()
        with anyio.fail_after(PATIENCE):
            await answer.drive(task() if kind == "task" else thread(), ping=0.01)
        assert answer.is_over
        assert answer.summary.pings >= 3
        if run is run_asyncio:
            assert answer.in_stead.count(b": ping\n\n") >= 3

    answer = Answer(send)
    run(main)
