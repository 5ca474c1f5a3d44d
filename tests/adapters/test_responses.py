"""The Responses API's events by their shape, without an SDK: see vendors/test_openai.py for that."""

from __future__ import annotations

import contextlib
import copy
import json
import logging

import pytest

from chunks import read
from recorded.responses import (
    ANSWER,
    TOLD,
    breaking,
    call,
    cited,
    event,
    failing,
    life,
    of_llama_cpp,
    response,
    summary,
    text,
)
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, Responses
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.responses import ResponsesReader, looks_like_responses
from sse_bridge.parts import Value
from steps import assert_linear
from told import Answer, as_plain, assert_answers, in_delta

DONE = {"finish": "stop", "usage": (7, 9, 16)}


@pytest.mark.parametrize("adapter", ["auto", "openai-responses", Responses()])
def test_events_as_dicts_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


def test_numbers_and_places_may_be_left_out():
    told = TOLD._replace(reasoning="Let me see.")
    assert_answers(lambda: iter(of_llama_cpp()), told)


def test_calls_that_share_a_place_and_their_items_id_are_told_apart():
    one, other = call("one", '{"a": 1}', id_="a"), call("other", '{"b": 2}', id_="b")
    events = [
        {**event, "output_index": 0, **({"item_id": "fake"} if "item_id" in event else {})}
        for event in response(one, other)
    ]
    calls = (("a", "one", '{"a": 1}'), ("b", "other", '{"b": 2}'))
    assert_answers(lambda: iter(events), Answer(calls=calls, finish="tool_calls", usage=(7, 9, 16)))


def test_pieces_of_two_calls_may_take_turns():
    one, other = call("one", "1", "2", id_="a"), call("other", "3", "4", id_="b")
    events = response(one, other)
    begun = [one for one in events if one["type"] == "response.output_item.added"]
    pieces = [one for one in events if one["type"].endswith("arguments.delta")]
    mixed = [life("created"), *begun, *(pieces[place] for place in (0, 2, 1, 3)), events[-1]]
    calls = (("a", "one", "12"), ("b", "other", "34"))
    assert_answers(lambda: iter(mixed), Answer(calls=calls, finish="tool_calls", usage=(7, 9, 16)))


@pytest.mark.parametrize("kept", ["output_item.done", "completed"])
def test_what_comes_only_whole_is_read_there_once(kept):
    items = summary("Let me ", "see."), text("Hello", notes=[cited("https://a.test/")])
    events = response(*items, call("weather", '{"city": "Rome"}'))
    kinds = {"response.created", "response.completed", f"response.{kept}"}
    whole = [one for one in events if one["type"] in kinds]
    assert_answers(lambda: iter(whole), TOLD._replace(sources=("https://a.test/",)))


def test_responses_that_never_begin_are_one_answer_too():
    events = [response(text("Hel"))[-1], response(text("lo"), id_="resp_2")[-1]]
    told = Answer("Hello", finish="stop", usage=(14, 18, 32))
    assert_answers(lambda: iter(events), told)


def test_a_response_that_is_joined_in_the_middle_of_a_call_tells_it_whole():
    events = [one for one in ANSWER if one["type"] != "response.output_item.added"]
    assert_answers(lambda: iter(events), TOLD)


def test_what_a_server_of_tools_gives_is_a_result():
    item, told = call("search", '{"q": 1}', kind="mcp_call", id_="m")
    item = {**item, "call_id": None, "id": "mcp_1", "output": "found"}
    told = [{**one, "item_id": "mcp_1"} for one in told]
    answer = Answer("Hi", calls=(("mcp_1", "search", '{"q": 1}'),), results=(("mcp_1", "found"),))
    events = response((item, told), text("Hi"))
    assert_answers(lambda: iter(events), answer._replace(**DONE))


def test_what_a_server_of_tools_fails_with_is_told():
    item, told = call("search", "{}", kind="mcp_call", id_="mcp_1")
    item = {**item, "error": {"type": "mcp_tool_execution_error", "content": []}}
    [result] = [part for part in read(Auto(), *response((item, told))) if hasattr(part, "output")]
    assert (result.output, result.error) == (b"null", "the call failed")


def test_what_the_services_own_tools_do_is_no_text():
    search = {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {}}
    told = [
        event(f"web_search_call.{state}", item_id="ws_1") for state in ("searching", "completed")
    ]
    assert_answers(lambda: iter(response((search, told), text("Hi"))), Answer("Hi", **DONE))


def test_kinds_that_are_not_known_are_left_alone():
    odd = ({"id": "x", "type": "later_item"}, [event("later.delta", delta="x", item_id="x")])
    events = [*response(odd, text("Hi")), {"type": "keepalive", "sequence_number": 99}]
    assert_answers(lambda: iter(events), Answer("Hi", **DONE))


def test_a_call_that_has_no_place_is_warned_of(caplog):
    click = {"id": "cu_1", "type": "computer_call", "call_id": "c", "action": {"type": "click"}}
    with caplog.at_level(logging.WARNING, "sse_bridge"):
        read(Auto(), *response((click, []), text("Hi")))
    assert [record.getMessage() for record in caplog.records] == [
        "left out, because it cannot be translated: an item of type computer_call of events of OpenAI's "
        "Responses API"
    ]


