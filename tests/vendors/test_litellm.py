"""litellm's chunks, which are OpenAI's, whatever service it asks."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from recorded.mistral import COUNTS, chunk
from sse_bridge import Ending
from told import Answer, as_plain, assert_answers, in_delta
from vendors.conftest import vendor
from vendors.replay import as_events, replay

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # or it asks for one over the network
litellm = vendor("litellm")

openai = vendor("openai")

# Of litellm's own making.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Items? .* `ReadOnly` qualifier:UserWarning"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*' attribute:DeprecationWarning"),
]

DONE = b"data: [DONE]\n\n"
FIRST = {"name": "weather", "arguments": '{"city": '}
MORE = {"arguments": '"Rome"}'}
CHUNKS = [
    chunk(role="assistant", content="", reasoning_content="Let me "),
    chunk(role="assistant", content="", reasoning_content="see."),
    chunk(content="Hel"),
    chunk(content="lo"),
    chunk(tool_calls=[{"index": 0, "id": "call_1", "type": "function", "function": FIRST}]),
    chunk(tool_calls=[{"index": 0, "function": MORE}]),
    chunk("tool_calls"),
    {**chunk(usage=COUNTS), "choices": []},
]
TOLD = Answer(
    text="Hello",
    reasoning="Let me see.",
    calls=(("call_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)


ASK: dict[str, Any] = {
    "model": "openai/m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
    "max_retries": 0,
}


def how(url: str) -> dict[str, Any]:
    return {"base_url": f"{url}/v1", "api_key": "x", "max_retries": 0}


def sdk(url: str) -> Iterator[Any]:
    with openai.OpenAI(**how(url)) as client:  # litellm would keep one of its own open
        yield from litellm.completion(**ASK, client=client)


async def sdk_async(url: str) -> AsyncIterator[Any]:
    async with openai.AsyncOpenAI(**how(url)) as client:
        async for one in await litellm.acompletion(**ASK, client=client):
            yield one


Ask = Callable[[str], Any]
every_way = pytest.mark.parametrize("ask", [sdk, sdk_async])


def wire(chunks: list[dict[str, Any]]) -> bytes:
    return as_events(chunks, named=False)


@every_way
@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_an_answer_that_thinks_speaks_and_calls_is_the_same_in_every_dialect(
    ask: Ask, adapter: str
):
    with replay(wire(CHUNKS) + DONE) as url:
        assert_answers(lambda: ask(url), TOLD, adapter=adapter)


@every_way
def test_under_plain_each_chunk_is_its_json_and_the_summary_knows_the_rest(ask: Ask):
    with replay(wire(CHUNKS) + DONE) as url:
        said, summary = as_plain(lambda: ask(url))
    assert {one["object"] for one in said} == {"chat.completion.chunk"}
    assert summary.finish_reason == "tool_calls"
    assert summary.usage == {"input_tokens": 7, "output_tokens": 9, "total_tokens": 16}


CUT: tuple[bytes, bool] = wire(CHUNKS[2:3]), True
LIMITED = {"error": {"message": "m", "type": "rate_limit_error", "code": "429"}}


@every_way
@pytest.mark.parametrize(("sent", "cut"), [CUT, (wire([CHUNKS[2], LIMITED]), False)])
def test_an_error_in_mid_stream_is_a_failure_of_which_litellm_tells_no_more(
    ask: Ask, sent: bytes, cut: bool
):
    with replay(sent, cut=cut) as url:
        answer, summary = in_delta(lambda: ask(url))
    assert answer == Answer("Hel", code="upstream_error")
    assert summary.ending is Ending.FAILED


@every_way
@pytest.mark.parametrize(
    ("status", "code"),
    [(429, "rate_limited"), (503, "overloaded"), (401, "credentials_refused")],
)
def test_a_refused_request_is_a_failure_with_its_code(ask: Ask, status: int, code: str):
    error = b'{"error":{"message":"m","type":"x"}}'
    with replay(error, "application/json", status=status) as url:
        answer, _ = in_delta(lambda: ask(url))
    assert answer == Answer(code=code)
