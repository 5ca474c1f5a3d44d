"""Chunks of chat.completions: what they say, and how they pass whole."""

from __future__ import annotations

import json
from collections import OrderedDict
from typing import Any

import pytest

from chunks import ASK, envelope, openai_chunk, read, run, told
from doubles import NULL_CHOICES, Fault, Raw, Reply, ToolCall
from sse_bridge import Decoder, ServerSentEvent, UpstreamError
from sse_bridge.adapters import Auto, OpenAI
from sse_bridge.adapters.base import Wish
from sse_bridge.options import Options
from sse_bridge.parts import Choice, Finish, Native, Reasoning, Usage, Value
from sse_bridge.parts import ToolCall as Call
from sse_bridge.wsgi import stream
from told import Answer, in_delta

OPENAI = OpenAI()
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def fragment(number=0, *, arguments=None, name=None, **more):
    return {"index": number, "function": {"name": name, "arguments": arguments}, **more}


# -- what a chunk says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "delta, parts",
    [
        ({"role": "assistant", "content": ""}, []),
        ({"content": "Hel"}, ["Hel"]),
        ({"content": None}, []),
        ({}, []),
        (None, []),
        ({"content": '{"a": 1}'}, ['{"a": 1}']),
        ({"reasoning_content": "hm"}, [Reasoning("hm")]),
        ({"reasoning": "hm"}, [Reasoning("hm")]),
        ({"reasoning_content": None, "reasoning": "hm"}, [Reasoning("hm")]),
        ({"reasoning_content": "hm", "reasoning": "hm"}, [Reasoning("hm")]),
        ({"reasoning_content": "", "content": "x"}, ["x"]),
        ({"reasoning_content": "hm", "content": "x"}, [Reasoning("hm"), "x"]),
        ({"refusal": "I won't"}, ["I won't"]),
        ({"content": "", "refusal": None, "tool_calls": None, "audio": None}, []),
    ],
)
def test_a_delta_says_its_text_its_thought_and_its_refusal(delta, parts):
    assert read(OPENAI, openai_chunk(delta)) == parts


def test_a_tool_call_comes_in_fragments_and_is_named_in_the_first():
    assert read(
        OPENAI,
        openai_chunk({"tool_calls": [fragment(id="call_1", name="look", arguments="")]}),
        openai_chunk({"tool_calls": [fragment(id="", name="", arguments='{"a"')]}),
        openai_chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
    ) == [
        Call(0, "call_1", "look", ""),
        Call(0, None, None, '{"a"'),
        Call(0, None, None, ":1}"),
    ]


def test_several_tool_calls_keep_their_numbers():
    calls = [fragment(1, arguments="b"), fragment(3, arguments="d")]
    parts = read(OPENAI, openai_chunk({"tool_calls": calls}))
    assert [(part.number, part.arguments) for part in parts] == [(1, "b"), (3, "d")]


def test_tool_calls_without_numbers_are_counted():
    calls = [{"id": "a", "function": {"name": "f"}}, {"id": "b", "function": None}]
    assert read(OPENAI, openai_chunk({"tool_calls": calls})) == [
        Call(0, "a", "f", ""),
        Call(1, "b", None, ""),
    ]


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter"])
def test_the_reason_to_stop_comes_after_the_text(reason):
    assert read(OPENAI, openai_chunk({"content": "."}, reason)) == [".", Finish(reason)]


def test_the_word_null_is_no_reason_to_stop():
    assert read(OPENAI, openai_chunk({"content": "x"}, "null")) == ["x"]


def test_the_usage_comes_after_the_finish_in_a_chunk_without_choices():
    parts = read(OPENAI, openai_chunk({}, "stop", usage=None), envelope([], usage=USAGE))
    assert parts == [Usage(7, 3, 10, final=False), Finish("stop"), Usage(7, 3, 10)]


@pytest.mark.parametrize("choices", [[], None])
def test_a_chunk_may_have_no_choices(choices):
    assert read(OPENAI, envelope(choices)) == []
    assert read(OPENAI, envelope(choices), passes="openai")[0].finish_reason is None


def test_further_choices_say_which_they_are():
    both = [
        {"index": 1, "delta": {"content": "B"}, "finish_reason": "length"},
        {"index": 0, "delta": {"content": "A"}, "finish_reason": None},
    ]
    assert read(OPENAI, envelope(both)) == [Choice(1, "B"), "A", Choice(1, Finish("length"))]


