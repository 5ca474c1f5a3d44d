"""Bedrock's events by their shape, without boto3: see vendors/test_bedrock.py for that."""

from __future__ import annotations

import pytest

from chunks import read
from recorded.bedrock import ANSWER, START, TOLD, block, call, delta, failure, stop, text
from sse_bridge import UpstreamError
from sse_bridge.adapters import Auto, Bedrock
from sse_bridge.adapters.bedrock import looks_like_bedrock
from told import Answer, as_plain, assert_answers, in_delta


@pytest.mark.parametrize("adapter", ["auto", "bedrock", Bedrock()])
def test_events_are_an_answer(adapter):
    assert_answers(lambda: iter(ANSWER), TOLD, adapter=adapter)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (failure("throttlingException"), "rate_limited"),
        (failure("serviceUnavailableException"), "overloaded"),
        (failure("internalServerException"), "upstream_error"),
        (failure("modelStreamErrorException"), "upstream_error"),
        (failure("modelStreamErrorException", originalStatusCode=429), "rate_limited"),
        (failure("modelTimeoutException"), "upstream_timeout"),
        (failure("validationException"), "bad_request"),
        ({"validationException": {"message": "Input is too long"}}, "context_too_long"),
    ],
)
@pytest.mark.parametrize("adapter", ["auto", "bedrock"])
def test_a_failure_in_band_is_told_with_its_code(adapter, told, code):
    said = [START, *text(0, "Hel")]
    assert_answers(lambda: iter([*said, told]), Answer("Hel", code=code), adapter=adapter)
    assert_answers(lambda: iter([told]), Answer(code=code), adapter=adapter)


def test_calls_of_several_messages_are_numbered_through_and_their_tokens_added_up():
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=TOLD.calls * 2, usage=(14, 18, 32)
    )
    assert_answers(lambda: iter(ANSWER * 2), twice)


def test_calls_of_one_message_may_be_mixed():
    one, other = call(0, "1", id_="a"), call(1, "2", id_="b")
    events = [START, one[0], other[0], *other[1:], *one[1:], *stop("tool_use")]
    calls = (("a", "weather", "1"), ("b", "weather", "2"))
    assert_answers(lambda: iter(events), Answer("", "", calls, "tool_calls", (7, 9, 16)))


def test_what_a_tool_of_the_services_gives_is_a_result():
    pieces = ({"toolResult": [{"text": "it "}]}, {"toolResult": [{"text": "rains"}]})
    ran = block(0, *pieces, toolResult={"toolUseId": "t", "type": "x", "status": "success"})
    failed = block(
        1, {"toolResult": [{"json": {"x": 1}}]}, toolResult={"toolUseId": "u", "status": "error"}
    )
    answer, _ = in_delta(lambda: iter([START, *ran, *failed, *stop("end_turn")]))
    assert answer.results == (("t", "it rains"), ("u", [{"json": {"x": 1}}]))
    errors = [getattr(part, "error", None) for part in read(Auto(), START, *failed)]
    assert errors == ["the tool failed"]


def test_a_citation_of_the_web_is_a_source():
    web = {"title": "A", "location": {"web": {"url": "https://a.test/", "domain": "a.test"}}}
    page = {"title": "B", "location": {"documentPage": {"documentIndex": 0, "start": 1, "end": 2}}}
    events = [START, *block(0, {"text": "x"}, {"citation": web}, {"citation": page})]
    told = Answer("x", finish="stop", usage=(7, 9, 16), sources=("https://a.test/",))
    assert_answers(lambda: iter([*events, *stop("end_turn")]), told)


def test_an_image_is_a_file_when_it_is_whole_and_is_no_error_where_chunks_go_as_json():
    pieces = [{"image": {"source": {"bytes": piece}}} for piece in (b"\xff\xd8", b"\xff")]
    events = [START, *block(0, *pieces, image={"format": "jpeg"}), *stop("end_turn")]
    answer, _ = in_delta(lambda: iter(events))
    assert answer.files == (("data:image/jpeg;base64,/9j/", "image/jpeg"),)
    said, _ = as_plain(lambda: iter(events))
    assert START in said


def test_kinds_that_are_not_known_are_left_alone():
    odd = [{"laterKind": {"x": 1}}, delta(0, later={"x": 1}), *block(1, later={"x": 1})]
    told = Answer("Hi", finish="stop", usage=(7, 9, 16))
    events = [START, *odd, *text(2, "Hi"), *stop("end_turn")]
    assert_answers(lambda: iter(events), told, adapter="bedrock")


@pytest.mark.parametrize(
    "chunk",
    [
        {"messageStart": {}},
        {"messageStart": "assistant"},
        {"messageStart": {"role": "assistant"}, "more": 1},
        {"metadata": {"usage": {"inputTokens": 1}}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"contentBlockDelta": {"text": "x"}},
        {"throttlingException": "x"},
        {},
        ["messageStart"],
    ],
)
def test_what_an_app_may_have_made_itself_is_not_taken_for_one(chunk):
    assert not looks_like_bedrock(chunk)


@pytest.mark.parametrize(
    "odd",
    [
        {"contentBlockStart": {"start": 1}},
        {"contentBlockStart": {"start": {"toolUse": []}, "contentBlockIndex": [0]}},
        {"contentBlockDelta": {"delta": {"text": ["x"]}, "contentBlockIndex": {}}},
        {"contentBlockDelta": {"delta": {"image": 1, "citation": 2, "toolResult": 3}}},
        {"contentBlockStop": {}},
        {"messageStop": {"stopReason": 1}},
        {"metadata": {"usage": "x"}},
    ],
)
def test_odd_events_are_no_error(odd):
    read(Bedrock(), START, odd)


def test_something_else_is_an_error_that_names_what_is_taken():
    with pytest.raises(TypeError, match="takes events of Bedrock's ConverseStream"):
        read(Bedrock(), {"text": "x"})


def test_a_refusal_in_its_place_is_that_failure():
    with pytest.raises(UpstreamError, match="no credit"):
        read(Bedrock(), {"error": {"message": "no credit"}})


def test_tokens_from_a_cache_are_counted_apart():
    parts = read(Auto(), START, *text(0, "Hi"), *stop("end_turn", cacheReadInputTokens=5))
    assert (parts[-1].input_tokens, parts[-1].cached_tokens, parts[-1].total_tokens) == (7, 5, 16)
