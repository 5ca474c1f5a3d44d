"""What a Summary tells of a stream."""

from __future__ import annotations

from sse_bridge import Ending
from sse_bridge.parts import Finish, Native, Origin, Reasoning, ToolCall, Usage
from sse_bridge.summary import CALL_COST, COLLECT_LIMIT
from streams import started


def test_the_summary_tells_true_figures():
    stream = started(at=100.0)
    written = stream.feed(["a", "b"], 102.0, chunks=3)
    written += stream.tick(117.0)
    written += stream.feed([Usage(1, 2, 3), Finish("length")], 118.0)
    written += stream.finish(120.0)
    summary = stream.summary(999.0)
    assert summary.ending is Ending.FINISHED
    assert (summary.chunks, summary.events, summary.pings) == (4, 3, 1)
    assert summary.bytes == len(written)
    assert (summary.time_to_first_chunk, summary.duration) == (2.0, 20.0)
    assert summary.usage == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    assert summary.finish_reason == "length"
    assert summary.text is summary.reasoning is summary.tool_calls is None


def test_usage_and_finish_reason_are_read_off_a_chunk_that_passes_whole():
    stream = started(dialect="openai")
    stream.feed([Native("openai", b"{}", "stop", None)], 0.0)
    stream.feed([Native("openai", b"{}", None, Usage(1, 2, 3))], 0.0)
    stream.finish(1.0)
    summary = stream.summary(1.0)
    assert summary.finish_reason == "stop"
    assert summary.usage is not None
    assert summary.usage["total_tokens"] == 3


def test_the_summary_tells_whose_answer_it_was_and_what_the_tokens_were():
    stream = started()
    stream.feed([Origin("id-1", None, "m"), "a", Usage(1, 2, 3, True, 1, 2)], 0.0)
    stream.finish(1.0)
    summary = stream.summary(1.0)
    assert (summary.model, summary.upstream_id) == ("m", "id-1")
    assert (summary.cached_tokens, summary.reasoning_tokens) == (1, 2)


def test_what_nobody_told_is_none():
    stream = started()
    stream.gone()
    summary = stream.summary(1.0)
    told = (summary.model, summary.upstream_id, summary.cached_tokens, summary.reasoning_tokens)
    assert told == (None, None, None, None)


def test_a_client_that_left_still_has_a_summary():
    stream = started()
    stream.feed(["a"], 1.0)
    stream.gone()
    summary = stream.summary(3.0)
    assert summary.ending is Ending.GONE
    assert summary.duration == 3.0


def test_a_stream_of_which_no_byte_has_left_says_so():
    failed, left, opened = started(), started(), started()
    failed.fail(LookupError("early"), 1.0)
    left.gone()
    opened.feed(["a"], 1.0)
    opened.fail(LookupError("late"), 2.0)
    assert [stream.summary(3.0).held for stream in (failed, left, opened)] == [True, True, False]


def test_a_silent_stream_that_ended_well_was_answered_and_is_not_held():
    silent = started()
    silent.finish(1.0)
    assert not silent.summary(1.0).held


def test_collect_gathers_text_reasoning_and_tool_calls():
    stream = started(dialect="delta", collect=True)
    calls = [
        ToolCall(1, "c2", "g", "{}"),
        ToolCall(0, "c1", "f", '{"a"'),
        ToolCall(0, None, None, ":1}"),
    ]
    stream.feed([Reasoning("hm"), "a", "b", *calls], 0.0)
    stream.feed([Native("x", b"{}", None, None, ("c",))], 0.0)
    stream.finish(1.0)
    summary = stream.summary(1.0)
    assert (summary.text, summary.reasoning) == ("abc", "hm")
    assert summary.tool_calls == [
        {"id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"id": "c2", "name": "g", "arguments": "{}"},
    ]


def test_collect_is_bounded():
    stream = started(collect=True)
    for _ in range(4):
        stream.feed(["x" * (COLLECT_LIMIT // 2)], 0.0)
    stream.finish(1.0)
    assert stream.summary(1.0).text == "x" * COLLECT_LIMIT
    assert stream.summary(1.0).truncated


def test_a_summary_that_has_all_is_not_truncated():
    stream = started(collect=True)
    stream.feed(["x" * COLLECT_LIMIT], 0.0)
    stream.finish(1.0)
    assert not stream.summary(1.0).truncated


def test_a_tool_call_counts_with_its_id_and_its_name():
    calls = [ToolCall(number, "i" * 50, "n" * 50, "") for number in range(COLLECT_LIMIT // 200 + 1)]
    stream = started(dialect="delta", collect=True)
    stream.feed(calls, 0.0)
    stream.finish(1.0)
    summary = stream.summary(1.0)
    assert summary.tool_calls is not None
    assert len(summary.tool_calls) == COLLECT_LIMIT // (100 + CALL_COST)
    assert summary.truncated
