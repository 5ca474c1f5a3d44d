"""Every vendor's chunks, by their shape: what `auto` asks for an object that it does not know."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
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

_TUPLES = (langgraph.VENDOR,)

FIELDS = frozenset().union(*(vendor.fields for vendor in VENDORS))


def vendor_of(chunk: Any) -> Vendor | None:
    """Whose chunk this surely is; None for what is nobody's."""
    return next((vendor for vendor in _candidates(chunk) if vendor.looks_like(chunk)), None)


def _candidates(chunk: Any) -> Iterable[Vendor]:
    """Whose it may be: each dict and each tuple of an app's own is asked about, so few are to look closely."""
    if isinstance(chunk, dict):
        return _with_some_of(FIELDS.intersection(chunk))
    if isinstance(chunk, tuple):  # no SDK makes named ones
        return () if hasattr(chunk, "_fields") else _TUPLES
    return () if _has_any_field(chunk) else VENDORS


@lru_cache(maxsize=256)
def _with_some_of(fields: frozenset[str]) -> tuple[Vendor, ...]:
    return tuple(vendor for vendor in VENDORS if not vendor.fields.isdisjoint(fields))


def _has_any_field(chunk: Any) -> bool:
    """Whether an object answers whatever it is asked for, or will not be asked: no SDK makes such."""
    try:
        return getattr(chunk, "sse_bridge_no_such_field", _NONE) is not _NONE
    except Exception:
        return True


_NONE = object()
