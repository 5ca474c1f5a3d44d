"""LangChain's messages and events by their shape, without its packages: see vendors/test_langchain.py for those."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import Any

import pytest

from chunks import read
from recorded.langchain import (
    ANSWER,
    RUN,
    RUN_TOLD,
    TOLD,
    chunk,
    event,
    fragment,
    tokens,
    tool,
)
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, LangChain
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.calls import Calls
from sse_bridge.adapters.langchain import KEPT, looks_like_langchain
from sse_bridge.failures import SerializationError
from sse_bridge.parts import Data, File, Reasoning, ToolCall, ToolResult
from told import Answer, as_plain, assert_answers

STREAMED = [event("on_chat_model_stream", chunk=one) for one in ANSWER]
SYSTEM = chunk("be brief", type="system")
OPENAIS = {"role": "system", "content": "be brief"}
WHOLE = chunk(
    "Hello",
    type="ai",
    tool_calls=[{"name": "weather", "args": {"city": "Rome"}, "id": "call_1"}],
    usage_metadata=tokens(7, 9),
    response_metadata={"finish_reason": "tool_calls"},
)
WHOLE_TOLD = TOLD._replace(reasoning="", calls=(("call_1", "weather", '{"city":"Rome"}'),))


@pytest.mark.parametrize("adapter", ["auto", "langchain", LangChain(), "langgraph"])
def test_chunks_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


@pytest.mark.parametrize("adapter", ["auto", "langchain"])
def test_two_messages_and_what_a_tool_gave_between_them_are_one_answer(adapter):
    assert_answers(lambda: iter(RUN), RUN_TOLD, adapter=adapter)


@pytest.mark.parametrize("adapter", ["auto", "langchain"])
def test_of_events_only_the_chunks_of_models_say_words(adapter):
    events = [
        event("on_chain_start", "0", input={"messages": [WHOLE]}),
        *STREAMED,
        event("on_chat_model_end", output=WHOLE),
        event("on_tool_end", "2", output=tool("30 degrees")),
        event("on_chain_end", "0", output={"messages": [WHOLE, tool("30 degrees")]}),
    ]
    told = TOLD._replace(results=(("call_1", "30 degrees"),))
    assert_answers(lambda: iter(events), told, adapter=adapter)


def test_a_model_that_does_not_stream_speaks_when_it_ends():
    assert_answers(lambda: iter([event("on_chat_model_end", output=WHOLE)]), WHOLE_TOLD)


def test_a_model_of_text_is_heard_in_pieces_or_when_it_ends():
    output = {"generations": [[{"text": "Hello", "type": "Generation"}]]}
    pieces = [event("on_llm_stream", chunk={"text": piece}) for piece in ("Hel", "lo")]
    ended = event("on_llm_end", output=output)
    assert_answers(lambda: iter([*pieces, ended]), Answer("Hello"))
    assert_answers(lambda: iter([ended]), Answer("Hello"))


def test_a_whole_message_is_read_unless_its_chunks_were():
    assert_answers(lambda: iter([WHOLE]), WHOLE_TOLD)
    assert_answers(lambda: iter([*ANSWER, WHOLE]), TOLD)


def test_two_models_that_speak_at_once_keep_their_calls_apart():
    first = [chunk(tool_call_chunks=[fragment("", "a", "f")]), *_args("1", "lc_run--1")]
    other = [
        chunk(id_="lc_run--2", tool_call_chunks=[fragment("", "b", "g")]),
        *_args("2", "lc_run--2"),
    ]
    mixed = [one for pair in zip(first, other, strict=True) for one in pair]
    told = Answer(calls=(("a", "f", "[1]"), ("b", "g", "[2]")))
    assert_answers(lambda: iter(mixed), told)


def _args(value: str, id_: str) -> list[Any]:
    return [chunk(id_=id_, tool_call_chunks=[fragment(piece)]) for piece in ("[", value, "]")]


def test_pieces_of_content_are_read_and_what_repeats_the_calls_is_not():
    content = [
        {"type": "reasoning", "reasoning": "Hm. "},
        {"type": "reasoning_content", "reasoning_content": {"text": "So."}},
        {"type": "text", "text": "Hi", "annotations": [{"type": "citation", "url": "https://a.t"}]},
        "!",
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
        {"type": "text", "text": "", "citations": [{"url": "https://b.t"}]},
    ]
    told = Answer("Hi!", "Hm. So.", sources=("https://a.t", "https://b.t"))
    one = chunk(content, additional_kwargs={"reasoning_content": "Hm. So."})
    assert_answers(lambda: iter([one]), told)


@pytest.mark.parametrize(
    ("piece", "url"),
    [
        (
            {"type": "image", "base64": "QQ==", "mime_type": "image/jpeg"},
            "data:image/jpeg;base64,QQ==",
        ),
        ({"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,QQ=="}}, None),
        ({"type": "file", "url": "https://a.t/x", "mime_type": "image/jpeg"}, "https://a.t/x"),
    ],
)
def test_a_file_is_its_address_or_all_of_it(piece, url):
    [file] = read(Auto(), chunk([piece]))
    assert file == File(url or "data:image/jpeg;base64,QQ==", "image/jpeg")


def test_calls_that_the_service_made_itself_and_their_results_are_told():
    called = {"type": "server_tool_call", "id": "s", "name": "search", "args": {"q": 1}}
    given = {"type": "server_tool_result", "tool_call_id": "s", "output": ["x"]}
    assert read(Auto(), chunk([called, given])) == [
        ToolCall(0, "s", "search", '{"q":1}'),
        ToolResult("s", b'["x"]'),
    ]


def test_a_tool_that_failed_says_so_and_an_error_that_it_raised_is_not_quoted():
    failed = event("on_tool_error", error=ValueError("secret"), tool_call_id="a")
    assert read(Auto(), failed, tool("no city", "b", status="error")) == [
        ToolResult("a", b"null", "the tool failed"),
        ToolResult("b", b'"no city"', "no city"),
    ]


@pytest.mark.parametrize(
    ("told", "finish"),
    [
        ({"finish_reason": "STOP"}, "stop"),
        ({"stop_reason": "max_tokens"}, "length"),
        ({"stopReason": "guardrail_intervened"}, "content_filter"),
        ({"done_reason": "stop"}, "stop"),
        ({"finish_reason": "null"}, None),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
    ],
)
def test_a_reason_to_finish_is_found_wherever_a_service_has_put_it(told, finish):
    chunks = [chunk("Hi"), chunk(response_metadata=told)]
    assert_answers(lambda: iter(chunks), Answer("Hi", finish=finish))


def test_tokens_from_a_cache_and_of_thoughts_are_counted_apart():
    more = {"input_token_details": {"cache_read": 5}, "output_token_details": {"reasoning": 4}}
    [*_, usage] = read(Auto(), chunk(usage_metadata=tokens(7, 9, **more)))
    assert (usage.cached_tokens, usage.reasoning_tokens, usage.total_tokens) == (5, 4, 16)


def test_what_people_say_is_no_answer():
    said = [chunk("Hi", type="human"), chunk("Be kind", type="system")]
    assert read(LangChain(), *said) == []


def test_an_event_with_objects_that_are_no_json_is_json_all_the_same():
    odd = event("on_chain_end", output={"model": object(), "message": WHOLE}, input=SYSTEM)
    own = event("on_custom_event") | {"data": object()}
    said, _ = as_plain(lambda: iter([odd, *STREAMED, own]))
    assert said[0]["data"]["output"]["model"] == "an object of the type builtins.object"
    assert said[0]["data"]["output"]["message"]["content"] == "Hello"
    assert "be brief" not in str(said)
    assert said[-1]["data"] == "an object of the type builtins.object"


def test_under_plain_what_a_model_has_read_is_not_sent():
    prompt = SimpleNamespace(messages=[SYSTEM, WHOLE])
    events = [
        event("on_chat_model_start", input={"messages": [[SYSTEM]]}),
        event("on_prompt_end", input={}, output=prompt),
        event("on_chain_stream", chunk=prompt),
        event("on_chat_model_end", output=WHOLE, input={"messages": [[SYSTEM]]}),
        event("on_chain_end", output={"messages": [SYSTEM, OPENAIS, WHOLE], "first": SYSTEM}),
    ]
    before = copy.deepcopy(events)
    said, _ = as_plain(lambda: iter(events))
    state = {"messages": [WHOLE]}
    told = [{}, {}, {"chunk": state}, {"output": WHOLE}, {"output": state}]
    assert [one["data"] for one in said] == told
    assert events == before


def test_an_apps_own_event_is_data():
    own = event("on_custom_event") | {"name": "progress", "data": {"done": 3}}
    said = read(Auto(), *STREAMED[2:4], own)
    assert said == ["Hel", "lo", Data("progress", b'{"done":3}')]
    with pytest.raises(SerializationError):
        read(Auto(), own | {"data": object()})
    assert as_plain(lambda: iter([own]))[0] == [own]


@pytest.mark.parametrize("reason", ["error", "ERROR", "network_error"])
def test_a_reason_that_means_a_failure_is_one(reason):
    chunks = [chunk("Hel"), chunk(response_metadata={"finish_reason": reason})]
    assert_answers(lambda: iter(chunks), Answer("Hel", code="upstream_error"))


def test_what_is_kept_does_not_grow_where_ids_change_with_each_chunk():
    reader = LangChain().reader(Wish())
    for number in range(3 * KEPT):
        fragments = [fragment("", f"c{number}", "f")]
        reader.read(chunk("x", id_=f"a{number}"))
        reader.read(chunk(id_=f"b{number}", tool_call_chunks=fragments))
    kept = [len(held) for held in vars(reader).values() if isinstance(held, dict)]
    assert max(kept[1:]) <= KEPT + 1, "but for the numbers of the calls"


def test_a_message_without_calls_keeps_nothing_for_them():
    reader = LangChain().reader(Wish())
    for number in range(9):
        reader.read(chunk("x", id_=f"a{number}"))
    assert not any(
        isinstance(held, Calls)
        for kept in vars(reader).values()
        if isinstance(kept, dict)
        for held in kept.values()
    )


@pytest.mark.parametrize(
    "odd",
    [
        {"event": "on_chat_model_stream", "name": None, "run_id": None, "data": None},
        {"event": "on_later_kind", "name": "x", "run_id": "1", "data": {}},
        event("on_tool_end", output=5),
        event("on_chat_model_stream", chunk={"type": ["ai"]}),
        chunk(5, tool_call_chunks=[None, 5], usage_metadata={"input_tokens": "x"}),
        chunk([None, 5, [], {"type": "later", "x": 1}, {"type": "image"}], id_=5),
        chunk(additional_kwargs=[], response_metadata=[], tool_calls=7),
    ],
)
def test_odd_fields_are_left_alone(odd):
    assert [part for part in read(LangChain(), odd, chunk("Hi")) if part == "Hi"] == ["Hi"]


@pytest.mark.parametrize(
    "mine",
    [
        {"type": "ai", "content": "Hi"},
        {"type": "tool", "content": "x", "tool_call_id": "1"},
        {"event": "on_click", "data": {}, "name": "x"},
        {"event": "message", "data": {}, "name": "x", "run_id": "1"},
        {"content": "Hi", "additional_kwargs": {}, "response_metadata": {}},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(mine):
    assert not looks_like_langchain(mine)


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes messages and events of LangChain, got a dict"):
        read(LangChain(), {"text": "x"})
    with pytest.raises(UpstreamError, match="no credit"):
        read(LangChain(), {"error": {"message": "no credit"}})


def test_thinking_beside_the_content_comes_before_it():
    one = chunk("Hi", additional_kwargs={"reasoning": {"summary": [{"text": "Hm."}]}})
    assert read(Auto(), one) == [Reasoning("Hm."), "Hi"]
