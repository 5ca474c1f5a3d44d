"""Any generator of LLM chunks as a live, honest event stream in the web framework you already have."""

from __future__ import annotations

from typing import NoReturn

from . import adapters, dialects
from .parts import UpstreamError
from .summary import Ending, Summary
from .wire import Decoder, ServerSentEvent

__version__ = "0.1.0"

__all__ = [
    "Decoder",
    "Ending",
    "ServerSentEvent",
    "Summary",
    "UpstreamError",
    "adapters",
    "dialects",
]


def __getattr__(name: str) -> NoReturn:
    if name in ("shutdown", "shutdown_on_signal"):
        raise ImportError(f"sse_bridge.{name} comes in a later release")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