@pytest.mark.parametrize("form", [failing, breaking])
@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("rate_limit_exceeded", "rate_limited"),
        ("server_error", "upstream_error"),
        ("invalid_prompt", "bad_request"),
        ("context_length_exceeded", "context_too_long"),
        ("image_content_policy_violation", "content_filtered"),
    ],
)
def test_a_failure_is_told_with_its_code(form, word, code):
    assert_answers(lambda: iter(form(word)), Answer("Hel", code=code))


@pytest.mark.parametrize("adapter", ["auto", "openai-responses"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_failure_may_be_the_first_that_is_told(adapter, before):
    events = [*response()[:before], breaking("rate_limit_exceeded")[-1]]
    told, _ = in_delta(lambda: iter(events), adapter=adapter)
    assert told == Answer(code="rate_limited")


def test_a_failure_without_words_is_one():
    assert_answers(lambda: iter([life("failed", error=None)]), Answer(code="upstream_error"))


@pytest.mark.parametrize("kind", ["completed", "incomplete"])
@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_a_response_that_ends_otherwise_than_its_event_says_has_failed(kind, status):
    events = response(text("Hel"), end=kind, status=status)
    assert_answers(lambda: iter(events), Answer("Hel", code="upstream_error"))
    with pytest.raises(UpstreamError, match=f"the response (was )?{status}"):
        read(Auto(), life(kind, status=status))


def test_one_that_is_completed_and_incomplete_is_cut_short():
    details = {"reason": "max_output_tokens"}
    events = response(text("Hel"), status="incomplete", incomplete_details=details)
    assert_answers(lambda: iter(events), Answer("Hel", finish="length", usage=(7, 9, 16)))


def test_under_plain_no_response_tells_what_it_was_asked():
    asked = {
        **dict.fromkeys(("instructions", "input"), "a secret"),
        **{field: [{"name": "secret"}] for field in ("tools", "prompt", "input_messages")},
    }
    events = [life("created", **asked), *response(text("Hi"), **asked)[1:]]
    before = copy.deepcopy(events)
    said, _ = as_plain(lambda: iter(events))
    assert "secret" not in json.dumps(said)
    assert events == before
    kept = {name: value for name, value in events[-1]["response"].items() if name not in asked}
    assert said[1:-1] == [{**events[1], "response": said[1]["response"]}, *events[2:-1]]
    assert said[-1] == {**events[-1], "response": kept}


@pytest.mark.parametrize(
    "own",
    [
        {"type": "response.sources", "own": [1]},
        {"type": "keepalive"},
        {"type": "error", "message": "going on"},
        {"type": "response.error", "own": 1},
    ],
)
def test_what_an_app_gives_between_events_is_its_own(own):
    parts = read(Auto(), event("output_text.delta", delta="x", item_id="x"), own)
    assert [json.loads(part.json) for part in parts if type(part) is Value] == [own]


def test_events_may_have_a_name_and_what_they_say_and_nothing_else():
    bare = [event("output_text.delta", delta=piece) for piece in ("l", "lo")]
    events = [life("created"), event("output_text.delta", delta="He"), *bare]
    assert_answers(lambda: iter([*events, life("completed")]), Answer("Hello", finish="stop"))


def test_kinds_of_items_and_parts_that_nobody_knows_are_not_kept():
    def things(count):
        items = [{"type": f"kind{number}", "id": "x"} for number in range(count)]
        parts = [{"type": f"part{number}", "text": ""} for number in range(count)]
        message = {"type": "message", "content": parts}
        return [event("output_item.done", item=item) for item in (*items, message)]

    reader = ResponsesReader(Wish())
    for one in things(100):
        reader.read(one)
    assert reader._whole == {"message", "another"}
    assert_linear(lambda: ResponsesReader(Wish()).read, things, 100)


@pytest.mark.parametrize(
    "chunk",
    [
        {"type": "response.created"},
        {"type": "response.created", "response": "ours"},
        {"type": "response.created", "response": {"text": "ours"}},
        {"type": "response.output_text.delta", "delta": "x"},
        {"type": "response", "sequence_number": 1},
        {"type": "error", "message": "x"},
        {"type": ["response."], "item_id": "x"},
        {"sequence_number": 1, "item_id": "x"},
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_responses(chunk)


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes events of OpenAI's Responses API, got a dict"):
        read(Responses(), {"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        read(Responses(), {"error": {"message": "no credit"}})


def test_tokens_from_a_cache_and_of_thoughts_are_counted_apart():
    usage = read(Auto(), *response(text("Hi")))[-1]
    assert (usage.cached_tokens, usage.reasoning_tokens) == (5, 3)


ODD = [None, True, -1, 1.5, "x", [], {}, [None], {"type": []}, [{"type": "message"}], 10**30]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_no_field_is_trusted(odd):
    for one in [*ANSWER, *failing("x"), *breaking("x")]:
        for field in one:
            with contextlib.suppress(UpstreamError):
                ResponsesReader(Wish()).read({**one, field: odd})


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("kind", ["output_item.added", "output_item.done"])
def test_no_field_of_an_item_is_trusted(odd, kind):
    for item in ANSWER[-1]["response"]["output"]:
        for field in {*item} - {"type"}:
            changed = event(kind, item={**item, field: odd}, output_index=odd, item_id="x")
            read(Responses(), life("created"), changed)


def test_what_is_spoken_is_read_from_its_transcript():
    spoken = [event("audio.delta", delta="YXVkaW8="), event("audio.transcript.delta", delta="Hi")]
    events = [life("created"), *spoken, life("completed")]
    assert_answers(lambda: iter(events), Answer("Hi", finish="stop"))
