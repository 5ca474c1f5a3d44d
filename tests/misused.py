"""Ways to stream what nobody should stream: what a client reads of it, and the one word that `on_end` hears."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable
from typing import Any

import pytest

import whatwg
from driving import on_anyio, run_trio
from sse_bridge import Summary
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams

PATIENCE = 10.0
DONE = ("done", "[DONE]", "[DONE]")


def in_threads(source: Any, options: Options) -> bytes:
    body = Body(source, options, contextvars.copy_context())
    try:
        return b"".join(body)
    finally:
        body.close()


def in_asyncio(source: Any, options: Options) -> bytes:
    return asyncio.run(on_anyio(source, options))


def in_trio(source: Any, options: Options) -> bytes:
    told: bytes = run_trio(on_anyio, source, options)
    return told


DRIVERS = pytest.mark.parametrize("run", [in_threads, in_asyncio, in_trio])
Run = Callable[[Any, Options], bytes]


def streamed(run: Run, source: Any, **options: Any) -> tuple[bytes, Summary]:
    """What a client reads, or b"" for a failure before the first byte; and what `on_end` heard, which is once."""
    told: list[Summary] = []
    try:
        body = run(source, Options(on_end=told.append, **options))
    except Exception:
        body = b""
    assert len(told) == 1
    return body, told[0]


def failure(body: bytes) -> str:
    """The code that the client was told at its end."""
    last = whatwg.events(body)[-1]
    assert last.type == "error", body
    return last.data.partition('"code":"')[2].partition('"')[0]


def boom(*_: object) -> Any:
    """For any method of anything."""
    raise LookupError("a secret")


def gives(thing: Any) -> Any:
    """A callable of nothing."""
    return lambda: thing


class Raising:
    """No generator, which would turn StopIteration into a RuntimeError."""

    def __init__(self, error: type[BaseException], words: int) -> None:
        self._error, self._words = error, words

    def __iter__(self) -> Raising:
        return self

    def __next__(self) -> str:
        self._words -= 1
        if self._words >= 0:
            return "a"
        raise self._error("a secret")


class Hostile:
    """Each of its special methods raises."""

    __eq__ = __bool__ = __len__ = __str__ = __repr__ = __iter__ = __contains__ = boom  # type: ignore[assignment]
    __hash__ = __getattr__ = __getitem__ = __format__ = __bytes__ = __index__ = boom  # type: ignore[assignment]


def wait_until_all_is_over() -> None:
    """Nothing is open, and no source runs."""
    end = time.monotonic() + PATIENCE
    while streams.open or streams.stragglers:
        assert time.monotonic() < end
        time.sleep(0.005)
