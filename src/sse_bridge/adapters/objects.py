"""Any object as one line of JSON: what the plain adapter and passed chunks are written with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..parts import SerializationError
from ..payload import encode_json, escape_separators

_DATACLASS = "__dataclass_fields__"  # what dataclasses itself looks for


def object_json(chunk: Any) -> str:
    """One line of JSON for a mapping, a pydantic object, a dataclass, a list or a JSON value.

    Raises `SerializationError` for what has no JSON form, NaN and infinity too; a pydantic object's own JSON
    has null for these.
    """
    try:
        if is_pydantic(type(chunk)):
            return escape_separators(_pydantic_json(chunk))
        return encode_json(chunk, _default)
    except (TypeError, ValueError, RecursionError) as error:
        raise SerializationError(f"cannot write {_shown(chunk)} as JSON: {error}") from error


def is_pydantic(kind: type) -> bool:
    """Whether objects of this type write themselves as JSON, which is faster than by way of a dict."""
    return hasattr(kind, "model_dump_json") and not issubclass(kind, dict)


def tells_its_fields(kind: type) -> bool:
    """Whether objects of this type can be written as JSON, or only have attributes."""
    return is_pydantic(kind) or issubclass(kind, dict) or hasattr(kind, _DATACLASS)


def _pydantic_json(chunk: Any) -> str:
    # SDKs build their objects without validation, so a field may have any type: no warning for that.
    text: str = chunk.model_dump_json(exclude_unset=True, warnings=False)
    return text


def _default(value: Any) -> Any:
    """What the JSON encoder does not know."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True, warnings=False)
    if hasattr(type(value), _DATACLASS):
        import dataclasses

        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return _library_value(value)


def _library_value(value: Any) -> Any:
    """What the standard library has beyond JSON; imported here, for few need it and all would wait for it."""
    import datetime
    import decimal
    import enum
    import pathlib
    import uuid

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
    try:
        shown = repr(chunk)
    except Exception:  # what is too deep for JSON may be too deep for repr
        return f"an object of type {type(chunk).__name__}"
    return shown if len(shown) <= 200 else f"{shown[:200]}..."
