"""Frames from the bodies of the HTTP clients that people use, sync and async: one line makes a gateway of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import httpx
import httpx_sse
import pytest
import requests
import urllib3

from recorded.frames import ANSWERS, HALF, TOLD, WORD
from told import in_delta, in_openai
from vendors.replay import replay


def httpx_bytes(url: str) -> Iterator[bytes]:
    with httpx.stream("POST", url) as response:
        yield from response.iter_bytes(7)


def httpx_raw(url: str) -> Iterator[bytes]:
    with httpx.stream("POST", url) as response:
        yield from response.iter_raw()


def httpx_text(url: str) -> Iterator[str]:
    with httpx.stream("POST", url) as response:
        yield from response.iter_text(5)


def httpx_lines(url: str) -> Iterator[str]:
    with httpx.stream("POST", url) as response:
        yield from response.iter_lines()


def httpx_sse_events(url: str) -> Iterator[Any]:
    with httpx.Client() as client, httpx_sse.connect_sse(client, "POST", url) as source:
        yield from source.iter_sse()


async def httpx_async_bytes(url: str) -> AsyncIterator[bytes]:
    async with httpx.AsyncClient() as client, client.stream("POST", url) as response:
        async for piece in response.aiter_bytes(7):
            yield piece


async def httpx_async_lines(url: str) -> AsyncIterator[str]:
    async with httpx.AsyncClient() as client, client.stream("POST", url) as response:
        async for line in response.aiter_lines():
            yield line


def requests_content(url: str) -> Iterator[bytes]:
    with requests.post(url, stream=True) as response:
        yield from response.iter_content(chunk_size=7)


def requests_lines(url: str) -> Iterator[bytes]:
    with requests.post(url, stream=True) as response:
        yield from response.iter_lines()


def urllib3_stream(url: str) -> Iterator[bytes]:
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", url, preload_content=False)
        yield from response.stream(7)
        response.release_conn()


def urllib3_lines(url: str) -> Iterator[bytes]:
    with urllib3.PoolManager() as pool:
        response = pool.request("POST", url, preload_content=False)
        yield from response
        response.release_conn()


async def aiohttp_chunks(url: str) -> AsyncIterator[bytes]:
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        async for piece in response.content.iter_chunked(7):
            yield piece


async def aiohttp_lines(url: str) -> AsyncIterator[bytes]:
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        async for line in response.content:
            yield line


WAYS = [
    *(httpx_bytes, httpx_raw, httpx_text, httpx_lines, httpx_sse_events),
    *(httpx_async_bytes, httpx_async_lines, requests_content, requests_lines),
    *(urllib3_stream, urllib3_lines, aiohttp_chunks, aiohttp_lines),
]
Ask = Callable[[str], Any]
every_way = pytest.mark.parametrize("ask", WAYS, ids=lambda ask: ask.__name__)


@every_way
@pytest.mark.parametrize("upstream", ANSWERS)
def test_any_protocol_from_any_client_is_the_same_answer(ask: Ask, upstream: str):
    with replay(ANSWERS[upstream]) as url:
        for hear in in_delta, in_openai:
            answer, _ = hear(lambda: ask(url), adapter="frames")
            assert answer == TOLD


@every_way
def test_a_connection_that_breaks_is_a_failure(ask: Ask):
    # The comment fills the pieces that some clients cut.
    with replay(WORD["anthropic"] + b": and more\n\n", cut=True) as url:
        answer, _ = in_openai(lambda: ask(url), adapter="frames")
    assert answer == HALF._replace(code="upstream_unreachable")


@every_way
def test_a_body_that_ends_too_early_was_cut(ask: Ask):
    with replay(WORD["openai"]) as url:
        answer, _ = in_delta(lambda: ask(url), adapter="frames")
    assert answer == HALF._replace(code="upstream_cut")
