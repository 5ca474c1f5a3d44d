"""OpenAI's Agents SDK: runs over models of the Responses API and of chat completions."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from recorded.responses import ANSWER, TOLD, breaking, call, cited, failing, response, text
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

agents = vendor("agents")
openai = vendor("openai")

agents.set_tracing_disabled(True)

SUNNY = as_events(response(text("It is ", "sunny."), id_="resp_2"))
ROUND_TOLD = TOLD._replace(
    text="HelloIt is sunny.",
    finish="stop",
    usage=(14, 18, 32),
    results=(("call_1", {"sky": "clear", "in": "Rome"}),),
)


def weather(city: str) -> dict[str, str]:
    """Tell the weather."""
    return {"sky": "clear", "in": city}


class Turns(agents.Model):  # type: ignore[misc,name-defined] # the package may be missing
    """A model that asks another service each time."""

    def __init__(self, *models: Any) -> None:
        self._models = iter(models)

    async def get_response(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    def stream_response(self, *args: Any, **more: Any) -> Any:
        return next(self._models).stream_response(*args, **more)


async def run(*urls: str, kind: str = "OpenAIResponsesModel", **about: Any) -> AsyncIterator[Any]:
    async with contextlib.AsyncExitStack() as stack:
        models = []
        for url in urls:
            ours = openai.AsyncOpenAI(api_key="x", base_url=url, max_retries=0)
            await stack.enter_async_context(ours)
            models.append(getattr(agents, kind)(model="gpt", openai_client=ours))
        about = {"tools": [agents.function_tool(weather)], **about}
        agent = agents.Agent(name="A", instructions="a secret", model=Turns(*models), **about)
        async for event in agents.Runner.run_streamed(agent, "hi").stream_events():
            yield event


@pytest.mark.parametrize("adapter", ["auto", "openai-agents"])
def test_a_run_that_calls_a_tool_is_one_answer(adapter: str):
    with replay(as_events(ANSWER)) as first, replay(SUNNY) as second:
        assert_answers(lambda: run(first, second), ROUND_TOLD, adapter=adapter)


def test_under_plain_no_event_shows_the_agent():
    with replay(as_events(ANSWER)) as first, replay(SUNNY) as second:
        said, summary = as_plain(lambda: run(first, second))
    assert "secret" not in json.dumps(said)
    assert said[0] == {"type": "agent_updated_stream_event", "new_agent": {"name": "A"}}
    assert {"raw_response_event", "run_item_stream_event"} < {event["type"] for event in said}
    assert summary.finish_reason == "stop"
    assert summary.usage == {"input_tokens": 14, "output_tokens": 18, "total_tokens": 32}


def test_a_model_of_chat_completions_is_read_as_well():
    def chunk(delta: dict[str, Any], reason: str | None = None, **more: Any) -> dict[str, Any]:
        about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return {"type": "", **about, "choices": [choice], **more}

    def fragment(arguments: str, **more: Any) -> dict[str, Any]:
        function = {"arguments": arguments, **more.pop("function", {})}
        return {"tool_calls": [{"index": 0, "function": function, **more}]}

    usage = {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}
    counted = chunk({}, choices=[], usage=usage)
    asks = [
        chunk({"reasoning_content": "Let me see."}),
        *(chunk({"content": piece}) for piece in ("Hel", "lo")),
        chunk(fragment("", id="call_1", type="function", function={"name": "weather"})),
        *(chunk(fragment(piece)) for piece in ('{"city": ', '"Rome"}')),
        chunk({}, "tool_calls"),
        counted,
    ]
    tells = [chunk({"content": "It is sunny."}), chunk({}, "stop"), counted]
    done = b"data: [DONE]\n\n"
    with (
        replay(as_events(asks, named=False) + done) as first,
        replay(as_events(tells, named=False) + done) as second,
    ):
        told = ROUND_TOLD._replace(reasoning="Let me see.")
        assert_answers(lambda: run(first, second, kind="OpenAIChatCompletionsModel"), told)


def test_an_agent_that_takes_over_goes_on_with_the_answer():
    async def handed(first: str, second: str) -> AsyncIterator[Any]:
        async with openai.AsyncOpenAI(api_key="x", base_url=second, max_retries=0) as ours:
            model = agents.OpenAIResponsesModel(model="gpt", openai_client=ours)
            other = agents.Agent(name="B", instructions="a secret", model=model)
            async for event in run(first, handoffs=[other]):
                yield event

    asks = as_events(response(call("transfer_to_b", "{}")))
    with replay(asks) as first, replay(SUNNY) as second:
        told = Answer(
            "It is sunny.",
            calls=(("call_1", "transfer_to_b", "{}"),),
            finish="stop",
            usage=(14, 18, 32),
            results=(("call_1", '{"assistant": "B"}'),),
        )
        assert_answers(lambda: handed(first, second), told)


def test_a_tool_that_fails_tells_what_the_model_was_told():
    def failing_tool() -> str:
        """Fail."""
        raise ValueError("oops")

    asks = as_events(response(call("failing_tool", "{}")))
    with replay(asks) as first, replay(SUNNY) as second:
        told = agents.function_tool(
            failing_tool, failure_error_function=lambda _, error: str(error)
        )
        answer, _ = in_delta(lambda: run(first, second, tools=[told]))
    assert (answer.results, answer.text) == ((("call_1", "oops"),), "It is sunny.")


def test_what_the_answer_cites_is_a_source():
    events = as_events(response(text("It is b.", notes=[cited("https://b.test/")])))
    with replay(events) as url:
        told = Answer("It is b.", finish="stop", usage=(7, 9, 16), sources=("https://b.test/",))
        assert_answers(lambda: run(url), told)


@pytest.mark.parametrize("form", [failing, breaking])
@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("rate_limit_exceeded", "rate_limited"),
        ("server_error", "upstream_error"),
        ("context_length_exceeded", "context_too_long"),
    ],
)
def test_an_error_in_mid_stream_is_a_failure_with_its_code(
    form: Callable[[str], Any], word: str, code: str
):
    with replay(as_events(form(word))) as url:
        assert_answers(lambda: run(url), Answer("Hel", code=code))


def test_a_response_that_is_incomplete_fails_the_run():
    details = {"reason": "max_output_tokens"}
    events = as_events(response(text("Hel"), end="incomplete", incomplete_details=details))
    with replay(events) as url:
        answer, _ = in_delta(lambda: run(url))
    assert (answer.text, answer.code) == ("Hel", "upstream_error")


def test_a_connection_that_breaks_in_mid_stream_is_a_failure():
    with replay(as_events(ANSWER[:-8]), cut=True) as url:
        answer, _ = in_delta(lambda: run(url))
    assert (answer.text, answer.code) == ("Hello", "upstream_unreachable")


@pytest.mark.parametrize(
    ("status", "word", "code"),
    [
        (429, "rate_limit_exceeded", "rate_limited"),
        (401, "invalid_api_key", "credentials_refused"),
    ],
)
def test_a_refused_request_is_a_failure_with_its_code(status: int, word: str, code: str):
    error = json.dumps({"error": {"code": word, "message": "m"}}).encode()
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: run(url))
    assert answer == Answer(code=code)