def test_legacy_completions_have_their_text_in_the_choice():
    chunk = {"object": "text_completion", "choices": [{"index": 0, "text": "old"}]}
    assert read(OPENAI, chunk) == ["old"]
    assert read(OPENAI, chunk, passes="openai") == ["old"]


# -- the events of the SDK's helper streams -------------------------------------------------------

HELPED = [
    {"type": "chunk", "chunk": openai_chunk({"content": "Hel"}), "snapshot": {"choices": []}},
    {"type": "content.delta", "delta": "Hel", "snapshot": "Hel"},
    {"type": "chunk", "chunk": openai_chunk({}, "stop"), "snapshot": {"choices": []}},
    {"type": "content.done", "content": "Hel"},
]


@pytest.mark.parametrize("adapter", [OPENAI, Auto()])
def test_a_helper_streams_chunks_are_read_and_what_repeats_them_is_not(adapter):
    assert read(adapter, *HELPED) == ["Hel", Finish("stop")]


@pytest.mark.parametrize("adapter", [OPENAI, Auto()])
def test_a_helper_streams_chunks_pass_whole_and_what_repeats_them_does_not(adapter):
    passed = read(adapter, *HELPED, passes="openai")
    assert [json.loads(part.json) for part in passed] == [HELPED[0]["chunk"], HELPED[2]["chunk"]]


@pytest.mark.parametrize(
    "event",
    [HELPED[1], {"type": "chunk"}, {"type": "chunk", "chunk": "x"}, {"type": "chunk", "chunk": {}}],
)
def test_what_no_helper_stream_has_begun_is_no_event_of_one(event):
    with pytest.raises(TypeError, match="takes chunks of chat"):
        read(OPENAI, event)
    assert read(Auto(), event, takes_objects=True) == [
        Value(json.dumps(event, separators=(",", ":")).encode())
    ]


# -- failures in band -----------------------------------------------------------------------------


@pytest.mark.parametrize("passes", [None, "openai"])
def test_an_error_object_is_a_failure(passes):
    chunk = {"object": "error", "message": "overloaded", "code": 503, "choices": None}
    with pytest.raises(UpstreamError, match="overloaded") as raised:
        read(OPENAI, chunk, passes=passes)
    assert (raised.value.status_code, raised.value.code) == (503, "503")


def test_an_error_object_without_words_is_a_failure_too():
    with pytest.raises(UpstreamError) as raised:
        read(OPENAI, {"object": "error"})
    assert (raised.value.status_code, raised.value.code) == (None, None)


# -- passing whole --------------------------------------------------------------------------------


def test_a_chunk_passes_whole_where_its_protocol_is_spoken():
    chunk = openai_chunk({"content": "x"}, "stop", usage=USAGE)
    [part] = read(OPENAI, chunk, passes="openai")
    assert json.loads(part.json) == chunk
    assert part[2:] == ("stop", Usage(7, 3, 10), (), True)


def test_a_chunk_is_taken_apart_on_the_way_only_if_it_is_collected():
    chunk = openai_chunk({"content": "x", "reasoning": "r"}, "stop")
    [part] = read(OPENAI, chunk, passes="openai", collect=True)
    assert type(part) is Native
    assert part.parts == (Reasoning("r"), "x", Finish("stop"))


@pytest.mark.parametrize("collect", [False, True])
def test_a_passed_chunk_with_nothing_to_note_is_its_json_where_that_is_wished(collect):
    wish = {"passes": "openai", "lines": True, "collect": collect}
    chunk = openai_chunk({"content": "x"})
    for whole in chunk, OrderedDict(chunk), sdk_chunk(chunk):
        [part] = read(OPENAI, whole, **wish)
        assert type(part) is (Native if collect else bytes)
        assert json.loads(part.json if collect else part) == chunk


@pytest.mark.parametrize(
    "chunk",
    [
        openai_chunk({}, "stop"),
        openai_chunk(usage=USAGE),
        envelope([], usage=USAGE),
        {**openai_chunk({}, "stop"), "usage": USAGE},
    ],
)
def test_a_passed_chunk_with_something_to_note_is_more_than_its_json(chunk):
    for whole in chunk, sdk_chunk(chunk):
        [*_, part] = read(OPENAI, whole, passes="openai", lines=True)
        assert type(part) is Native
        assert part.finish_reason or part.usage == Usage(7, 3, 10)


def test_no_line_is_given_to_a_dialect_that_must_say_something():
    assert read(OPENAI, openai_chunk({"content": "x"}), lines=True) == ["x"]


def sdk_chunk(chunk):
    from openai.types.chat import ChatCompletionChunk

    return ChatCompletionChunk.construct(**chunk)


