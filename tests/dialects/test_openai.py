"""`chat.completion.chunk` frames, made or passed on."""

from __future__ import annotations

import json

import pytest

from chunks import CUMULATIVE, dashscope_text, envelope, openai_chunk, run, told
from sse_bridge import Decoder, ServerSentEvent, dialects
from sse_bridge.objects import object_json
from sse_bridge.parts import (
    Choice,
    End,
    Failure,
    Finish,
    Native,
    Reasoning,
    Start,
    ToolCall,
    Usage,
)

DONE = (None, "[DONE]")
BREAKS = 'a\nb\u2028c\u2029d\x85e"f\\'


def speak(*parts, **options):
    """What the parts are in chunks, and `[DONE]`."""
    say = dialects.OpenAI(**options).voice()
    events = Decoder().feed(b"".join(map(say, (Start("id-1", 5), *parts))))
    return [json.loads(event.data) if event.data != "[DONE]" else DONE for event in events]


def choices(*parts):
    return [choice for chunk in speak(*parts) for choice in chunk["choices"]]


def deltas(*parts):
    return [choice["delta"] for choice in choices(*parts)]


# -- chunks that are made -------------------------------------------------------------------------


def test_a_chunk_has_every_field_that_clients_ask_for():
    assert speak("x") == [
        {
            "id": "id-1",
            "object": "chat.completion.chunk",
            "created": 5,
            "model": "sse-bridge",
            "choices": [
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": "x"},
                    "finish_reason": None,
                }
            ],
        }
    ]


def test_all_chunks_of_a_stream_have_one_id_and_two_streams_have_two():
    one, other = (
        {data["id"] for _, data in told(["a", "b"], dialect="openai")[:-1]} for _ in range(2)
    )
    assert len(one) == len(other) == 1
    assert one != other
    assert min(one).startswith("chatcmpl-")


def test_the_model_may_be_named():
    assert speak("x", model="mine\u2028")[0]["model"] == "mine\u2028"
    with pytest.raises(TypeError, match="model must be a str, got 3"):
        dialects.OpenAI(model=3)


def test_the_role_is_told_in_the_first_delta_only():
    assert deltas("a", "b", Finish("stop")) == [
        {"role": "assistant", "content": "a"},
        {"content": "b"},
        {},
    ]


def test_each_choice_is_told_its_role():
    assert choices("a", Choice(1, "A"), "b", Choice(1, Finish("length"))) == [
        {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None},
        {"index": 1, "delta": {"role": "assistant", "content": "A"}, "finish_reason": None},
        {"index": 0, "delta": {"content": "b"}, "finish_reason": None},
        {"index": 1, "delta": {}, "finish_reason": "length"},
    ]


def test_reasoning_has_the_field_that_qwen_gave_it():
    assert deltas(Reasoning("hm"))[0]["reasoning_content"] == "hm"


def test_a_tool_call_names_itself_in_its_first_fragment():
    first, more = deltas(ToolCall(1, "c", "f", ""), ToolCall(1, None, None, "{}"))
    assert first["tool_calls"] == [
        {"index": 1, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    ]
    assert more["tool_calls"] == [{"index": 1, "function": {"arguments": "{}"}}]


def test_the_usage_is_a_chunk_without_choices_and_told_when_final():
    (chunk,) = speak(Usage(7, 1, 8, final=False), Usage(7, 3, 10))
    assert chunk["choices"] == []
    assert chunk["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@pytest.mark.parametrize(
    "part, read_back",
    [
        (BREAKS, lambda delta: delta["content"]),
        (Reasoning(BREAKS), lambda delta: delta["reasoning_content"]),
        (
            ToolCall(0, "c", "f", BREAKS),
            lambda delta: delta["tool_calls"][0]["function"]["arguments"],
        ),
    ],
)
def test_any_text_is_on_one_line_and_reads_back(part, read_back):
    say = dialects.OpenAI().voice()
    say(Start("id-1", 1))
    assert len(say(part).decode().splitlines()) == 2
    assert read_back(deltas(part)[0]) == BREAKS


# -- chunks that pass -----------------------------------------------------------------------------


def test_a_chunk_of_its_own_protocol_passes_as_it_is():
    chunk = openai_chunk({"content": "x", "unknown": [1]}, "stop", extra={"a": None})
    assert told([chunk], dialect="openai") == [(None, chunk), DONE]


def test_passing_chunks_get_no_role_no_finish_and_no_model_of_ours():
    chunks = [openai_chunk({"content": "x"}), envelope([]), envelope(None)]
    assert told(chunks, dialect=dialects.OpenAI(model="mine")) == [
        *((None, chunk) for chunk in chunks),
        DONE,
    ]


def test_what_is_said_around_a_passing_chunk_is_said_in_new_ones():
    chunk = openai_chunk({"content": "x"})
    before, passed, _finish_or_done, *_ = told(["a", chunk, "b"], dialect="openai")
    assert before[1]["choices"][0]["delta"]["content"] == "a"
    assert passed == (None, chunk)


def test_a_chunk_of_another_protocol_has_no_place(caplog):
    assert speak(Native("dashscope", object_json(dashscope_text("x")), None, None)) == []
    assert "cannot express" in caplog.text


# -- the end --------------------------------------------------------------------------------------


def test_plain_text_finishes_with_stop():
    *_, finish, done = speak("a", End())
    assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert done == DONE


def test_nothing_at_all_finishes_with_stop_too():
    finish, done = speak(End())
    assert finish["choices"][0] == {
        "index": 0,
        "delta": {"role": "assistant"},
        "finish_reason": "stop",
    }
    assert done == DONE


def test_a_finish_that_was_told_is_not_told_again():
    reasons = [choice["finish_reason"] for choice in choices("a", Finish("length"))]
    assert reasons == [None, "length"]
    assert speak("a", Finish("length"), End())[2:] == [DONE]


def test_the_usage_comes_after_the_finish():
    chunks = [dashscope_text("a"), dashscope_text("a", "stop")]
    usage = {"input_tokens": 7, "output_tokens": 1, "total_tokens": 8}
    chunks[-1]["usage"] = usage
    *_, (_, finish), (_, last), done = told(chunks, dialect="openai", adapter=CUMULATIVE)
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["total_tokens"] == 8
    assert done == DONE


def test_a_failure_is_an_error_object_and_then_done():
    assert speak("a", Failure("m", "shutdown", retryable=True), End())[1:] == [
        {"error": {"message": "m", "type": "server_error", "param": None, "code": "shutdown"}},
        DONE,
    ]


def test_a_failed_stream_makes_no_finish_up():
    def breaking():
        yield "a"
        raise RuntimeError("never on the wire")

    body = run(breaking(), dialect="openai")
    assert body.endswith(b'"code":"upstream_error"}}\n\ndata: [DONE]\n\n')
    assert b'"stop"' not in body
    assert b"event:" not in body
    assert body.count(b"[DONE]") == 1


def test_an_event_of_ones_own_is_sent_as_given():
    body = run([ServerSentEvent("x", event="tick", id="7")], dialect="openai")
    assert body.startswith(b"event: tick\nid: 7\ndata: x\n\n")


def test_the_role_is_told_with_the_first_text_that_can_be_said():
    voice = dialects.OpenAI().voice()
    voice(Start("id-1", 1))
    with pytest.raises(UnicodeEncodeError):
        voice("\ud83d")
    assert b'"role":"assistant"' in voice("whole")
