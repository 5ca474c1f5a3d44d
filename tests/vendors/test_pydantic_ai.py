"""A pydantic-ai agent's run, by the package itself: its models for tests, real tools, real failures."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from chunks import read
from sse_bridge import Ending
from sse_bridge.adapters import Auto
from sse_bridge.parts import Data
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

pydantic_ai = vendor("pydantic_ai")
exceptions = vendor("pydantic_ai.exceptions")
function = vendor("pydantic_ai.models.function")
messages = vendor("pydantic_ai.messages")
models = vendor("pydantic_ai.models.test")
openai = vendor("openai")
over_openai = vendor("pydantic_ai.models.openai")
provider = vendor("pydantic_ai.providers.openai")

THE_PROMPT = "be brief"
ROME = '{"city": "Rome"}'


async def say(history: list[Any], info: Any) -> AsyncIterator[Any]:
    """A model that thinks and calls its tool, then speaks."""
    if len(history) == 1:
        yield {0: function.DeltaThinkingPart(content="Let me ")}
        yield {0: function.DeltaThinkingPart(content="see.")}
        yield {1: function.DeltaToolCall(name="weather", json_args='{"city": ', tool_call_id="c1")}
        yield {1: function.DeltaToolCall(json_args='"Rome"}')}
    else:
        yield "Hel"
        yield "lo"


def make_agent(model: Any = None, **options: Any) -> Any:
    model = function.FunctionModel(stream_function=say) if model is None else model
    agent = pydantic_ai.Agent(model, system_prompt=THE_PROMPT, **options)

    @agent.tool_plain
    def weather(city: str) -> dict[str, Any]:
        if city == "Bonn":
            raise pydantic_ai.ModelRetry("no such city")
        return {"sky": "blue", "at": datetime.date(2026, 11, 28)}

    return agent


async def events_of(agent: Any) -> AsyncIterator[Any]:
    async with agent.run_stream_events("hi") as events:
        async for event in events:
            yield event


async def nodes_of(agent: Any) -> AsyncIterator[Any]:
    async with agent.iter("hi") as run:
        async for node in run:
            if agent.is_model_request_node(node) or agent.is_call_tools_node(node):
                async with node.stream(run.ctx) as stream:
                    async for event in stream:
                        yield event


async def handled_of(agent: Any) -> AsyncIterator[Any]:
    heard: list[Any] = []

    async def handle(context: Any, events: Any) -> None:
        heard.extend([event async for event in events])

    await agent.run("hi", event_stream_handler=handle)
    for event in heard:
        yield event


async def dicts_of(agent: Any) -> AsyncIterator[Any]:
    import pydantic

    adapter: Any = pydantic.TypeAdapter(messages.AgentStreamEvent | pydantic_ai.AgentRunResultEvent)
    async for event in events_of(agent):
        yield adapter.dump_python(event, mode="json")


Ask = Callable[[Any], AsyncIterator[Any]]
WHOLE = [events_of, dicts_of]
every_way = pytest.mark.parametrize(
    "ask", [*WHOLE, nodes_of, handled_of], ids=lambda ask: ask.__name__
)
FOUND = {"sky": "blue", "at": "2026-11-28"}
TOLD = Answer(
    "Hello",
    "Let me see.",
    calls=(("c1", "weather", ROME),),
    finish="stop",
    results=(("c1", FOUND),),
)


@pytest.mark.parametrize("ask", WHOLE)
@pytest.mark.parametrize("adapter", ["auto", "pydantic-ai"])
def test_a_run_that_thinks_calls_and_speaks_is_the_same_in_every_dialect(ask: Ask, adapter: str):
    told, _ = in_delta(lambda: ask(make_agent()), adapter=adapter)
    assert told.usage is not None
    assert told._replace(usage=None) == TOLD
    assert_answers(lambda: ask(make_agent()), TOLD._replace(usage=told.usage), adapter=adapter)


@pytest.mark.parametrize("ask", [nodes_of, handled_of])
def test_a_run_without_its_result_tells_all_but_its_end(ask: Ask):
    told, summary = in_delta(lambda: ask(make_agent()))
    assert told == TOLD._replace(finish=None)
    assert summary.ending is Ending.FINISHED


def test_the_text_alone_is_text():
    async def texts() -> AsyncIterator[str]:
        async with make_agent().run_stream("hi") as run:
            async for text in run.stream_text(delta=True, debounce_by=None):
                yield text

    told, _ = in_delta(texts)
    assert told == Answer("Hello")


@every_way
def test_under_plain_each_event_is_its_json_and_no_prompt_is_among_them(ask: Ask):
    said, summary = as_plain(lambda: ask(make_agent()))
    kinds = [event["event_kind"] for event in said]
    assert kinds.count("part_start") == 3
    assert kinds.count("function_tool_result") == 1
    [result] = [event for event in said if event["event_kind"] == "function_tool_result"]
    assert result["part"]["content"] == FOUND
    assert datetime.datetime.fromisoformat(result["part"]["timestamp"])
    assert THE_PROMPT not in str(said)
    if ask in WHOLE:
        assert said[-1]["result"]["output"] == "Hello"
        assert summary.finish_reason == "stop"
        assert summary.usage is not None


def test_a_tool_that_asks_for_another_try_tells_why_and_is_called_again():
    async def try_twice(history: list[Any], info: Any) -> AsyncIterator[Any]:
        if len(history) < 5:
            city, id_ = ("Bonn", "c1") if len(history) == 1 else ("Rome", "c2")
            arguments = f'{{"city": "{city}"}}'
            yield {0: function.DeltaToolCall(name="weather", json_args=arguments, tool_call_id=id_)}
        else:
            yield "Blue."

    told, _ = in_delta(
        lambda: events_of(make_agent(function.FunctionModel(stream_function=try_twice)))
    )
    assert told._replace(usage=None) == Answer(
        "Blue.",
        calls=(("c1", "weather", '{"city": "Bonn"}'), ("c2", "weather", ROME)),
        finish="stop",
        results=(("c1", None), ("c2", FOUND)),
    )


def test_a_tool_that_fails_for_good_fails_the_stream():
    agent = make_agent()

    @agent.tool_plain
    def broken() -> str:
        raise RuntimeError("the tool is out of order")

    async def call(history: list[Any], info: Any) -> AsyncIterator[Any]:
        yield {0: function.DeltaToolCall(name="broken", json_args="{}", tool_call_id="c1")}

    with agent.override(model=function.FunctionModel(stream_function=call)):
        told, summary = in_delta(lambda: events_of(agent))
    assert told == Answer(calls=(("c1", "broken", "{}"),), code="upstream_error")
    assert summary.ending is Ending.FAILED


def test_a_model_that_gives_arguments_whole_and_a_run_with_an_output_of_a_type():
    class Weather(vendor("pydantic").BaseModel):
        sky: str

    agent = make_agent(models.TestModel(custom_output_args={"sky": "grey"}), output_type=Weather)
    told, _ = in_delta(lambda: events_of(agent))
    [(_, first, _), (_, name, arguments)] = told.calls
    assert (first, name, arguments) == ("weather", "final_result", '{"sky":"grey"}')
    assert told.finish == "stop"
    said, _ = as_plain(lambda: events_of(agent))
    assert said[-1]["result"]["output"] == {"sky": "grey"}


def test_a_file_and_a_services_own_search_are_told():
    image = messages.BinaryContent(data=b"\x89PNG", media_type="image/png")
    search = {"tool_name": "web_search", "tool_call_id": "s1"}
    page = messages.WebCitationSource("https://a.test/", title="A")
    parts = [
        messages.NativeToolCallPart(**search, args={"query": "a"}),
        messages.NativeToolReturnPart(**search, content=[{"url": "https://a.test/"}]),
        messages.TextPart("It is so.", citations=[messages.Citation([page])]),
        messages.FilePart(image),
    ]
    kinds = [None, *(part.part_kind for part in parts)]
    events = [
        messages.PartStartEvent(index=index, part=part, previous_part_kind=before)
        for index, (part, before) in enumerate(zip(parts, kinds, strict=False))
    ]
    told, _ = in_delta(lambda: iter(events))
    assert told == Answer(
        "It is so.",
        calls=(("s1", "web_search", '{"query":"a"}'),),
        results=(("s1", [{"url": "https://a.test/"}]),),
        sources=("https://a.test/",),
        files=(("data:image/png;base64,iVBORw==", "image/png"),),
    )


def test_what_a_tool_gives_that_is_no_json_is_told_as_python_shows_it():
    class Odd:
        def __str__(self) -> str:
            return "an odd thing"

    part = messages.ToolReturnPart("odd", Odd(), "c1")
    told, _ = in_delta(lambda: iter([messages.FunctionToolResultEvent(part)]))
    assert told.results == (("c1", "an odd thing"),)


ERRORS = [
    (lambda: exceptions.ModelHTTPError(429, "m"), "rate_limited"),
    (lambda: exceptions.ModelHTTPError(503, "m"), "overloaded"),
    (lambda: exceptions.ModelHTTPError(401, "m"), "credentials_refused"),
    (lambda: exceptions.ModelRateLimitError("m", "slow down"), "rate_limited"),
    (lambda: exceptions.ModelOverloadedError("m", "busy"), "overloaded"),
    (lambda: exceptions.ModelContextWindowExceededError("m", "too long"), "context_too_long"),
    (lambda: exceptions.ModelConnectionError("m", "gone"), "upstream_unreachable"),
    (lambda: exceptions.ModelTimeoutError("m", "late"), "upstream_timeout"),
    (lambda: exceptions.ContentFilterError("no"), "content_filtered"),
]


@pytest.mark.parametrize(("make_error", "code"), ERRORS, ids=[code for _, code in ERRORS])
@pytest.mark.parametrize("words", [["Hel"], []], ids=["in mid-stream", "at once"])
def test_a_model_that_fails_is_a_failure_with_its_code(
    make_error: Callable[[], Exception], code: str, words: list[str]
):
    async def fail(history: list[Any], info: Any) -> AsyncIterator[Any]:
        for word in words:
            yield word
        raise make_error()

    agent = make_agent(function.FunctionModel(stream_function=fail))
    summary = assert_answers(lambda: events_of(agent), Answer("".join(words), code=code))
    assert summary.ending is Ending.FAILED


@dataclasses.dataclass(kw_only=True)
class StepEvent(messages.CustomEvent):
    step: int


@dataclasses.dataclass(kw_only=True)
class AuditEvent(messages.CustomEvent, ui=False):
    user: str


def test_an_apps_own_events_are_data_but_those_that_are_not_for_frontends():
    begin = messages.PartStartEvent(index=0, part=messages.TextPart("Hi"))
    assert read(Auto(), begin, StepEvent(step=3), AuditEvent(user="x")) == [
        "Hi",
        Data("step", b'{"step":3}'),
    ]


async def over_the_wire(url: str) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0) as client:
        model = over_openai.OpenAIChatModel(
            "m", provider=provider.OpenAIProvider(openai_client=client)
        )
        async for event in events_of(make_agent(model)):
            yield event


def chunk(finish: str | None = None, **said: Any) -> dict[str, Any]:
    about = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**about, "choices": [{"index": 0, "delta": said, "finish_reason": finish}]}


def test_a_real_service_behind_it_is_an_answer_with_its_reason_to_stop():
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    chunks = [
        chunk(role="assistant", content="Hel"),
        chunk(content="lo"),
        {**chunk("length"), "usage": usage},
    ]
    told = Answer("Hello", finish="length", usage=(7, 9, 16))
    with replay(as_events(chunks, named=False) + b"data: [DONE]\n\n") as url:
        assert_answers(lambda: over_the_wire(url), told)


def test_a_connection_that_breaks_in_mid_stream_is_a_failure():
    with replay(as_events([chunk(content="Hel")], named=False), cut=True) as url:
        told, _ = in_delta(lambda: over_the_wire(url))
    assert told == Answer("Hel", code="upstream_unreachable")


@pytest.mark.parametrize(("status", "code"), [(429, "rate_limited"), (401, "credentials_refused")])
def test_a_refused_request_is_a_failure_with_its_code(status: int, code: str):
    with replay(b'{"error":{"message":"m"}}', "application/json", status=status) as url:
        told, _ = in_delta(lambda: over_the_wire(url))
    assert told == Answer(code=code)
