"""Stream any generator of LLM chunks as Server-Sent Events from the web framework you already have."""

from __future__ import annotations

from . import adapters, dialects, parts
from .failures import UpstreamError
from .stopping import closing, shutdown, shutdown_on_signal
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
    "closing",
    "dialects",
    "parts",
    "shutdown",
    "shutdown_on_signal",
]


def __dir__() -> list[str]:
    """The public names, without those of modules that were imported on the way."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