def test_a_passed_chunk_was_written_before_it_could_change():
    chunk = openai_chunk({"content": "before"})
    [part] = read(OPENAI, chunk, passes="openai")
    chunk["choices"][0]["delta"]["content"] = "after"
    assert b"before" in part.json


def test_a_passed_chunk_escapes_what_old_readers_split_lines_at():
    body = run([openai_chunk({"content": "a\u2028b\u2029c\x85d"})], dialect="openai")
    assert b"a\\u2028b\\u2029c\\u0085d" in body
    assert len(body.decode().splitlines()) == len(body.split(b"\n")) - 1


# -- the real SDK ---------------------------------------------------------------------------------

EVERYTHING = Reply(
    ["Hel", "lo \u2028", "你好🌍"],
    more=[["an", "other"]],
    reasoning=["hm", "m"],
    refusal=["I ", "won't"],
    tool_calls=[ToolCall(), ToolCall("other", ["{", "}"], "call_2")],
    empty_tool_ids=True,
)

ODD_CHUNK = {
    "id": "x",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "service_tier": "default",
    "system_fingerprint": None,
    "obfuscation": "a\u2029b",
    "prompt_filter_results": [{"index": 0, "severity": 0.5}],
    "choices": [
        {
            "index": 0,
            "finish_reason": None,
            "logprobs": {"content": [{"token": "x", "logprob": -0.25, "bytes": [120]}]},
            "delta": {"content": "x", "reasoning_details": [{"type": "t", "text": None}]},
            "content_filter_results": {"hate": {"filtered": False}},
        }
    ],
    "usage": None,
}


def sdk_stream(double, **options):
    return double.openai_client().chat.completions.create(**ASK, **options)


def sent(double, reply, **options):
    """The payloads of the frames that the server sent."""
    request = double.wait_for_request()
    frames = b"".join(double.frames(reply, request))
    return [event.data for event in Decoder().feed(frames)]


@pytest.mark.parametrize("options", [{}, {"stream_options": {"include_usage": True}}])
@pytest.mark.parametrize("bytewise", [False, True])
def test_what_the_server_sent_arrives_field_for_field(openai_double, options, bytewise):
    openai_double.answer = Reply(**{**vars(EVERYTHING), "bytewise": bytewise})
    body = run(sdk_stream(openai_double, **options), dialect="openai")
    *ours, done = [event.data for event in Decoder().feed(body)]
    *theirs, their_done = sent(openai_double, EVERYTHING)
    assert [json.loads(data) for data in ours] == [json.loads(data) for data in theirs]
    assert done == their_done == "[DONE]"
    assert "\u2028" not in body.decode()


def test_fields_that_no_one_knows_arrive_too(openai_double):
    odd = b"data: " + json.dumps(ODD_CHUNK).encode() + b"\n\n"
    openai_double.answer = Reply((), at={1: Raw(odd)})
    chunks = told(sdk_stream(openai_double), dialect="openai")
    assert chunks[1] == (None, ODD_CHUNK)


@pytest.mark.parametrize("collect", [False, True])
def test_finish_and_usage_are_read_off_passing_chunks(openai_double, collect):
    openai_double.answer = Reply(["a", "b"], reasoning=["r"], tool_calls=[ToolCall()])
    stream, reader = Options(dialect="openai", collect=collect).open()
    stream.start(0)
    for chunk in sdk_stream(openai_double, stream_options={"include_usage": True}):
        stream.feed(reader.read(chunk), 1)
    stream.finish(2)
    summary = stream.summary(2)
    assert summary.finish_reason == "tool_calls"
    assert summary.usage["output_tokens"] == 5
    assert summary.text == ("ab" if collect else None)
    assert summary.reasoning == ("r" if collect else None)
    assert summary.tool_calls == (
        [{"id": "call_1", "name": "get_weather", "arguments": '{"city": "Oslo"}'}]
        if collect
        else None
    )


