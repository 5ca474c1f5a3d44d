"""Mistral's events, by its own SDK, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.mistral import ANSWER, COUNTS, FAILURE, START, TOLD, chunk
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

mistralai = vendor("mistralai.client")

DONE = b"data: [DONE]\n\n"
ASK: dict[str, Any] = {"model": "mistral", "messages": [{"role": "user", "content": "hi"}]}


def wire(chunks: list[dict[str, Any]]) -> bytes:
    return as_events(chunks, named=False)


def sdk(url: str) -> Iterator[Any]:
    with (
        mistralai.Mistral(api_key="x", server_url=url) as client,
        client.chat.stream(**ASK) as stream,
    ):
        yield from stream


async def sdk_async(url: str) -> AsyncIterator[Any]:
    async with (
        mistralai.Mistral(api_key="x", server_url=url) as client,
        await client.chat.stream_async(**ASK) as stream,
    ):
        async for event in stream:
            yield event


def chunks_of(url: str) -> Iterator[Any]:
    return (event.data for event in sdk(url))


Ask = Callable[[str], Any]
WAYS = [sdk, sdk_async, chunks_of]
every_way = pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)


@every_way
@pytest.mark.parametrize("adapter", ["auto", "mistral"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(wire(ANSWER) + DONE) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_chunk_is_as_it_came_and_the_summary_knows_the_rest(ask: Ask):
    with replay(wire(ANSWER) + DONE) as url:
        said, summary = as_plain(lambda: ask(url))
    assert said == ANSWER
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize("reason", ["stop", "length", "later_reason"])
def test_a_reason_to_stop_is_told(reason: str):
    said = [START, chunk(content="Hello"), chunk(reason, content="", usage=COUNTS)]
    with replay(wire(said) + DONE) as url:
        assert_answers(lambda: sdk(url), Answer("Hello", finish=reason, usage=(7, 9, 16)))


@pytest.mark.parametrize("ask", [sdk, sdk_async])
def test_an_error_in_mid_stream_is_a_failure_with_its_code(ask: Ask):
    with replay(wire([START, chunk(content="Hel"), FAILURE])) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code="rate_limited"))
    assert summary.ending is Ending.FAILED


@every_way
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    with replay(wire([START, chunk(content="Hel")]), cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer.text == "Hel"
    assert answer.code == "upstream_unreachable"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (429, "rate_limited", "rate_limited"),
        (503, "service_unavailable", "overloaded"),
        (401, "unauthorized", "credentials_refused"),
        (400, "context_length_exceeded", "context_too_long"),
    ],
)
@pytest.mark.parametrize("ask", [sdk, sdk_async])
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, kind: str, code: str):
    error = b'{"object":"error","message":"m","type":"%b","code":"1"}' % kind.encode()
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)
