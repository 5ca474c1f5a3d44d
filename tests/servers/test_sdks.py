"""Real SDKs on both sides: a model's double upstream, an app of ours between, the official client in front."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import openai
import pytest

from doubles import DashScopeDouble, Fault, HttpError, OpenAIDouble, Reply, ToolCall
from doubles.reading import read_until_failure
from sse_bridge import Decoder

from .harness import Pool, Server

APPS = {
    "gunicorn-gthread": "relay_flask:app",
    "gunicorn-gevent": "relay_flask:app",
    "uvicorn": "relay_starlette:app",
}
every_app = pytest.mark.parametrize("name", APPS)
every_kind = pytest.mark.parametrize("kind", ["sync", "async"])


@pytest.fixture
def server(serve: Pool, name: str) -> Server:
    return serve(name, APPS[name])


@pytest.fixture
def upstream() -> Iterator[OpenAIDouble]:
    with OpenAIDouble(Reply(["a"])) as double:
        yield double


def client_of(server: Server, kind: str, **query: str) -> openai.OpenAI:
    return openai.OpenAI(
        base_url=f"{server.url}/{kind}", api_key="x", max_retries=0, default_query=query, timeout=10
    )


def chat(client: openai.OpenAI) -> Iterator[Any]:
    yield from client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hi"}], stream=True
    )


def said(chunks: list[Any]) -> dict[str, Any]:
    """What the official client understood."""
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    reasons = [choice.finish_reason for chunk in chunks for choice in chunk.choices]
    usages = [chunk.usage.total_tokens for chunk in chunks if chunk.usage]
    return {
        "text": "".join(delta.content or "" for delta in deltas),
        "names": [call.function.name for call in calls if call.function.name],
        "arguments": "".join(call.function.arguments or "" for call in calls),
        "finish": [reason for reason in reasons if reason],
        "usage": bool(usages),
    }


@every_kind
@every_app
def test_the_official_client_reads_text_tool_calls_finish_and_usage(
    server: Server, kind: str, upstream: OpenAIDouble
):
    upstream.answer = Reply(["Hel", "lo"], tool_calls=[ToolCall()], finish="tool_calls")
    client = client_of(server, kind, vendor="openai", dialect="openai", upstream=upstream.base_url)
    with client:
        through = list(chat(client))
    with upstream.openai_client() as direct_client:
        direct = list(
            direct_client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
                stream_options={"include_usage": True},
            )
        )
    assert said(through) == said(direct)
    assert said(through)["text"] == "Hello"
    assert said(through)["names"] == [ToolCall().name]
    assert said(through)["usage"]


@every_kind
@every_app
def test_a_failure_in_mid_stream_is_raised_by_the_official_client(
    server: Server, kind: str, upstream: OpenAIDouble
):
    upstream.answer = Reply(["Hel", "lo"], at={3: Fault()})
    client = client_of(server, kind, vendor="openai", dialect="openai", upstream=upstream.base_url)
    with client:
        seen, error = read_until_failure(chat(client))
    assert said(seen)["text"] == "Hello"
    assert isinstance(error, openai.APIError)
    assert error.message == "The answer was interrupted by an error."
    assert error.code == "upstream_error"


@every_kind
@every_app
def test_an_early_rate_limit_reaches_the_apps_own_handler(
    server: Server, kind: str, upstream: OpenAIDouble
):
    upstream.answer = HttpError(429)
    client = client_of(server, kind, vendor="openai", dialect="openai", upstream=upstream.base_url)
    with client, pytest.raises(openai.RateLimitError) as raised:
        list(chat(client))
    assert raised.value.response.json() == {"told": "slow down"}


def dashscope_events(server: Server, kind: str, double: DashScopeDouble, **query: str) -> list[Any]:
    fields = {
        "vendor": "dashscope",
        "dialect": "delta",
        "upstream": double.call_options["base_address"],
        **query,
    }
    with server.post(f"/{kind}/chat/completions?{urlencode(fields)}", b"{}") as response:
        assert response.status == 200
        return [(event.event, event.data) for event in Decoder().feed(response.read_all())]


@every_kind
@every_app
def test_dashscope_gives_the_same_deltas_cumulative_and_incremental(server: Server, kind: str):
    with DashScopeDouble(Reply(["通义", "千问", "!"], reasoning=["想"])) as double:
        modes = [
            dashscope_events(server, kind, double, incremental_output=word)
            for word in ("true", "false")
        ]
    assert modes[0] == modes[1]
    assert [event for event in modes[0] if event[0] == "delta"] == [
        ("delta", '{"text":"通义"}'),
        ("delta", '{"text":"千问"}'),
        ("delta", '{"text":"!"}'),
    ]
    assert modes[0][-1] == ("done", "[DONE]")


@every_kind
@every_app
def test_the_official_openai_client_reads_dashscope_through_the_openai_dialect(
    server: Server, kind: str
):
    with DashScopeDouble(Reply(["通义", "千问"])) as double:
        client = client_of(
            server,
            kind,
            vendor="dashscope",
            dialect="openai",
            incremental_output="false",
            upstream=double.call_options["base_address"],
        )
        with client:
            understood = said(list(chat(client)))
    assert understood["text"] == "通义千问"
    assert understood["finish"] == ["stop"]
    assert understood["usage"]


@every_kind
@every_app
def test_a_dashscope_error_in_band_reaches_the_apps_own_handler(server: Server, kind: str):
    with DashScopeDouble(HttpError(429, "slow", "Throttling.RateQuota")) as double:
        fields = {
            "vendor": "dashscope",
            "dialect": "delta",
            "incremental_output": "true",
            "upstream": double.call_options["base_address"],
        }
        path = f"/{kind}/chat/completions?{urlencode(fields)}"
        with server.post(path, b"{}") as response:
            response.read_all()
    assert response.status == 429
    assert b"Throttling.RateQuota" in response.body