def test_the_sdks_objects_say_the_same_as_their_shape(openai_double):
    openai_double.answer = EVERYTHING
    chunks = list(sdk_stream(openai_double, stream_options={"include_usage": True}))
    dicts = [chunk.model_dump(exclude_unset=True) for chunk in chunks]
    parts = read(OPENAI, *chunks)
    assert parts == read(OPENAI, *dicts)
    assert [part for part in parts if type(part) is str] == [
        "I ",
        "won't",
        "Hel",
        "lo \u2028",
        "你好🌍",
    ]
    assert [part.part for part in parts if type(part) is Choice][:2] == ["an", "other"]
    assert type(parts[-1]) is Usage


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_an_error_object_of_a_gateway_ends_the_stream_as_a_failure(openai_double, dialect):
    openai_double.answer = Reply(["x"], at={2: Raw(NULL_CHOICES)})
    body = run(sdk_stream(openai_double), dialect=dialect)
    assert b"upstream_error" in body
    assert b"a gateway failed" not in body
    assert b"event: done" not in body


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_what_the_sdk_raises_is_a_failure_that_shows_nothing_of_it(openai_double, dialect):
    openai_double.answer = Reply(["x"], at={2: Fault()})
    body = run(sdk_stream(openai_double), dialect=dialect)
    assert body.count(b"upstream_error") == 1
    assert Fault().message.encode() not in body
    assert b"double_error" not in body


# -- what users forget, and what upstreams do --------------------------------------------------------


