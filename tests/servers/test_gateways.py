"""A gateway in front of an OpenAI-compatible API, wrapped by the plain line, and the official client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from doubles import Cut, Fault, HttpError, OpenAIDouble, Reply, Reset

from .harness import Pool, Server

SERVERS = {
    "gunicorn-gthread": "gateways:wsgi_app",
    "gunicorn-gevent": "gateways:wsgi_app",
    "waitress": "gateways:wsgi_app",
    "uvicorn": "gateways:asgi_app",
    "hypercorn": "gateways:asgi_app",
}
WORDS = ["Hel", "lo, ", "world"]


@pytest.fixture(params=SERVERS)
def server(serve: Pool, request: pytest.FixtureRequest) -> Server:
    return serve(request.param, SERVERS[request.param])


def answer(server: Server, upstream: OpenAIDouble, **words: Any) -> Iterator[str]:
    """The texts that the official client gives."""
    base = f"http://127.0.0.1:{server.port}/v1"
    query = {"upstream": upstream.base_url}
    with openai.OpenAI(base_url=base, api_key="x", max_retries=0, default_query=query) as client:
        stream = client.chat.completions.create(model="m", messages=[], stream=True, **words)
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content


def test_a_good_answer_is_the_same_as_without_us(server: Server):
    with OpenAIDouble(Reply(WORDS)) as upstream:
        assert list(answer(server, upstream)) == WORDS


FAILURES = {
    "an error in band": Fault("the model broke"),
    "a cut inside a frame": Cut(),
    "a reset": Reset(),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_an_upstream_that_fails_in_the_middle_raises_in_the_client(server: Server, failure: str):
    with (
        OpenAIDouble(Reply(WORDS, at={3: FAILURES[failure]})) as upstream,
        pytest.raises((openai.APIError, httpx.HTTPError)),
    ):
        list(answer(server, upstream))


def test_a_refusal_is_the_upstreams_own(server: Server):
    with (
        OpenAIDouble(HttpError(429, "slow down")) as upstream,
        pytest.raises(openai.RateLimitError, match="slow down"),
    ):
        list(answer(server, upstream))
