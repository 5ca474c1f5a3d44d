"""Event streams for FastAPI: what `sse_bridge.starlette` has, under the name that one looks for."""

from __future__ import annotations

from .starlette import EventSourceResponse, event_stream

__all__ = ["EventSourceResponse", "event_stream"]