def test_a_whole_answer_as_a_chunk_asks_about_stream_true():
    whole = {"object": "chat.completion", "choices": [{"message": {"content": "x"}}]}
    for adapter in ("openai", "auto"):
        with pytest.raises(TypeError, match="did you forget stream=True"):
            run([whole], adapter=adapter, dialect="delta")


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_a_stream_that_ends_without_a_finish_reason_is_warned_about(dialect, caplog):
    run([openai_chunk({"content": "half an ans"})], dialect=dialect)
    assert ["may have been cut" in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_a_stream_that_tells_why_it_stopped_is_not(dialect, caplog):
    run([openai_chunk({"content": "x"}), openai_chunk({}, "stop"), openai_chunk()], dialect=dialect)
    assert not caplog.records


# -- several calls of the model -------------------------------------------------------------------


def first_call(call: str, reason: str, text: str = "", tokens: int = 1) -> list[Any]:
    """A model's call as services stream it: a role, its words, a call of a tool, a reason, the tokens."""
    function = {"name": "add", "arguments": "{}"}
    tool = {"index": 0, "id": f"tool of {call}", "type": "function", "function": function}
    words = [openai_chunk({"content": text}, id=call)] if text else []
    calls = [openai_chunk({"tool_calls": [tool]}, id=call)] if reason == "tool_calls" else []
    usage = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": 10 + tokens}
    return [
        openai_chunk({"role": "assistant", "content": ""}, id=call),
        *words,
        *calls,
        openai_chunk(finish=reason, id=call),
        envelope([], id=call, usage=usage),
    ]


THREE_CALLS = [
    *first_call("c1", "tool_calls", tokens=1),
    *first_call("c2", "tool_calls", "Hm. ", tokens=2),
    *first_call("c3", "stop", "Three.", tokens=3),
]
ONE_ANSWER = Answer(
    "Hm. Three.",
    calls=(("tool of c1", "add", "{}"), ("tool of c2", "add", "{}")),
    finish="stop",
    usage=(30, 6, 36),
)


@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_several_calls_of_a_model_are_one_answer(adapter):
    answer, summary = in_delta(lambda: iter(THREE_CALLS), adapter=adapter)
    assert answer == ONE_ANSWER
    assert summary.usage == {"input_tokens": 30, "output_tokens": 6, "total_tokens": 36}


@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_several_calls_of_a_model_are_one_answer_to_a_client_of_openais(adapter):
    events = Decoder().feed(run(THREE_CALLS, dialect="openai", adapter=adapter))
    chunks = [event.json() for event in events[:-1]]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert [choice["finish_reason"] for choice in choices if choice["finish_reason"]] == ["stop"]
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    assert [(call["index"], call["id"]) for call in calls] == [(0, "tool of c1"), (1, "tool of c2")]
    assert [choice["delta"]["role"] for choice in choices if "role" in choice["delta"]] == [
        "assistant"
    ]
    words = [choice["delta"].get("content") or "" for choice in choices]
    assert "".join(words) == "Hm. Three."
    assert [chunk["usage"]["total_tokens"] for chunk in chunks if chunk.get("usage")] == [36]
    assert chunks[-1]["usage"]


@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_a_second_call_that_is_cut_is_not_told_with_the_reason_of_the_first(dialect):
    cut = [*first_call("c1", "tool_calls"), *first_call("c2", "stop", "Half")[:2]]
    body = run(cut, dialect=dialect)
    assert b"tool_calls" not in body.partition(b"Half")[2]
    assert b"Half" in body
    failed = run(cut, dialect=dialect, adapter=OpenAI(must_finish=True))
    assert b"upstream_cut" in failed


def test_a_count_in_every_chunk_is_each_calls_own():
    def counted(call: str, made: int) -> list[Any]:
        chunks = first_call(call, "stop", f"{call} ")[:-1]
        usage = {"prompt_tokens": 100, "completion_tokens": made, "total_tokens": 100 + made}
        return [{**chunk, "usage": usage} for chunk in chunks]

    answer, _ = in_delta(lambda: iter([*counted("c1", 10), *counted("c2", 20)]))
    assert answer.usage == (200, 30, 230)


def test_a_count_that_comes_last_with_a_role_and_an_id_of_its_own_is_the_calls():
    last = openai_chunk({"role": "assistant"}, id="other", usage=USAGE)
    answer, _ = in_delta(
        lambda: iter([openai_chunk({"content": "a"}), openai_chunk(finish="stop"), last])
    )
    assert answer == Answer("a", finish="stop", usage=(7, 3, 10))


def test_a_count_that_waited_with_a_finish_and_was_not_told_is_in_the_sum():
    first = [openai_chunk({"content": "a"}), openai_chunk(finish="stop", usage=USAGE)]
    second = [openai_chunk({"content": "b"}, id="c2"), openai_chunk(finish="stop", id="c2")]
    events = Decoder().feed(run([*first, *second], dialect="openai"))
    counts = [
        chunk["usage"] for chunk in map(ServerSentEvent.json, events[:-1]) if chunk.get("usage")
    ]
    assert [count["total_tokens"] for count in counts] == [10]


def test_a_second_call_that_ends_with_all_of_its_message_says_it_once():
    whole = {"index": 0, "message": {"content": "two three"}, "finish_reason": "stop"}
    second = [openai_chunk({"content": text}, id="c2") for text in ("two ", "three")]
    answer, _ = in_delta(
        lambda: iter([*first_call("c1", "stop", "one "), *second, envelope([whole], id="c2")])
    )
    assert answer.text == "one two three"


def test_calls_of_a_service_without_ids_are_told_apart_by_what_comes_behind_a_finish():
    def without_id(chunks: list[Any]) -> list[Any]:
        return [{name: value for name, value in chunk.items() if name != "id"} for chunk in chunks]

    calls = without_id(
        [*first_call("", "tool_calls", tokens=1), *first_call("", "stop", "a", tokens=2)]
    )
    answer, _ = in_delta(lambda: iter(calls))
    assert (answer.finish, answer.usage) == ("stop", (20, 3, 23))


def test_what_is_no_word_behind_a_finish_begins_no_call():
    chunks = [
        openai_chunk({"content": "a"}, id="1", usage=USAGE),
        openai_chunk(finish="stop", id="2", usage=USAGE),
        openai_chunk({"annotations": [{"type": "x"}]}, id="3", usage=USAGE),
        openai_chunk({"tool_calls": []}, id="4", usage=USAGE),
    ]
    answer, _ = in_delta(lambda: iter(chunks))
    assert answer == Answer("a", finish="stop", usage=(7, 3, 10))


def test_nothing_behind_a_finish_fills_no_memory():
    reader = OpenAI().reader(Wish(passes="openai"))
    reader.read(openai_chunk(finish="stop"))
    passed = sum(len(reader.read(openai_chunk())) for _ in range(1000))
    assert passed > 800


def test_what_comes_behind_a_finish_and_is_of_the_same_call_follows_it():
    late = [
        openai_chunk({"content": "a"}),
        openai_chunk(finish="stop"),
        openai_chunk({"content": "b"}),
        envelope([], usage=USAGE),
    ]
    events = Decoder().feed(run(late, dialect="openai"))
    assert [event.json() for event in events[:-1]] == late


def test_a_source_that_fails_behind_its_finish_has_told_the_summary_both():
    def failing():
        yield from first_call("c1", "stop", "One.")
        raise LookupError("in the app")

    for dialect in ("delta", "openai"):
        summaries: list[Any] = []
        body = b"".join(stream(failing(), {}, dialect=dialect, on_end=summaries.append, hold=0))
        [summary] = summaries
        assert (summary.ending, summary.finish_reason) == ("failed", "stop")
        assert summary.usage["total_tokens"] == 11
        assert b'"finish_reason":"stop"' not in body


def test_words_of_another_id_before_any_finish_are_of_the_same_call():
    chunks = [openai_chunk({"content": text}, id=text) for text in "abc"]
    usage = {"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}
    last = [openai_chunk(finish="stop", id="d"), envelope([], id="e", usage=usage)]
    answer, _ = in_delta(lambda: iter([*chunks, *last]))
    assert answer == Answer("abc", finish="stop", usage=(1, 3, 4))
