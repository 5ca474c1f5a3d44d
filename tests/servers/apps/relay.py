"""What a chat endpoint does with the real SDKs; the upstream's address comes in the query."""

from collections.abc import Mapping
from typing import Any

from sse_bridge import adapters

Query = Mapping[str, str]

CALL: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}


def openai_stream(query: Query) -> Any:
    from openai import OpenAI

    client = OpenAI(base_url=query["upstream"], api_key="x", max_retries=0)
    return client.chat.completions.create(**CALL)


def openai_coroutine(query: Query) -> Any:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=query["upstream"], api_key="x", max_retries=0)
    return client.chat.completions.create(**CALL)


def dashscope_call(query: Query) -> dict[str, Any]:
    return {
        "api_key": "x",
        "model": "qwen-plus",
        "messages": CALL["messages"],
        "result_format": "message",
        "stream": True,
        "incremental_output": query["incremental_output"] == "true",
        "base_address": query["upstream"],
    }


def dashscope_stream(query: Query) -> Any:
    from dashscope import Generation

    return Generation.call(**dashscope_call(query))


def dashscope_coroutine(query: Query) -> Any:
    from dashscope import AioGeneration

    return AioGeneration.call(**dashscope_call(query))


def relay(kind: str, query: Query) -> tuple[Any, dict[str, Any]]:
    """A source and the options to stream it with."""
    sources = {
        ("openai", "sync"): lambda: openai_stream(query),
        ("openai", "async"): lambda: openai_coroutine(query),
        ("dashscope", "sync"): lambda: dashscope_stream(query),
        ("dashscope", "async"): lambda: dashscope_coroutine(query),
    }
    options: dict[str, Any] = {"dialect": query["dialect"]}
    if query["vendor"] == "dashscope":
        incremental = query["incremental_output"] == "true"
        options["adapter"] = adapters.DashScope(incremental_output=incremental)
    return sources[query["vendor"], kind], options
