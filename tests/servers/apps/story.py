"""The sources that the Flask and the Starlette app both stream, sync and async."""

import itertools
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

from gates import async_gate, gate

from sse_bridge import Summary

CHUNKS: list[Any] = [
    "Hel",
    "lo ",
    "",
    None,
    "你好\nzwei",
    {"count": 1},
    b"\xe4\xbd",
    b"\xa0",
    [1.5, None],
]

Options = Mapping[str, str]


RUNS: Counter[str] = Counter()  # how often a source ran, by the key that its test gave it


ENDINGS: dict[str, str] = {}  # how a stream ended, by that key
PINGS: dict[str, int] = {}  # and how many keep-alives it had


def told(options: Options) -> Iterator[Any]:
    """All at once."""
    RUNS[options.get("key", "")] += 1
    yield from CHUNKS


def long(options: Options) -> Iterator[Any]:
    """More than fits any buffer on the way."""
    yield from (f"chunk {number} {'x' * 1000}" for number in range(1000))


def failing(options: Options) -> Iterator[Any]:
    """Two chunks, then a failure."""
    yield "one"
    yield "two"
    raise RuntimeError("the secret")


def refused(options: Options) -> Iterator[Any]:
    """A failure before the first chunk."""
    raise LookupError("early")
    yield


def lost(options: Options) -> Iterator[Any]:
    """The upstream cannot be reached: to a server, the error of a connection may be that of its own."""
    raise ConnectionRefusedError(111, "the secret")
    yield


def gated(options: Options) -> Iterator[Any]:
    """Each chunk when the test permits it."""
    with gate(options["gate"]) as wait:
        for number in itertools.count(1):
            if not wait():
                return
            yield f"chunk {number}"


def endless(options: Options) -> Iterator[Any]:
    """As fast as they are taken."""
    while True:
        yield "x" * 1000


def silent(options: Options) -> Iterator[Any]:
    """One chunk, then blocked until the test permits the end."""
    with gate(options["gate"]) as wait:
        yield "one"
        wait()
        yield "two"


def paused(options: Options) -> Iterator[Any]:
    """Three chunks, with time for keep-alives between them."""
    for number in range(1, 4):
        yield str(number) if "texts" in options else {"number": number}
        time.sleep(0.1)


SYNC: dict[str, Callable[[Options], Iterator[Any]]] = {
    source.__name__: source
    for source in (told, long, failing, refused, lost, gated, endless, silent, paused)
}


async def async_gated(options: Options) -> AsyncIterator[Any]:
    more = "x" * int(options.get("size", "0"))
    async with async_gate(options["gate"]) as wait:
        for number in itertools.count(1):
            if not await wait():
                return
            yield f"chunk {number}{more}"


async def async_silent(options: Options) -> AsyncIterator[Any]:
    async with async_gate(options["gate"]) as wait:
        yield "one"
        await wait()
        yield "two"


ASYNC = {"gated": async_gated, "silent": async_silent}


async def as_async(chunks: Iterator[Any]) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


def source_for(name: str, kind: str, options: Options) -> Any:
    """The source of that name, as a sync or an async generator."""
    if kind == "sync":
        return SYNC[name](options)
    return ASYNC[name](options) if name in ASYNC else as_async(SYNC[name](options))


def stream_options(options: Options) -> dict[str, Any]:
    """The library's options that a test gives in the query."""
    made: dict[str, Any] = {}
    for name in ("ping", "hold", "stall_timeout", "max_duration", "send_timeout"):
        if name in options:
            made[name] = float(options[name])
    for name in ("retry", "max_streams"):
        if name in options:
            made[name] = int(options[name])
    if "key" in options:
        key = options["key"]
        made["on_end"] = lambda summary: note_end(key, summary)
    for name in ("dialect", "ping_form"):
        if name in options:
            made[name] = options[name]
    return made


def note_end(key: str, summary: Summary) -> None:
    ENDINGS[key], PINGS[key] = summary.ending, summary.pings


def resident() -> int:
    """This process's resident memory, in bytes."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
