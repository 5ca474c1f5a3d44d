"""Any object as one line of JSON: what the plain adapter and passed chunks are written with."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import pathlib
import uuid
from collections.abc import Mapping
from typing import Any

from ..parts import SerializationError
from ..wire import encode_json, escape_separators


def object_json(chunk: Any) -> str:
    """One line of JSON for a mapping, a pydantic object, a dataclass, a list or a JSON value.

    Raises `SerializationError` for what has no JSON form (NaN and infinity have none).
    """
    try:
        # pydantic writes itself, much faster than by way of its dict; a mapping comes before a
        # dataclass because DashScope's chunks are both.
        if hasattr(type(chunk), "model_dump_json") and not isinstance(chunk, Mapping):
            return escape_separators(_pydantic_json(chunk))
        return encode_json(chunk, _default)
    except (TypeError, ValueError, RecursionError) as error:
        raise SerializationError(f"cannot write {_shown(chunk)} as JSON: {error}") from error


def can_be_json(chunk: Any) -> bool:
    """Whether an object tells its own fields, or only has attributes."""
    return (
        isinstance(chunk, Mapping)
        or hasattr(type(chunk), "model_dump_json")
        or dataclasses.is_dataclass(chunk)
    )


def _pydantic_json(chunk: Any) -> str:
    # SDKs build their objects without validation, so a field may have any type: no warning for that.
    text: str = chunk.model_dump_json(exclude_unset=True, warnings=False)
    if "NaN" in text or "Infinity" in text:
        encode_json(chunk.model_dump(mode="json", exclude_unset=True, warnings=False))
    return text


def _default(value: Any) -> Any:
    """What the JSON encoder does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True, warnings=False)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (decimal.Decimal, uuid.UUID, pathlib.PurePath)):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return list(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable")


def _shown(chunk: Any) -> str:
    shown = repr(chunk)
    return shown if len(shown) <= 200 else f"{shown[:200]}..."
