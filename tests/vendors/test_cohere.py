"""Cohere's events, by its own SDK, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.cohere import ANSWER, START, TOLD, cite, end, text
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

cohere = vendor("cohere")
httpx = vendor("httpx")

ASK: dict[str, Any] = {
    "model": "command",
    "messages": [{"role": "user", "content": "hi"}],
    "request_options": {"max_retries": 0},
}


def sdk(url: str) -> Iterator[Any]:
    with httpx.Client() as http:
        yield from cohere.ClientV2("x", base_url=url, httpx_client=http).chat_stream(**ASK)


async def sdk_async(url: str) -> AsyncIterator[Any]:
    async with httpx.AsyncClient() as http:
        client = cohere.AsyncClientV2("x", base_url=url, httpx_client=http)
        async for event in client.chat_stream(**ASK):
            yield event


def dicts(url: str) -> Iterator[Any]:
    return (event.model_dump() for event in sdk(url))


Ask = Callable[[str], Any]
every_way = pytest.mark.parametrize("ask", [sdk, sdk_async, dicts], ids=lambda ask: ask.__name__)


@every_way
@pytest.mark.parametrize("adapter", ["auto", "cohere"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(as_events(ANSWER)) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_event_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    with replay(as_events(ANSWER)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert [event["type"] for event in said] == [event["type"] for event in ANSWER]
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("COMPLETE", "stop"), ("STOP_SEQUENCE", "stop"), ("MAX_TOKENS", "length")],
)
def test_a_reason_to_stop_is_told_in_the_words_that_clients_know(reason: str, finish: str):
    with replay(as_events([START, *text(0, "Hello"), *end(reason)])) as url:
        assert_answers(lambda: sdk(url), Answer("Hello", finish=finish, usage=(7, 9, 16)))


def test_what_the_answer_cites_is_a_source():
    document = {"type": "document", "id": "d", "document": {"url": "https://a.test/", "title": "A"}}
    events = [START, *text(0, "It is."), *cite(0, document), *end("COMPLETE")]
    told = Answer("It is.", finish="stop", usage=(7, 9, 16), sources=("https://a.test/",))
    with replay(as_events(events)) as url:
        assert_answers(lambda: sdk(url), told)


def test_two_messages_of_one_source_are_one_answer():
    def both(url: str) -> Iterator[Any]:
        yield from sdk(url)
        yield from sdk(url)

    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=TOLD.calls * 2, usage=(14, 18, 32)
    )
    with replay(as_events(ANSWER)) as url:
        assert_answers(lambda: both(url), twice)


@every_way
@pytest.mark.parametrize(
    ("reason", "code"), [("ERROR", "upstream_error"), ("TIMEOUT", "upstream_timeout")]
)
def test_an_error_in_mid_stream_is_a_failure_with_its_code(ask: Ask, reason: str, code: str):
    with replay(as_events([START, *text(0, "Hel"), *end(reason, error="words")])) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code=code))
    assert summary.ending is Ending.FAILED


@pytest.mark.parametrize("ask", [sdk, sdk_async])
def test_a_failure_that_the_sdk_takes_for_a_start_is_one(ask: Ask):
    failure = b'data: {"message":"too many requests","status":429}\n\n'
    with replay(as_events([START, *text(0, "Hel")]) + failure) as url:
        assert_answers(lambda: ask(url), Answer("Hel", code="rate_limited"))
    with replay(failure) as url:
        assert_answers(lambda: ask(url), Answer(code="rate_limited"))


@every_way
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    with replay(as_events([START, *text(0, "Hel")]), cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer.text == "Hel"
    assert answer.code == "upstream_unreachable"


@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "rate_limited"), (503, "overloaded"), (401, "credentials_refused")],
)
@pytest.mark.parametrize("ask", [sdk, sdk_async])
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, code: str):
    with replay(b'{"message":"m"}', "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)
