"""Dialects translate our parts into what the client expects: one module for each protocol."""

from __future__ import annotations

from typing import Literal

from .base import Dialect
from .delta import Delta
from .openai import OpenAI
from .plain import Plain

__all__ = ["Delta", "Dialect", "DialectName", "OpenAI", "Plain", "by_name"]

DialectName = Literal["plain", "openai", "delta"]

_NAMED: dict[str, Dialect] = {"plain": Plain(), "openai": OpenAI(), "delta": Delta()}
_LATER = ("ai-sdk",)


def by_name(name: str) -> Dialect:
    """The dialect of that name; raises `ValueError` for a name that is unknown or not implemented yet."""
    if name in _NAMED:
        return _NAMED[name]
    known = ", ".join(map(repr, _NAMED))
    if name in _LATER:
        raise ValueError(f"dialect {name!r} comes in a later release; available: {known}")
    raise ValueError(f"dialect must be one of {known} or a Dialect, got {name!r}")
