"""The sources of the soak, one for each way in which a stream can end, and the books about them."""

from __future__ import annotations

import gc
import http.client
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
from census import POOLS

from sse_bridge import Summary
from sse_bridge.registry import streams

UPSTREAM = int(os.environ["UPSTREAM"])
PIECE = "x" * 65536

ENDINGS: Counter[str] = Counter()  # what `on_end` was told, as "way ending"
SOURCES: Counter[str] = Counter()  # started, closed


class RefusedError(Exception):
    """What the app answers with a status of its own."""


def options(way: str) -> dict[str, Any]:
    """Of the response, for this way to end."""
    times = {"stall": {"stall_timeout": 0.2}, "slow": {"send_timeout": 0.3}}.get(way, {})
    return {"on_end": lambda summary: note(way, summary), "ping": 5.0, **times}


def note(way: str, summary: Summary) -> None:
    ENDINGS[f"{way} {summary.ending}"] += 1


# -- the sources ----------------------------------------------------------------------------------


def told(way: str) -> Iterator[str]:
    """What both kinds of source say before they wait."""
    if way == "refusal":
        raise RefusedError
    for number in range(3):
        yield f"word {number} "
    if way == "failure":
        raise RuntimeError("deliberate")


def source(way: str) -> Iterator[str]:
    SOURCES["started"] += 1
    try:
        yield from told(way)
        if way == "slow":
            while True:
                yield PIECE
        if way != "finish":
            yield from read(way)
    finally:
        SOURCES["closed"] += 1


def read(way: str) -> Iterator[str]:
    """Lines of an upstream that soon says nothing more."""
    connection = http.client.HTTPConnection("127.0.0.1", UPSTREAM, timeout=60)
    try:
        connection.request("GET", f"/stalling/{way}")
        for line in connection.getresponse():
            yield line.decode()
    finally:
        connection.close()


async def async_source(way: str) -> AsyncIterator[str]:
    SOURCES["started"] += 1
    try:
        for text in told(way):
            yield text
        while way == "slow":
            yield PIECE
        if way != "finish":
            async with httpx.AsyncClient(verify=False, timeout=60) as client:
                address = f"http://127.0.0.1:{UPSTREAM}/stalling/{way}"
                async with client.stream("GET", address) as response:
                    async for line in response.aiter_lines():
                        yield line
    finally:
        SOURCES["closed"] += 1


SOURCES_BY_KIND: dict[str, Any] = {"sync": source, "async": async_source}


# -- the books ------------------------------------------------------------------------------------


def books(tasks: int) -> dict[str, Any]:
    """What this process has open, and what it was told."""
    gc.collect()
    threads = [thread.name for thread in threading.enumerate() if not POOLS.match(thread.name)]
    with open("/proc/self/statm", "rb") as file:
        resident = int(file.read().split()[1])
    return {
        "memory": resident * os.sysconf("SC_PAGE_SIZE") // 1024,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": len(threads),
        "tasks": tasks,
        "generators": SOURCES["started"] - SOURCES["closed"],
        "streams": streams.open,
        "stragglers": streams.stragglers,
        "endings": ENDINGS,
    }
