"""The simplest driver: no thread, no task, no timer. It is the reference: read it first.

The caller who iterates it waits. So a keep-alive or a timeout comes only when the source yields its next chunk,
and a failure within `hold` is raised where the first bytes are asked for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from typing import Any

from ..adapters.base import Reader
from ..failures import CutShort
from ..options import Options
from ..stream import Stream
from .sources import walk

Clock = Callable[[], float]


def drive(
    source: Iterable[Any], options: Options, clock: Clock = time.monotonic
) -> Iterator[bytes]:
    """Iterate a sync source to its end, and yield the bytes as they are made."""
    stream, reader = options.open()
    yield stream.start(clock())
    try:
        for chunk in walk(source):
            yield _say(stream, reader, chunk, clock())
            if stream.ending is not None:
                break
        else:
            yield _finish(stream, reader, clock())
    except Exception as error:
        yield stream.fail(error, clock())
    _raise_if_untold(stream)


async def adrive(
    source: AsyncIterable[Any], options: Options, clock: Clock = time.monotonic
) -> AsyncIterator[bytes]:
    """The same for an async source."""
    stream, reader = options.open()
    yield stream.start(clock())
    try:
        async for chunk in source:
            yield _say(stream, reader, chunk, clock())
            if stream.ending is not None:
                break
        else:
            yield _finish(stream, reader, clock())
    except Exception as error:
        yield stream.fail(error, clock())
    _raise_if_untold(stream)


def _say(stream: Stream, reader: Reader, chunk: Any, now: float) -> bytes:
    """The bytes of one chunk, and those that are due by now."""
    data = stream.feed(reader.read(chunk), now)
    return data + stream.tick(now)


def _finish(stream: Stream, reader: Reader, now: float) -> bytes:
    return stream.feed(reader.end(), now, 0) + stream.finish(now)


def _raise_if_untold(stream: Stream) -> None:
    """Raise what the client could not be told: a failure before the first byte, or a cut after it."""
    if stream.held and stream.error is not None:
        raise stream.error
    if stream.cut:
        raise CutShort
