"""In the soaked server: a source for each way in which a stream can end, and what the process has open.

A source is the app's `own` generator, or it reads a model through the openai SDK: `inside` a generator of the
app's, or `bare`, as the SDK's own stream.
"""

from __future__ import annotations

import asyncio
import ctypes
import functools
import gc
import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from types import AsyncGeneratorType, GeneratorType
from typing import Any

from openai import AsyncOpenAI, OpenAI

from sse_bridge import Ending, Summary
from sse_bridge.registry import streams

from .ways import STALL_TIMEOUT, WORDS

UPSTREAMS: dict[str, str] = json.loads(os.environ["UPSTREAMS"])  # by way
PIECE = "x" * 65536  # what fills a slow reader's buffers

# What `on_end` said to each stream: 0 for nothing yet. Made beforehand, so that the books do not grow.
TOLD = bytearray(int(os.environ["STREAMS"]))
CODES = {ending: code for code, ending in enumerate(Ending, 1)}
TWICE = 255
_lock = threading.Lock()

# Pools of the servers and frameworks, and the one of `on_end`: each grows when it likes, up to a size of its own.
POOLS = re.compile(r"ThreadPoolExecutor-|AnyIO worker|asyncio_|uvloop_|sse_bridge on_end_")

logging.basicConfig(level=logging.WARNING)
logging.getLogger("sse_bridge").setLevel(logging.INFO)


class RefusedError(Exception):
    """What the app answers with a status of its own."""


# -- the sources ----------------------------------------------------------------------------------


def source(kind: str, place: str, way: str) -> Any:
    return SOURCES[kind, place](way)


def own(way: str) -> Iterator[str]:
    if way == "refusal":
        raise RefusedError
    yield from WORDS
    if way == "failure":
        raise RuntimeError("deliberate")
    while way == "slow":
        yield PIECE
    while way != "finish":
        time.sleep(0.005)
        yield "more "


async def async_own(way: str) -> AsyncIterator[str]:
    if way == "refusal":
        raise RefusedError
    for word in WORDS:
        yield word
    if way == "failure":
        raise RuntimeError("deliberate")
    while way == "slow":
        yield PIECE
    if way != "finish":
        await asyncio.Event().wait()


def bare(way: str) -> Any:
    return lambda: _call(_client(), way)


def async_bare(way: str) -> Any:
    return _call(_async_client(), way)


def inside(way: str) -> Iterator[Any]:
    yield from _call(_client(), way)


async def async_inside(way: str) -> AsyncIterator[Any]:
    async with await _call(_async_client(), way) as chunks:
        async for chunk in chunks:
            yield chunk


SOURCES = {
    ("sync", "own"): own,
    ("sync", "bare"): bare,
    ("sync", "inside"): inside,
    ("async", "own"): async_own,
    ("async", "bare"): async_bare,
    ("async", "inside"): async_inside,
}
GENERATORS = {function.__code__ for function in (own, inside, async_own, async_inside)}


@functools.cache
def _client() -> OpenAI:
    return OpenAI(base_url="http://127.0.0.1", api_key="x", max_retries=0, timeout=60)


@functools.cache
def _async_client() -> AsyncOpenAI:
    return AsyncOpenAI(base_url="http://127.0.0.1", api_key="x", max_retries=0, timeout=60)


def _call(client: Any, way: str) -> Any:
    # Clients of the same connections, as one app's calls are.
    completions = client.with_options(base_url=UPSTREAMS[way]).chat.completions
    return completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)


# -- the streams ----------------------------------------------------------------------------------


def options(number: int, way: str, dialect: str) -> dict[str, Any]:
    """Of the response. Every other `on_end` is async."""
    times = {"stall": {"stall_timeout": STALL_TIMEOUT}, "slow": {"send_timeout": 0.3}}.get(way, {})
    on_end = functools.partial((note, async_note)[number % 2], number)
    # On a busy machine the first streams of all wait for fifty imports: a status that is not held would be another.
    return {"dialect": dialect, "on_end": on_end, "ping": 5.0, "hold": 15.0, **times}


def note(number: int, summary: Summary) -> None:
    with _lock:
        TOLD[number] = TWICE if TOLD[number] else CODES[summary.ending]


async def async_note(number: int, summary: Summary) -> None:
    await asyncio.sleep(0)
    note(number, summary)


def told(number: int) -> str:
    """How this stream ended, as far as `on_end` knows."""
    names = {0: "", TWICE: "twice"} | {code: str(ending) for ending, code in CODES.items()}
    return names[TOLD[number]]


def all_told() -> list[str]:
    return [told(number) for number in range(len(TOLD))]


# -- the books ------------------------------------------------------------------------------------


def books(loop: asyncio.AbstractEventLoop) -> dict[str, int]:
    """What this process has open, once what is garbage is gone."""
    gc.collect()
    threads = [thread.name for thread in threading.enumerate()]
    pooled = sum(bool(POOLS.match(name)) for name in threads)
    upstream = _upstream_connections()
    idle = sum(connection.is_idle() for connection in upstream)
    return {
        "memory, KiB": _resident(),
        "blocks": sys.getallocatedblocks(),
        "descriptors": len(os.listdir("/proc/self/fd")) - idle,
        "threads": len(threads) - pooled,
        "threads of pools": pooled,
        "threads unknown to Python": len(os.listdir("/proc/self/task")) - len(threads),
        "asyncio tasks": len(asyncio.all_tasks(loop)),
        "generators": _generators(),
        "upstream requests": len(upstream) - idle,
        "streams": streams.open,
        "stragglers": streams.stragglers,
    }


def _resident() -> int:
    """What is left when the C library has given back the pages that it does not need."""
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def _generators() -> int:
    """How many of the app's sources are still there, whether they run or not."""
    # By type(): asked by isinstance(), the SDK's lazy proxies would load all that they stand for.
    things = gc.get_objects()
    codes = [t.gi_code for t in things if type(t) is GeneratorType]
    codes += [t.ag_code for t in things if type(t) is AsyncGeneratorType]
    return sum(code in GENERATORS for code in codes)


def _upstream_connections() -> list[Any]:
    """The SDK's; the idle ones wait for the next call."""
    clients: list[Any] = [_client(), _async_client()]
    return [c for client in clients for c in client._client._transport._pool.connections]
