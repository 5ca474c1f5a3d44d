"""Event streams for FastAPI: the same as `sse_bridge.starlette`, under FastAPI's name."""

from __future__ import annotations

from .starlette import EventSourceResponse, event_stream

__all__ = ["EventSourceResponse", "event_stream"]
