"""The real dashscope SDK reads its double as it would read the server."""

import logging

import dashscope
import pytest

from doubles import Cut, DashScopeDouble, Fault, HttpError, Raw, Reply, Reset, ToolCall
from doubles.reading import read_until_failure


@pytest.fixture
def anyio_backend():
    return "asyncio"


def generation(double, **options):
    options = {"prompt": "hi", "stream": True} | options
    return dashscope.Generation.call("qwen-max", **options, **double.call_options)


def said(chunks, result_format):
    if result_format == "text":
        return [c.output.text for c in chunks]
    return [c.output.choices[0].message.content for c in chunks]


INCREMENTAL = ["Hello", ", ", "world", ""]
CUMULATIVE = ["Hello", "Hello, ", "Hello, world", "Hello, world"]


async def aio_generation(double, **options):
    options = {"prompt": "hi", "stream": True} | options
    try:
        stream = await dashscope.AioGeneration.call("qwen-max", **options, **double.call_options)
        return [chunk async for chunk in stream]
    finally:
        await dashscope.close_shared_aio_session()


@pytest.mark.parametrize("result_format", ["text", "message"])
@pytest.mark.parametrize(
    ("mode", "expected"),
    [({}, CUMULATIVE), ({"incremental_output": True}, INCREMENTAL)],
    ids=["cumulative", "incremental"],
)
def test_the_server_repeats_itself_unless_told_otherwise(
    dashscope_double, result_format, mode, expected
):
    chunks = list(generation(dashscope_double, result_format=result_format, **mode))
    assert said(chunks, result_format) == expected
    assert [c.usage.output_tokens for c in chunks] == [1, 2, 3, 3]


@pytest.mark.parametrize("incremental", [None, True])
def test_a_model_that_is_shown_a_picture_answers_in_pieces(dashscope_double, incremental):
    content = [{"image": "http://127.0.0.1/cat.png"}, {"text": "What is it?"}]
    chunks = dashscope.MultiModalConversation.call(
        "qwen-vl-plus",
        messages=[{"role": "user", "content": content}],
        stream=True,
        incremental_output=incremental,
        **dashscope_double.call_options,
    )
    said = ["".join(piece["text"] for piece in pieces) for pieces in contents(chunks)]
    assert said == (INCREMENTAL if incremental else CUMULATIVE)


def contents(chunks):
    return [chunk.output.choices[0].message.content for chunk in chunks]


@pytest.mark.anyio
async def test_the_async_api_reads_the_same(dashscope_double):
    chunks = await aio_generation(dashscope_double, incremental_output=True)
    assert said(chunks, "text") == INCREMENTAL


def test_the_sdk_merges_by_itself_when_told_not_to_increment(dashscope_double):
    chunks = generation(dashscope_double, result_format="message", incremental_output=False)
    assert [c.output.choices[0].message.content for c in chunks] == CUMULATIVE
    asked = dashscope_double.wait_for_request()
    assert asked.json()["parameters"]["incremental_output"] is True
    assert "incremental_to_full/1" in asked.headers["user-agent"]


def test_the_finish_reason_is_the_word_null_until_the_end(dashscope_double):
    assert [c.output.finish_reason for c in generation(dashscope_double)] == ["null"] * 3 + ["stop"]


@pytest.mark.parametrize("incremental", [None, True])
def test_reasoning_and_tool_calls_come_in_messages(dashscope_double, incremental):
    dashscope_double.answer = Reply((), reasoning=["hm", "m"], tool_calls=[ToolCall()])
    options = {"result_format": "message", "incremental_output": incremental}
    messages = [c.output.choices[0].message for c in generation(dashscope_double, **options)]
    assert messages[1]["reasoning_content"] == ("m" if incremental else "hmm")
    calls = [m["tool_calls"][0] for m in messages if "tool_calls" in m]
    assert calls[0]["function"]["name"] == "get_weather"
    arguments = [call["function"]["arguments"] for call in calls]
    assert (arguments[2] if incremental else arguments[-1]).endswith(' "Oslo"}')
    assert [call["id"] for call in calls][1] == ("" if incremental else "call_1")


@pytest.mark.parametrize("sse", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("status", [400, 401, 429, 500])
def test_an_error_from_the_start_is_one_chunk(dashscope_double, status, sse):
    dashscope_double.answer = HttpError(status, code="Throttling", sse=sse)
    [chunk] = generation(dashscope_double)
    assert (chunk.status_code, chunk.code, chunk.output) == (status, "Throttling", None)


def test_an_error_frame_in_the_middle_is_a_last_chunk_of_status_400(dashscope_double):
    dashscope_double.answer = Reply(at={2: Fault(code="Throttling.AllocationQuota", status=429)})
    *good, bad = generation(dashscope_double)
    assert said(good, "text") == CUMULATIVE[:2]
    assert (bad.status_code, bad.code) == (400, "Throttling.AllocationQuota")


def test_a_frame_that_is_no_json_is_followed_by_good_ones(dashscope_double):
    dashscope_double.answer = Reply(at={1: Raw(b"id:2\nevent:result\ndata:nonsense\n\n")})
    chunks = list(generation(dashscope_double))
    assert [c.status_code for c in chunks] == [200, 400, 200, 200, 200]


@pytest.mark.parametrize("turn", [Cut(), Reset()])
def test_a_broken_connection_raises(dashscope_double, turn, caplog):
    caplog.set_level(logging.CRITICAL, "dashscope")
    dashscope_double.answer = Reply(at={2: turn})
    seen, error = read_until_failure(generation(dashscope_double))
    assert said(seen, "text") == CUMULATIVE[:2]
    assert type(error).__name__ == "ChunkedEncodingError"


def test_closing_a_dashscope_stream_is_seen_at_once(dashscope_double):
    dashscope_double.answer = Reply(gated=True)
    stream = generation(dashscope_double)
    dashscope_double.release()
    assert next(stream).output.text == "Hello"
    stream.close()
    assert dashscope_double.wait_for_request().wait_hangup().amid_answer


def test_one_byte_at_a_time_makes_no_difference_to_dashscope():
    with DashScopeDouble(Reply(["你好", "😀"], bytewise=True)) as double:
        assert said(generation(double), "text") == ["你好", "你好😀", "你好😀"]


def test_a_response_that_is_not_streamed_comes_whole(dashscope_double):
    assert generation(dashscope_double, stream=False).output.text == "Hello, world"
