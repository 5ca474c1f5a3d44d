"""Sources for a server that stops, and the notes in which they tell how they ended.

In the environment: `NOTES`, the file of the notes, a line of JSON each; `GRACE`, in seconds, or nobody calls us.
In a query: `who` is to be noted, and where the source waits: `upstream`, or the test's `gate`.
"""

import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
from gates import gate

import sse_bridge

TICK = 0.05  # seconds
Query = Mapping[str, str]


def stop_on_signal() -> None:
    """The one line, where a server's page wants it."""
    if "GRACE" in os.environ:
        sse_bridge.shutdown_on_signal(float(os.environ["GRACE"]))


def note(*words: str) -> None:
    with Path(os.environ["NOTES"]).open("a") as notes:
        notes.write(json.dumps(words) + "\n")


def options_for(query: Query) -> dict[str, Any]:
    who = query.get("who", "nobody")
    return {"on_end": lambda summary: note("on_end", who, summary.ending)}


@contextmanager
def noted(query: Query) -> Iterator[None]:
    try:
        yield
    finally:
        note("finally", query["who"])


def silent(query: Query) -> Iterator[str]:
    """Blocked in a read: the upstream begins its answer and does not go on."""
    with noted(query), httpx.stream("GET", query["upstream"], timeout=None) as answer:
        yield "one"
        yield from answer.iter_lines()


async def async_silent(query: Query) -> AsyncIterator[str]:
    with noted(query):
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", query["upstream"]) as answer,
        ):
            yield "one"
            async for line in answer.aiter_lines():
                yield line


def endless(query: Query) -> Iterator[str]:
    """It never pauses for long."""
    with noted(query):
        while True:
            yield "one"
            time.sleep(TICK)


async def async_endless(query: Query) -> AsyncIterator[str]:
    with noted(query):
        while True:
            yield "one"
            await anyio.sleep(TICK)


def asking(query: Query) -> Iterator[str]:
    """It asks whether the server stops, and then says a last word."""
    with noted(query):
        while not sse_bridge.closing():
            yield "one"
            time.sleep(TICK)
        yield "bye"


async def async_asking(query: Query) -> AsyncIterator[str]:
    with noted(query):
        while not sse_bridge.closing():
            yield "one"
            await anyio.sleep(TICK)
        yield "bye"


def gated(query: Query) -> Iterator[str]:
    """It knows of nothing, and ends when the test permits it."""
    with noted(query), gate(query["gate"]) as wait:
        yield "one"
        wait()
        yield "two"


SYNC = {"silent": silent, "endless": endless, "asking": asking, "gated": gated}
ASYNC = {"silent": async_silent, "endless": async_endless, "asking": async_asking}


def source_for(name: str, kind: str, query: Query) -> Any:
    return (SYNC if kind == "sync" else ASYNC)[name](query)


def frames(query: Query) -> Iterator[str]:
    """What an app that knows nothing of us streams by hand."""
    for text in endless(query):
        yield f"data: {text}\n\n"


async def async_frames(query: Query) -> AsyncIterator[str]:
    async for text in async_endless(query):
        yield f"data: {text}\n\n"
