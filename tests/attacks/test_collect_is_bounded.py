"""An upstream fills memory by what it says, and the app asked for all of it: there is a bound, and it is told."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from chunks import INCREMENTAL, dashscope_choice, dashscope_chunk, openai_chunk
from sse_bridge import Ending, Summary, UpstreamError
from sse_bridge.adapters.base import NUMBERS
from sse_bridge.options import Options
from sse_bridge.parts import Choice, Finish, Native, Reasoning, ToolCall, Usage
from sse_bridge.summary import COLLECT_LIMIT, REASON_LIMIT, Text
from streams import started

MUCH = 1_000_000
MEGABYTE = "x" * 1_000_000


def calls(count: int, **more: Any) -> Iterator[ToolCall]:
    fields = {"id": "i", "name": "f", "arguments": "{}", **more}
    return (ToolCall(number, **fields) for number in range(count))


def size(thing: Any) -> int:
    """The characters in what was gathered."""
    if isinstance(thing, str):
        return len(thing)
    if isinstance(thing, dict):
        return sum(map(size, thing.values()))
    return sum(map(size, thing)) if isinstance(thing, list) else 0


def gathered(parts: Iterable[Any]) -> Summary:
    stream = started(dialect="delta", collect=True)
    stream.feed([*parts], 0.0)
    stream.finish(1.0)
    return stream.summary(1.0)


def summed(summary: Summary) -> int:
    return size(summary.text) + size(summary.reasoning) + size(summary.tool_calls)


SAID: dict[str, Any] = {
    "text": lambda: ["x"] * (MUCH + 1),
    "one long text": lambda: [MEGABYTE, MEGABYTE],
    "thinking": lambda: [Reasoning("x")] * (MUCH + 1),
    "calls": lambda: calls(20_000),
    "calls without a word": lambda: calls(20_000, id=None, name=None, arguments=""),
    "calls with long ids": lambda: calls(10, id=MEGABYTE),
    "calls with long names": lambda: calls(10, name=MEGABYTE),
    "calls with long arguments": lambda: calls(10, arguments=MEGABYTE),
    "arguments in pieces": lambda: [ToolCall(0, None, None, "x" * 100)] * 20_000,
    "chunks that pass": lambda: [Native("x", b"{}", None, None, ("x" * 100, *calls(1)))] * 20_000,
    "a bit of all": lambda: [
        part for call in calls(10_000) for part in ("x" * 50, Reasoning("h" * 50), call)
    ],
}


@pytest.mark.parametrize("kind", SAID)
def test_whatever_an_upstream_says_a_million_times_is_gathered_up_to_the_bound(kind: str):
    summary = gathered(SAID[kind]())
    assert summary.truncated
    assert summed(summary) <= COLLECT_LIMIT
    assert len(summary.tool_calls or ()) <= COLLECT_LIMIT // 100


ALL = {
    "nothing": [],
    "a text": ["Hello"],
    "a text that just fits": [MEGABYTE[:COLLECT_LIMIT]],
    "a call": [ToolCall(0, "a", "f", "{}")],
    "a reason": [Finish("x" * REASON_LIMIT)],
    "other choices, which are not gathered": [
        Choice(1, "x" * COLLECT_LIMIT),
        Choice(2, "x" * COLLECT_LIMIT),
    ],
    "text that says nothing": [MEGABYTE[:COLLECT_LIMIT], ""],
}


@pytest.mark.parametrize("kind", ALL)
def test_what_was_gathered_whole_is_not_called_truncated(kind: str):
    assert gathered(ALL[kind]).truncated is False


def test_half_an_id_is_not_gathered_for_it_would_be_anothers():
    summary = gathered(["x" * (COLLECT_LIMIT - 105), ToolCall(0, "an id that is long", "f", "{}")])
    assert summary.tool_calls == [{"id": None, "name": None, "arguments": ""}]
    assert summary.truncated


def test_what_is_gathered_is_the_beginning_of_what_was_said_and_nothing_from_behind_the_gap():
    parts = ["x" * (COLLECT_LIMIT - 10), ToolCall(0, "a", "f", "{}"), "y", Reasoning("z")]
    summary = gathered(parts)
    assert summary.text == "x" * (COLLECT_LIMIT - 10)
    assert (summary.reasoning, summary.tool_calls) == ("", [])
    assert summary.truncated


def test_a_reason_to_finish_of_a_megabyte_is_cut_without_collect_too():
    for collect in (False, True):
        for part in (Finish(MEGABYTE), Native("openai", b"{}", MEGABYTE, None)):
            stream = started(dialect="openai", collect=collect)
            stream.feed([part], 0.0)
            stream.finish(1.0)
            summary = stream.summary(1.0)
            assert summary.finish_reason == "x" * REASON_LIMIT
            assert summary.truncated


def test_usage_is_three_numbers_however_often_it_is_told():
    chunk = openai_chunk(
        usage={**{f"count_{number}": number for number in range(100_000)}, "prompt_tokens": 5}
    )
    stream, reader = Options(dialect="delta", collect=True).open()
    stream.start(0.0)
    stream.feed(reader.read(openai_chunk({"content": "x"})), 0.0)
    stream.feed(reader.read(chunk), 0.0)
    stream.feed(reader.end(), 0.0)
    stream.finish(1.0)
    assert stream.summary(1.0).usage == {"input_tokens": 5, "output_tokens": 0, "total_tokens": 5}
    assert gathered([Usage(1, 2, 3)] * 1000).truncated is False


def test_a_text_in_many_pieces_takes_about_the_room_of_its_characters():
    pieces = [chr(0x4E00 + number % 5000) for number in range(200_000)]
    text = Text()
    tracemalloc.start()
    for number in range(200_000):
        text.add(chr(0x4E00 + number % 5000))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert text.joined() == "".join(pieces)
    assert kept < 4 * sys.getsizeof("".join(pieces))


# -- what a reader keeps ---------------------------------------------------------------------------


def read_all(chunks: Iterable[Any], adapter: Any, dialect: str) -> Summary:
    stream, reader = Options(adapter=adapter, dialect=dialect, collect=True).open()
    stream.start(0.0)
    try:
        for chunk in chunks:
            stream.feed(reader.read(chunk), 0.0)
            if stream.ending is not None:
                break
        else:
            stream.feed(reader.end(), 0.0)
            stream.finish(1.0)
    except Exception as error:
        stream.fail(error, 1.0)
    return stream.summary(1.0)


def fragment(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"id-{number}", "function": {"name": "f", "arguments": "{}"}, **more}


ENDLESS: dict[str, tuple[Any, Any]] = {
    "calls by their ids": (
        "openai",
        lambda: (openai_chunk({"tool_calls": [fragment(number)]}) for number in range(MUCH)),
    ),
    "calls in one chunk": (
        "openai",
        lambda: [openai_chunk({"tool_calls": [fragment(number) for number in range(NUMBERS + 1)]})],
    ),
    "choices in one chunk": (
        "openai",
        lambda: [{**openai_chunk(), "choices": [{"delta": {"content": "x"}}] * (NUMBERS + 1)}],
    ),
    "calls of DashScope's": (
        INCREMENTAL,
        lambda: (
            dashscope_chunk(dashscope_choice("", tool_calls=[fragment(number)]))
            for number in range(MUCH)
        ),
    ),
    "choices of DashScope's": (
        INCREMENTAL,
        lambda: [dashscope_chunk(*[dashscope_choice("x")] * (NUMBERS + 1))],
    ),
}


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_of_more_choices_or_calls_than_any_has_is_a_failure(kind: str, dialect: str):
    adapter, chunks = ENDLESS[kind]
    summary = read_all(chunks(), adapter, dialect)
    assert summary.ending is Ending.FAILED
    assert isinstance(summary.error, UpstreamError)
    assert f"fewer than {NUMBERS}" in str(summary.error)


def test_a_number_that_no_choice_has_does_not_make_one():
    summary = read_all([openai_chunk({"content": "x"}, "stop", index=10**9)], "openai", "delta")
    assert (summary.text, summary.finish_reason) == ("x", "stop")


def test_the_words_of_a_failure_that_an_upstream_told_are_cut():
    error = {"message": MEGABYTE, "code": MEGABYTE, "type": MEGABYTE}
    for told in (error, {"message": [MEGABYTE]}, MEGABYTE):
        summary = read_all([openai_chunk({"content": "x"}), {"error": told}], "openai", "delta")
        assert isinstance(summary.error, UpstreamError)
        assert len(str(summary.error)) <= 10_000
        assert len(summary.error.code or "") <= 200
