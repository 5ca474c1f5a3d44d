"""What a chat endpoint does with the real SDKs; the upstream's address comes in the query."""

import functools
import logging
from collections.abc import Mapping
from typing import Any

from census import async_counted, counted

from sse_bridge import adapters

Query = Mapping[str, str]

CALL: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}

# The library's lines, as an app that logs has them.
_log = logging.getLogger("sse_bridge")
_log.setLevel(logging.INFO)
_log.addHandler(logging.StreamHandler())


CLIENTS: list[Any] = []  # one for each upstream, as an app has


@functools.cache
def openai_client(upstream: str, retries: int) -> Any:
    from openai import OpenAI

    CLIENTS.append(OpenAI(base_url=upstream, api_key="x", max_retries=retries))
    return CLIENTS[-1]


@functools.cache
def async_openai_client(upstream: str, retries: int) -> Any:
    from openai import AsyncOpenAI

    CLIENTS.append(AsyncOpenAI(base_url=upstream, api_key="x", max_retries=retries))
    return CLIENTS[-1]


def openai_answer(make_client: Any, query: Query) -> Any:
    client = make_client(query["upstream"], int(query.get("retries", "0")))
    return client.chat.completions.create(model=query.get("model", "m"), **CALL)


def dashscope_call(query: Query) -> dict[str, Any]:
    return {
        "api_key": "x",
        "model": query.get("model", "qwen-plus"),
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
    """A source and the options to stream it with.

    With `inside` the model is called inside a generator, as the README has it.
    """
    call = {
        ("openai", "sync"): lambda: openai_answer(openai_client, query),
        ("openai", "async"): lambda: openai_answer(async_openai_client, query),
        ("dashscope", "sync"): lambda: dashscope_stream(query),
        ("dashscope", "async"): lambda: dashscope_coroutine(query),
    }[query["vendor"], kind]
    if "inside" not in query:
        return call(), relay_options(query)
    query = dict(query)  # the request's own may be out of reach then
    return (counted if kind == "sync" else async_counted)(call), relay_options(query)


def relay_options(query: Query) -> dict[str, Any]:
    options: dict[str, Any] = {"dialect": query["dialect"]}
    if query["vendor"] == "dashscope":
        incremental = query["incremental_output"] == "true"
        options["adapter"] = adapters.DashScope(incremental_output=incremental)
    return options | {name: float(query[name]) for name in ("hold", "ping") if name in query}
