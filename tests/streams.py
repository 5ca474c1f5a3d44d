"""Streams to feed by hand."""

from __future__ import annotations

from typing import Any

from sse_bridge import dialects
from sse_bridge.parts import Start
from sse_bridge.stream import Stream
from sse_bridge.times import Limits


def open_stream(dialect: str = "plain", limits: Limits | None = None, **options: Any) -> Stream:
    voice = dialects.by_name(dialect).voice()
    return Stream(voice, Start("id-1", 1), limits or Limits(), **options)


def started(at: float = 0.0, **options: Any) -> Stream:
    stream = open_stream(**options)
    assert stream.start(at) == b""
    return stream
