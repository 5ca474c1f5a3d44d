"""Which model answers: chosen by the environment, given as a function from messages to a source.

MODEL_API=openai (the default): any server that speaks OpenAI's protocol, DashScope's compatible
mode among them; OPENAI_BASE_URL and OPENAI_API_KEY say which. MODEL_API=dashscope: DashScope's own
SDK, with DASHSCOPE_API_KEY. MODEL names the model.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from sse_bridge import adapters

NAME = os.environ.get("MODEL", "qwen-plus")
MISSING = "No model is set: give OPENAI_BASE_URL and OPENAI_API_KEY, or see model.py for others."


class NoModelError(Exception):
    """The environment names no model."""


class Model(NamedTuple):
    """`ask(messages, **settings)` gives a source; `adapter` knows how to read its chunks."""

    ask: Callable[..., Any]
    adapter: Any


def choose() -> Model:
    if os.environ.get("MODEL_API", "openai") == "dashscope":
        return dashscope_model()
    if "OPENAI_BASE_URL" in os.environ or "OPENAI_API_KEY" in os.environ:
        return openai_model()
    return Model(ask=nobody, adapter="auto")


# The functions below are not `async`: they hand over the SDK's own coroutine, not awaited, so that
# the wait for the model is part of the stream: held, kept alive, and stopped when the user leaves.


def openai_model() -> Model:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key=os.environ.get("OPENAI_API_KEY", "none"))

    def ask(messages: list[Any], **settings: Any) -> Any:
        return client.chat.completions.create(
            model=NAME,
            messages=messages,
            stream=True,
            stream_options={"include_usage": True},
            **settings,
        )

    return Model(ask, adapter="openai")


def dashscope_model() -> Model:
    from dashscope import AioGeneration

    def ask(messages: list[Any], **settings: Any) -> Any:
        return AioGeneration.call(
            model=NAME,
            messages=messages,
            result_format="message",
            stream=True,
            incremental_output=True,  # the adapter below is told the same
            **settings,
        )

    return Model(ask, adapter=adapters.DashScope(incremental_output=True))


def nobody(messages: list[Any], **settings: Any) -> Any:
    raise NoModelError(MISSING)
