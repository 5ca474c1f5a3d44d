"""LangChain's messages and events, by its own package: sync and async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from recorded.langchain import ANSWER, SECOND, TOLD
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

vendor("langchain_core")

from langchain_core.language_models.fake import FakeStreamingListLLM  # noqa: E402
from langchain_core.language_models.fake_chat_models import (  # noqa: E402
    FakeListChatModel,
    GenericFakeChatModel,
)
from langchain_core.messages import AIMessage, ToolMessage  # noqa: E402
from langchain_core.output_parsers import StrOutputParser  # noqa: E402

from vendors.langchain_models import Recorded, Service  # noqa: E402


def raw(model: Any) -> Any:
    return model.stream("hi")


def raw_async(model: Any) -> Any:
    return model.astream("hi")


def events(model: Any) -> Any:
    return model.astream_events("hi", version="v2")


def dicts(model: Any) -> Any:
    return (chunk.model_dump() for chunk in model.stream("hi"))


every_way = pytest.mark.parametrize(
    "ask", [raw, raw_async, events, dicts], ids=lambda ask: ask.__name__
)
Ask = Callable[[Any], Any]


@every_way
@pytest.mark.parametrize("adapter", ["auto", "langchain"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    assert_answers(lambda: ask(Recorded(messages=[ANSWER])), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_chunk_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    said, summary = as_plain(lambda: ask(Recorded(messages=[ANSWER])))
    chunks = [one["data"]["chunk"] for one in said if "chunk" in one.get("data", {})] or said
    assert "".join(chunk["content"] for chunk in chunks if chunk["content"]) == "Hello"
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@every_way
@pytest.mark.parametrize("kind", ["generic", "list"])
def test_the_packages_own_fake_models_speak(ask: Ask, kind: str):
    def model() -> Any:
        if kind == "list":
            return FakeListChatModel(responses=["Hello you"])
        return GenericFakeChatModel(messages=iter([AIMessage("Hello you")]))

    assert_answers(lambda: ask(model()), Answer("Hello you"))


def test_a_model_of_text_is_heard_in_its_events():
    def ask() -> Any:
        return FakeStreamingListLLM(responses=["Hello"]).astream_events("hi", version="v2")

    assert_answers(ask, Answer("Hello"))


def test_a_chain_that_parses_to_text_gives_text():
    def ask() -> Any:
        return (Recorded(messages=[ANSWER]) | StrOutputParser()).stream("hi")

    assert_answers(ask, Answer("Hello"))


def test_two_messages_of_one_source_are_one_answer():
    def both() -> Any:
        model = Recorded(messages=[ANSWER, SECOND])
        yield from model.stream("hi")
        yield ToolMessage("30 degrees", tool_call_id="call_1")
        yield from model.stream("hi")

    told = TOLD._replace(
        text="HelloIt is hot.",
        finish="stop",
        usage=(14, 18, 32),
        results=(("call_1", "30 degrees"),),
    )
    assert_answers(both, told)


HALF = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}],
}
sdk_ways = pytest.mark.parametrize("ask", [raw, raw_async, events], ids=lambda ask: ask.__name__)


@sdk_ways
def test_an_error_of_the_service_in_mid_stream_is_a_failure_with_its_code(ask: Ask):
    error = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    with replay(as_events([HALF, error], named=False)) as url:
        assert_answers(lambda: ask(Service(url=url)), Answer("Hel", code="rate_limited"))


@sdk_ways
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask: Ask):
    with replay(as_events([HALF], named=False), cut=True) as url:
        answer, _ = in_delta(lambda: ask(Service(url=url)))
    assert (answer.text, answer.code) == ("Hel", "upstream_unreachable")


@sdk_ways
@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (401, "credentials_refused")])
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, code: str):
    with replay(b'{"error":{"message":"m"}}', "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(Service(url=url)))
    assert answer == Answer(code=code)
