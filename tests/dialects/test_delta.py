"""A named event for each thing a model can say."""

from __future__ import annotations

import json

import pytest

from chunks import envelope, openai_chunk, run, told
from sse_bridge import Decoder, ServerSentEvent, dialects
from sse_bridge.parts import (
    Choice,
    Failure,
    Finish,
    Frame,
    Native,
    Reasoning,
    Start,
    ToolCall,
    Usage,
    Value,
)

BREAKS = 'a\nb\u2028c\u2029d\x85e"f\\'


def said(part):
    return dialects.Delta().voice()(part)


@pytest.mark.parametrize(
    "part, frame",
    [
        ("x", b'event: delta\ndata: {"text":"x"}\n\n'),
        (Reasoning("hm"), b'event: reasoning\ndata: {"text":"hm"}\n\n'),
        (
            ToolCall(0, "call_1", "look", ""),
            b'event: tool_call\ndata: {"index":0,"id":"call_1","name":"look","arguments":""}\n\n',
        ),
        (
            ToolCall(2, None, None, '{"a":'),
            b'event: tool_call\ndata: {"index":2,"arguments":"{\\"a\\":"}\n\n',
        ),
        (
            Usage(7, 3, 10),
            b'event: usage\ndata: {"input_tokens":7,"output_tokens":3,"total_tokens":10}\n\n',
        ),
        (Usage(7, 1, 8, final=False), b""),
        (Finish("stop"), b'event: finish\ndata: {"reason":"stop"}\n\n'),
        (Value(b"[1,2]"), b"event: chunk\ndata: [1,2]\n\n"),
        (Native("other", b'{"a":1}', None, None), b'event: chunk\ndata: {"a":1}\n\n'),
        (Frame(b"data: x\n\n"), b"data: x\n\n"),
        (Start("id-1", 1), b""),
        (
            Failure("m", "shutdown", retryable=False),
            b'event: error\ndata: {"code":"shutdown","message":"m","retryable":false}\n\n',
        ),
    ],
)
def test_each_part_has_its_event(part, frame):
    assert said(part) == frame


@pytest.mark.parametrize(
    "part, name, payload",
    [
        ("x", "delta", {"text": "x", "choice": 1}),
        (Reasoning("hm"), "reasoning", {"text": "hm", "choice": 1}),
        (Finish("stop"), "finish", {"reason": "stop", "choice": 1}),
        (
            ToolCall(0, "c", "f", "{}"),
            "tool_call",
            {"index": 0, "id": "c", "name": "f", "arguments": "{}", "choice": 1},
        ),
    ],
)
def test_another_choice_than_the_first_says_which_it_is(part, name, payload):
    [event] = Decoder().feed(said(Choice(1, part)))
    assert (event.event, json.loads(event.data)) == (name, payload)


def test_the_first_choice_speaks_for_itself_after_another_has_spoken():
    say = dialects.Delta().voice()
    say(Choice(1, "x"))
    assert say("x") == said("x")


@pytest.mark.parametrize(
    "part", [BREAKS, Reasoning(BREAKS), ToolCall(0, BREAKS, BREAKS, BREAKS), Finish(BREAKS)]
)
def test_any_text_is_on_one_line_and_reads_back(part):
    frame = said(part)
    assert len(frame.decode().splitlines()) == 3
    [event] = Decoder().feed(frame)
    assert BREAKS in json.loads(event.data).values()


def test_a_model_that_thinks_calls_and_counts_is_told_in_order():
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}
    more = {"index": 0, "id": "", "function": {"arguments": "}"}}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    assert told(
        [
            openai_chunk({"role": "assistant", "content": ""}),
            openai_chunk({"reasoning_content": "hm"}),
            openai_chunk({"content": "yes"}),
            openai_chunk({"tool_calls": [call]}),
            openai_chunk({"tool_calls": [more]}),
            openai_chunk({}, "tool_calls"),
            envelope([], usage=usage),
        ],
        dialect="delta",
    ) == [
        ("reasoning", {"text": "hm"}),
        ("delta", {"text": "yes"}),
        ("tool_call", {"index": 0, "id": "c", "name": "f", "arguments": "{"}),
        ("tool_call", {"index": 0, "arguments": "}"}),
        ("finish", {"reason": "tool_calls"}),
        ("usage", {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}),
        ("done", "[DONE]"),
    ]


ABC = [("a", 0), ("b", 1), ("c", 0)]


def test_several_choices_are_told_apart():
    chunks = [openai_chunk({"content": text}, index=index) for text, index in ABC]
    assert told(chunks, dialect="delta")[:-1] == [
        ("delta", {"text": "a"}),
        ("delta", {"text": "b", "choice": 1}),
        ("delta", {"text": "c"}),
    ]


def test_what_has_no_text_is_a_chunk():
    chunks = [{"a": 1}, [1], 3, "text", ServerSentEvent("own", event="tick")]
    assert told(chunks, dialect="delta")[:-1] == [
        ("chunk", {"a": 1}),
        ("chunk", [1]),
        ("chunk", 3),
        ("delta", {"text": "text"}),
        ("tick", "own"),
    ]


def test_it_ends_as_plain_does():
    def breaking():
        yield "a"
        raise RuntimeError("never on the wire")

    for source in (lambda: ["a"], breaking):
        ours, plain = run(source(), dialect="delta"), run(source())
        assert ours.partition(b"\n\n")[2] == plain.partition(b"\n\n")[2]
