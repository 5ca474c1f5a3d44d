"""Ollama's chunks, by its own SDK: chat and generate, sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.ollama import (
    ANSWER,
    FAILING,
    GENERATED,
    GENERATED_TOLD,
    TOLD,
    says,
    stop,
)
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_lines, replay

ollama = vendor("ollama")

LINES = "application/x-ndjson"
MESSAGES = [{"role": "user", "content": "hi"}]
Ask = Callable[[str], Any]


def chat(url: str) -> Iterator[Any]:
    with ollama.Client(host=url) as client:
        yield from client.chat("qwen3", MESSAGES, stream=True)


async def chat_async(url: str) -> AsyncIterator[Any]:
    async with ollama.AsyncClient(host=url) as client:
        async for chunk in await client.chat("qwen3", MESSAGES, stream=True):
            yield chunk


def chat_dicts(url: str) -> Iterator[Any]:
    return (chunk.model_dump() for chunk in chat(url))


def generate(url: str) -> Iterator[Any]:
    with ollama.Client(host=url) as client:
        yield from client.generate("qwen3", "hi", stream=True)


async def generate_async(url: str) -> AsyncIterator[Any]:
    async with ollama.AsyncClient(host=url) as client:
        async for chunk in await client.generate("qwen3", "hi", stream=True):
            yield chunk


def named(*ways: Ask) -> Any:
    return pytest.mark.parametrize("ask", ways, ids=lambda ask: ask.__name__)


every_chat = named(chat, chat_async, chat_dicts)


@every_chat
@pytest.mark.parametrize("adapter", ["auto", "ollama"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(as_lines(ANSWER), LINES) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@named(generate, generate_async)
@pytest.mark.parametrize("adapter", ["auto", "ollama"])
def test_so_is_one_that_is_generated(ask: Ask, adapter: str):
    with replay(as_lines(GENERATED), LINES) as url:
        assert_answers(lambda: ask(url), GENERATED_TOLD, adapter=adapter)


@every_chat
def test_under_plain_each_chunk_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    with replay(as_lines(ANSWER), LINES) as url:
        said, summary = as_plain(lambda: ask(url))
    assert [chunk["message"].get("content") for chunk in said][2:4] == ["Hel", "lo"]
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize("reason", ["stop", "length"])
def test_a_reason_to_stop_is_told(reason: str):
    with replay(as_lines([says("Hello"), stop(reason)]), LINES) as url:
        assert_answers(lambda: chat(url), Answer("Hello", finish=reason, usage=(7, 9, 16)))


def test_two_answers_of_one_source_are_one():
    def both(url: str) -> Iterator[Any]:
        yield from chat(url)
        yield from chat(url)

    call = TOLD.calls[0]
    twice = TOLD._replace(
        text="HelloHello", reasoning=TOLD.reasoning * 2, calls=(call, call), usage=(14, 18, 32)
    )
    with replay(as_lines(ANSWER), LINES) as url:
        assert_answers(lambda: both(url), twice)


@named(chat, chat_async)
def test_an_error_in_mid_stream_is_a_failure(ask: Ask):
    with replay(as_lines(FAILING), LINES) as url:
        summary = assert_answers(lambda: ask(url), Answer("Hel", code="upstream_error"))
    assert summary.ending is Ending.FAILED


@named(chat, chat_async)
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    with replay(as_lines([says("Hel")]), LINES, cut=True) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer("Hel", code="upstream_unreachable")


@named(chat, chat_async)
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "rate_limited"),
        (503, "overloaded"),
        (401, "credentials_refused"),
        (404, "bad_request"),
        (500, "upstream_error"),
    ],
)
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, code: str):
    with replay(b'{"error": "m"}', "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)


@named(chat, chat_async)
def test_no_server_at_all_is_a_failure(ask: Ask):
    with replay(b"") as url:
        pass
    answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code="upstream_unreachable")
