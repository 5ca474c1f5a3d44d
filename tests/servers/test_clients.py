"""Clients that nobody here wrote read a stream with keep-alives in it: each sees the chunks, and nothing else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import httpx_sse
import openai
import pytest
import requests_sse

import components

from .harness import Pool, Server

APPS = {"gunicorn-gthread": "bridge_flask:app", "uvicorn": "bridge_starlette:app"}
SCRIPT = Path(__file__).with_name("clients.mjs")
CHUNKS = ['{"number":1}', '{"number":2}', '{"number":3}']
NODE = ["eventsource", "@microsoft/fetch-event-source", "eventsource-parser"]


@pytest.fixture(params=APPS)
def server(serve: Pool, request: pytest.FixtureRequest) -> Server:
    return serve(request.param, APPS[request.param])


def url_of(server: Server, key: str, **more: str) -> str:
    query = {"key": key, "ping": "0.02", **more}
    return f"{server.url}/sync/paused?" + "&".join(
        f"{name}={value}" for name, value in query.items()
    )


def pings(server: Server, key: str) -> int:
    """How many the stream had; its end may be told a moment after its client has seen it."""
    for _ in range(500):
        with server.get(f"/pings?key={key}") as response:
            if told := response.read_all():
                return int(told)
    raise AssertionError("the stream has not ended")


def by_httpx_sse(url: str) -> list[str]:
    with httpx.Client() as client, httpx_sse.connect_sse(client, "GET", url) as source:
        return [event.data for event in source.iter_sse() if event.event == "message"]


def by_requests_sse(url: str) -> list[str]:
    with requests_sse.EventSource(url, max_connect_retry=0) as source:
        told = []
        for event in source:
            if event.type == "done":
                return told
            told.append(event.data)
        return told


def by_splitting_at_empty_lines(url: str) -> list[str]:
    """As many pages do; such a reader asks for nothing."""
    frames = httpx.get(url).text.split("\n\n")
    return [frame[6:] for frame in frames if frame.startswith("data: ")]


PYTHON: dict[str, Callable[[str], list[str]]] = {
    "httpx-sse": by_httpx_sse,
    "requests-sse": by_requests_sse,
    "splitting at empty lines": by_splitting_at_empty_lines,
}


@pytest.mark.parametrize("name", PYTHON)
def test_a_client_in_python_sees_each_chunk_and_no_keep_alive(server: Server, name: str):
    key = f"{name}-{server.name}".replace(" ", "-")
    assert PYTHON[name](url_of(server, key)) == CHUNKS
    assert pings(server, key) > 1


@pytest.mark.parametrize("name", NODE)
def test_a_client_in_node_sees_each_chunk_and_no_keep_alive(server: Server, name: str):
    key = f"{name.partition('/')[2] or name}-{server.name}"
    folder = components.node_package(name)
    command = [components.program("node"), str(SCRIPT), name, str(folder), url_of(server, key)]
    done = subprocess.run(command, capture_output=True, timeout=30, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == CHUNKS
    assert pings(server, key) > 1


def test_the_official_client_sees_each_chunk_and_no_keep_alive(server: Server):
    key = f"openai-{server.name}"
    query = {"key": key, "ping": "0.02", "dialect": "openai", "texts": "yes"}
    chunk = openai.types.chat.ChatCompletionChunk
    with openai.OpenAI(
        base_url=f"{server.url}/sync", api_key="x", max_retries=0, default_query=query
    ) as client:
        answer = client.post("/paused", cast_to=chunk, stream=True, stream_cls=openai.Stream[chunk])
        words = [choice.delta.content for chunk in answer for choice in chunk.choices]
    assert [word for word in words if word] == ["1", "2", "3"]
    assert pings(server, key) > 1


@pytest.mark.parametrize("form, told", [("line", b": ping\ndata"), ("block", b": ping\n\ndata")])
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
def test_a_route_that_knows_its_clients_decides_itself(
    server: Server, form: str, told: bytes, accept: str
):
    url = url_of(server, f"{form}-{accept[:4]}", ping_form=form)
    assert told in httpx.get(url, headers={"Accept": accept}).content


def test_otherwise_it_is_the_clients_word(server: Server):
    def form(accept: Any) -> bytes:
        url = url_of(server, "accept")
        return httpx.get(url, headers={"Accept": accept}).content

    assert b": ping\n\n" in form("*/*")
    assert b": ping\n\n" not in form("application/json, text/event-stream;q=0.9")
    assert b": ping\n\n" in form("text/event-stream;q=0")
