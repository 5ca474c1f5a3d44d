"""huggingface_hub's tokens and chunks, by its own clients, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.huggingface import ANSWER, TOLD, failure, token
from recorded.mistral import COUNTS, chunk
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

hub = vendor("huggingface_hub")

DONE = b"data: [DONE]\n\n"
Ask = Callable[[str], Any]
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "stream": True}


def wire(events: list[dict[str, Any]]) -> bytes:
    return as_events(events, named=False)


def generation(url: str) -> Iterator[Any]:
    with hub.InferenceClient(model=url) as client:
        yield from client.text_generation("hi", stream=True, details=True)


async def generation_async(url: str) -> AsyncIterator[Any]:
    async with hub.AsyncInferenceClient(model=url) as client:
        async for one in await client.text_generation("hi", stream=True, details=True):
            yield one


def texts(url: str) -> Iterator[str]:
    with hub.InferenceClient(model=url) as client:
        yield from client.text_generation("hi", stream=True)


def chat(url: str) -> Iterator[Any]:
    with hub.InferenceClient(base_url=url, api_key="x") as client:
        yield from client.chat_completion(**ASK)


async def chat_async(url: str) -> AsyncIterator[Any]:
    async with hub.AsyncInferenceClient(base_url=url, api_key="x") as client:
        async for one in await client.chat_completion(**ASK):
            yield one


generations = pytest.mark.parametrize("ask", [generation, generation_async])
chats = pytest.mark.parametrize("ask", [chat, chat_async])


# -- text_generation -------------------------------------------------------------------------------


@generations
@pytest.mark.parametrize("adapter", ["auto", "huggingface"])
def test_tokens_with_details_are_an_answer_in_every_dialect(ask: Ask, adapter: str):
    with replay(wire(ANSWER)) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@generations
def test_under_plain_each_token_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    with replay(wire(ANSWER)) as url:
        said, summary = as_plain(lambda: ask(url))
    assert [one["token"]["text"] for one in said] == ["Hel", "lo", "</s>"]
    assert summary.finish_reason == "stop"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


def test_without_details_the_client_gives_mere_text():
    with replay(wire(ANSWER[:2])) as url:
        answer, _ = in_delta(lambda: texts(url))
    assert answer == Answer("Hello")


@generations
@pytest.mark.parametrize(
    ("kind", "code"), [("overloaded", "overloaded"), ("generation", "upstream_error")]
)
def test_an_error_among_tokens_is_a_failure_with_its_code(ask: Ask, kind: str, code: str):
    with replay(wire([token("Hel"), failure(kind)])) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code=code))
    assert summary.ending is Ending.FAILED


# -- chat_completion -------------------------------------------------------------------------------

FIRST = {"name": "weather", "arguments": '{"city": '}
MORE = {"arguments": '"Rome"}'}
CHUNKS = [
    chunk(role="assistant", content="", reasoning_content="Let me "),
    chunk(role="assistant", content="", reasoning_content="see."),
    chunk(content="Hel"),
    chunk(content="lo"),
    chunk(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": FIRST}]),
    chunk("tool_calls", tool_calls=[{"index": 0, "function": MORE}]),
    {**chunk(usage=COUNTS), "choices": []},
]
CHATTED = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("call_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)


@chats
@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_chunks_of_a_chat_are_openais_with_what_their_classes_do_not_name(ask: Ask, adapter: str):
    with replay(wire(CHUNKS) + DONE) as url:
        assert_answers(lambda: ask(url), CHATTED, adapter=adapter)


@chats
def test_under_plain_each_chunk_is_its_json_with_what_its_class_does_not_name(ask: Ask):
    with replay(wire(CHUNKS) + DONE) as url:
        said, summary = as_plain(lambda: ask(url))
    thoughts = [one["choices"][0]["delta"].get("reasoning_content") for one in said[:2]]
    assert thoughts == ["Let me ", "see."]
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@chats
def test_an_error_among_chunks_is_a_failure_with_its_code(ask: Ask):
    with replay(wire([*CHUNKS[2:3], failure("overloaded")])) as url:
        assert_answers(lambda: ask(url), Answer("Hel", code="overloaded"))


# -- both ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ask", "first"),
    [
        (generation, ANSWER[0]),
        (generation_async, ANSWER[0]),
        (chat, CHUNKS[2]),
        (chat_async, CHUNKS[2]),
    ],
)
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask, first: dict[str, Any]):
    with replay(wire([first]), cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer("Hel", code="upstream_unreachable")


@pytest.mark.parametrize("ask", [generation, generation_async, chat, chat_async])
@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "rate_limited"), (503, "overloaded"), (401, "credentials_refused")],
)
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, code: str):
    error = b'{"error":"m","error_type":"generation"}'
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)
