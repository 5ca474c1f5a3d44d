"""LlamaIndex's responses and events, by its own package: sync and async."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from chunks import read
from recorded.llamaindex import AGENT_TOLD, ANSWER, TOLD, USAGE
from sse_bridge.adapters import Auto
from sse_bridge.parts import Value
from sse_bridge.wsgi import stream
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

vendor("llama_index.core")
openai = vendor("openai")

from llama_index.core.agent.workflow import AgentStream, FunctionAgent  # noqa: E402
from llama_index.core.base.llms.types import (  # noqa: E402
    ChatMessage,
    ChatResponse,
    ToolCallBlock,
)
from llama_index.core.base.response.schema import (  # noqa: E402
    AsyncStreamingResponse,
    StreamingResponse,
)
from llama_index.core.chat_engine.types import StreamingAgentChatResponse  # noqa: E402
from llama_index.core.llms import MockLLM  # noqa: E402
from llama_index.core.llms.mock import MockFunctionCallingLLM  # noqa: E402
from llama_index.core.workflow import StopEvent  # noqa: E402

# Its workflows look at all that a pydantic class has, what is deprecated too.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


class Recorded(MockFunctionCallingLLM):
    """Gives one recorded answer after the other."""

    answers: list[Any]

    def stream_chat(self, *_: Any, **more: Any) -> Iterator[Any]:
        return map(ChatResponse.model_validate, self.answers.pop(0))

    async def astream_chat(self, *_: Any, **more: Any) -> AsyncIterator[Any]:
        async def answer() -> AsyncIterator[Any]:
            for one in self.answers.pop(0):
                yield ChatResponse.model_validate(one)

        return answer()


def raw(llm: Any) -> Any:
    return llm.stream_chat([ChatMessage("hi")])


async def raw_async(llm: Any) -> Any:
    async for one in await llm.astream_chat([ChatMessage("hi")]):
        yield one


def dicts(llm: Any) -> Any:
    return (one.model_dump() for one in raw(llm))


every_way = pytest.mark.parametrize("ask", [raw, raw_async, dicts], ids=lambda ask: ask.__name__)


@every_way
@pytest.mark.parametrize("adapter", ["auto", "llamaindex"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(ask, adapter):
    assert_answers(lambda: ask(Recorded(answers=[ANSWER])), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_response_is_its_json_and_the_summary_knows_the_rest(ask):
    said, summary = as_plain(lambda: ask(Recorded(answers=[ANSWER])))
    assert "".join(one["delta"] for one in said) == "Hello"
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


@pytest.mark.parametrize("ask", [raw, raw_async], ids=lambda ask: ask.__name__)
def test_the_packages_own_mock_speaks(ask):
    assert_answers(lambda: ask(MockLLM(max_tokens=3)), Answer("text text text"))


def test_completions_are_read_sync_and_async():
    async def later() -> Any:
        async for one in await MockLLM().astream_complete("Hello"):
            yield one

    assert_answers(lambda: MockLLM().stream_complete("Hello"), Answer("Hello"))
    assert_answers(later, Answer("Hello"))
    assert_answers(lambda: iter([MockLLM().complete("Hello")]), Answer("Hello"))


def weather(city: str) -> str:
    """The weather."""
    return "30 degrees"


def agent() -> Any:
    last = {
        **ANSWER[3],
        "delta": "It is hot.",
        "raw": {"id": "2", "usage": USAGE, "choices": [{"finish_reason": "stop"}]},
    }
    return FunctionAgent(tools=[weather], llm=Recorded(answers=[ANSWER, [last]]), name="a")


async def all_events() -> Any:
    async for event in agent().run(user_msg="hi").stream_events():
        yield event


async def only_words() -> Any:
    async for event in all_events():
        if isinstance(event, AgentStream):
            yield event


AGENTS_CALL = (("call_1", "weather", '{"city":"Rome"}'),)


@pytest.mark.parametrize("adapter", ["auto", "llamaindex"])
def test_an_agents_run_is_one_answer(adapter):
    assert_answers(all_events, AGENT_TOLD, adapter=adapter)
    assert_answers(only_words, AGENT_TOLD._replace(results=()), adapter=adapter)


class MyStop(StopEvent):
    answer: str


@pytest.mark.parametrize("own", [MyStop(answer="own"), StopEvent(result="own")])
def test_a_workflows_own_last_event_is_the_apps(own):
    said = [AgentStream(delta="Hi", response="Hi", current_agent_name="a")]
    written = Value(own.model_dump_json().encode())
    assert read(Auto(), *said, own) == ["Hi", written]
    assert read(Auto(), own, *said) == [written, "Hi"]


def test_an_agents_run_is_json_under_plain():
    said, summary = as_plain(all_events)
    assert "".join(one["delta"] for one in said if "delta" in one) == "HelloIt is hot."
    assert (len(said), summary.finish_reason) == (summary.chunks, "stop")
    assert not any("input" in one for one in said)


def test_the_packages_own_function_calling_mock_runs_an_agent():
    def now(zone: str = "UTC") -> str:
        """The time."""
        return "noon"

    async def events() -> Any:
        made = FunctionAgent(tools=[now], llm=MockFunctionCallingLLM(), name="a")
        async for event in made.run(user_msg="hi").stream_events():
            yield event

    answer, _ = in_delta(events)
    assert answer.text == "Tool calls complete."
    assert [call[1:] for call in answer.calls] == [("now", '{"zone":"UTC"}')]
    assert answer.results == ((answer.calls[0][0], "noon"),)


def test_a_response_that_holds_its_chunks_says_where_they_are():
    async def later() -> Any:
        yield "Hello"

    held = StreamingResponse(iter(["Hel", "lo"]))
    for response in (held, AsyncStreamingResponse(later()), StreamingAgentChatResponse()):
        with pytest.raises(TypeError, match="its chunks are in its response_gen: give that"):
            stream(response, {})
    answer, _ = in_delta(lambda: held.response_gen)
    assert answer == Answer("Hello")


# -- failures --------------------------------------------------------------------------------------


class Service(MockFunctionCallingLLM):
    """Asks a service that speaks OpenAI's protocol, as the packages of LlamaIndex's integrations do."""

    url: str

    def stream_chat(self, *_: Any, **more: Any) -> Iterator[Any]:
        with (
            openai.OpenAI(api_key="x", base_url=self.url, max_retries=0) as client,
            client.chat.completions.create(model="m", messages=[], stream=True) as stream,
        ):
            text = ""
            for chunk in stream:
                delta = chunk.choices[0].delta.content or ""
                text += delta
                message = ChatMessage(text, role="assistant")
                yield ChatResponse(message=message, delta=delta, raw=chunk)

    async def astream_chat(self, *_: Any, **more: Any) -> AsyncIterator[Any]:
        async def answer() -> AsyncIterator[Any]:
            for one in self.stream_chat():
                yield one

        return answer()


async def in_an_agent(llm: Any) -> Any:
    async for event in FunctionAgent(llm=llm, name="a").run(user_msg="hi").stream_events():
        yield event


HALF = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hel"}, "finish_reason": None}],
}
sdk_ways = pytest.mark.parametrize(
    "ask", [raw, raw_async, in_an_agent], ids=lambda ask: ask.__name__
)


@sdk_ways
def test_an_error_of_the_service_in_mid_stream_is_a_failure_with_its_code(ask):
    error = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    with replay(as_events([HALF, error], named=False)) as url:
        assert_answers(lambda: ask(Service(url=url)), Answer("Hel", code="rate_limited"))


@sdk_ways
def test_a_connection_that_breaks_in_mid_stream_is_a_failure(ask):
    with replay(as_events([HALF], named=False), cut=True) as url:
        answer, _ = in_delta(lambda: ask(Service(url=url)))
    assert (answer.text, answer.code) == ("Hel", "upstream_unreachable")


@sdk_ways
@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (401, "credentials_refused")])
def test_a_refused_request_is_a_failure_with_its_code(ask, status, code):
    with replay(b'{"error":{"message":"m"}}', "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(Service(url=url)))
    assert answer == Answer(code=code)


def test_two_answers_of_one_source_are_one():
    other = ToolCallBlock(tool_call_id="call_2", tool_name="now", tool_kwargs={})

    def both() -> Any:
        yield from raw(Recorded(answers=[ANSWER]))
        message = ChatMessage(role="assistant", blocks=[other])
        yield ChatResponse(message=message, delta="", raw={"id": "2", "usage": USAGE})

    calls = (*TOLD.calls, ("call_2", "now", "{}"))
    # The second tells no reason to finish, and the first one's is not the answer's.
    told = TOLD._replace(calls=calls, finish=None, usage=(14, 18, 32))
    answer, _ = in_delta(both)
    assert answer == told
