"""Every vendor's chunks, by their shape: what `auto` asks for an object that it does not know."""

from __future__ import annotations

from typing import Any

from . import (
    anthropic,
    bedrock,
    cohere,
    google,
    huggingface,
    langgraph,
    llamaindex,
    mistral,
    ollama,
    openai_agents,
    pydantic_ai,
    responses,
    smolagents,
)
from .vendor import Vendor

# The first whose chunk it is has it: what wraps another's events stands before those.
VENDORS: tuple[Vendor, ...] = (
    openai_agents.VENDOR,
    responses.VENDOR,
    anthropic.VENDOR,
    cohere.VENDOR,
    bedrock.VENDOR,
    huggingface.VENDOR,
    mistral.VENDOR,
    google.VENDOR,
    ollama.VENDOR,
    langgraph.VENDOR,  # it reads LangChain's as well: a source may give both
    llamaindex.VENDOR,
    pydantic_ai.VENDOR,
    smolagents.VENDOR,
)

FIELDS = frozenset().union(*(vendor.fields for vendor in VENDORS))


def vendor_of(chunk: Any) -> Vendor | None:
    """Whose chunk this surely is; None for what is nobody's."""
    if isinstance(chunk, dict) and FIELDS.isdisjoint(chunk):
        return None
    if isinstance(chunk, tuple) and hasattr(chunk, "_fields"):  # no SDK makes named ones: an app's
        return None
    if not isinstance(chunk, dict) and _has_any_field(chunk):
        return None
    return next((vendor for vendor in VENDORS if vendor.looks_like(chunk)), None)


def _has_any_field(chunk: Any) -> bool:
    """Whether an object answers whatever it is asked for, or will not be asked: no SDK makes such."""
    try:
        return getattr(chunk, "sse_bridge_no_such_field", _NONE) is not _NONE
    except Exception:
        return True


_NONE = object()
