"""Anthropic's events, by its own SDK: raw and helper streams, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.anthropic import ANSWER, TOLD, block, failing, start, stop, text
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

anthropic = vendor("anthropic")

ASK: dict[str, Any] = {
    "model": "claude",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "hi"}],
}


def raw(url: str) -> Iterator[Any]:
    with anthropic.Anthropic(api_key="x", base_url=url, max_retries=0) as client:
        yield from client.messages.create(**ASK, stream=True)


async def raw_async(url: str) -> AsyncIterator[Any]:
    async with anthropic.AsyncAnthropic(api_key="x", base_url=url, max_retries=0) as client:
        async for event in await client.messages.create(**ASK, stream=True):
            yield event


def helper(url: str) -> Iterator[Any]:
    with (
        anthropic.Anthropic(api_key="x", base_url=url, max_retries=0) as client,
        client.messages.stream(**ASK) as stream,
    ):
        yield from stream


async def helper_async(url: str) -> AsyncIterator[Any]:
    client = anthropic.AsyncAnthropic(api_key="x", base_url=url, max_retries=0)
    async with client, client.messages.stream(**ASK) as stream:
        async for event in stream:
            yield event


def dicts(url: str) -> Iterator[Any]:
    return (event.to_dict() for event in raw(url))


Ask = Callable[[str], Any]
WAYS = [raw, raw_async, helper, helper_async, dicts]
every_way = pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)


@every_way
@pytest.mark.parametrize("adapter", ["auto", "anthropic"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(as_events(ANSWER)) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_event_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    with replay(as_events(ANSWER)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert [event["type"] for event in said if event["type"] in ("message_start", "message_stop")]
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("refusal", "content_filter"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause_turn"),
    ],
)
def test_a_reason_to_stop_is_told_in_the_words_that_clients_know(reason: str, finish: str):
    with replay(as_events([start(), *text(0, "Hello"), *stop(reason)])) as url:
        assert_answers(lambda: raw(url), Answer("Hello", finish=finish, usage=(7, 9, 16)))


def test_what_a_tool_of_the_services_finds_and_the_answer_cites_are_sources():
    found = {"type": "web_search_result", "url": "https://a.test/", "title": "A"}
    citation = {
        "type": "web_search_result_location",
        "url": "https://b.test/",
        "title": "B",
        "cited_text": "b",
        "encrypted_index": "x",
    }
    results = {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [found]}
    events = [
        start(),
        *block(0, "server_tool_use", [], id="srv_1", name="web_search", input={"query": "b"}),
        {"type": "content_block_start", "index": 1, "content_block": results},
        {"type": "content_block_stop", "index": 1},
        *block(2, "text", [{"type": "citations_delta", "citation": citation}], text=""),
        *text(3, "It is b."),
        *stop("end_turn"),
    ]
    told = Answer(
        "It is b.",
        calls=(("srv_1", "web_search", '{"query":"b"}'),),
        finish="stop",
        usage=(7, 9, 16),
        sources=("https://a.test/", "https://b.test/"),
    )
    with replay(as_events(events)) as url:
        answer, _ = in_delta(lambda: raw(url))
    [(id_, output)] = answer.results
    assert (id_, output[0]["url"]) == ("srv_1", "https://a.test/")
    assert answer._replace(results=()) == told


def test_two_messages_of_one_source_are_one_answer():
    def both(url: str) -> Iterator[Any]:
        yield from raw(url)
        yield from raw(url)

    call = TOLD.calls[0]
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=(call, call), usage=(14, 18, 32)
    )
    with replay(as_events(ANSWER)) as url:
        assert_answers(lambda: both(url), twice)


@every_way
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "rate_limited"),
        ("api_error", "upstream_error"),
        ("authentication_error", "credentials_refused"),
        ("invalid_request_error", "bad_request"),
    ],
)
def test_an_error_in_mid_stream_is_a_failure_with_its_code(ask: Ask, kind: str, code: str):
    with replay(as_events(failing(kind))) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code=code))
    assert summary.ending is Ending.FAILED


def test_an_error_in_mid_stream_is_one_in_dicts_as_well():
    def read(url: str) -> Iterator[Any]:
        import httpx
        from httpx_sse import connect_sse

        with httpx.Client() as client, connect_sse(client, "POST", url) as source:
            yield from (event.json() for event in source.iter_sse())

    with replay(as_events(failing("overloaded_error"))) as url:
        assert_answers(lambda: read(url), Answer("Hel", code="overloaded"))


@every_way
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    with replay(as_events([start(), *text(0, "Hel")]), cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer.text == "Hel"
    assert answer.code == "upstream_unreachable"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, "rate_limit_error", "rate_limited"),
        (529, "overloaded_error", "overloaded"),
        (401, "authentication_error", "credentials_refused"),
    ],
)
@pytest.mark.parametrize("ask", [raw, raw_async])
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, kind: str, code: str):
    error = b'{"type":"error","error":{"type":"%b","message":"m"}}' % kind.encode()
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)
