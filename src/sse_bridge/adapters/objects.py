"""Any object as one line of JSON: what the plain adapter and passed chunks are written with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ..parts import SerializationError
from ..payload import encoder, escape_line

_DATACLASS = "__dataclass_fields__"  # what dataclasses itself looks for

_TYPES = 256  # so many are remembered and no more, for some are made at run time
_writers: dict[type, Callable[[Any], bytes]] = {}  # asked at a third of lru_cache's cost


def _by_type(ask: Callable[[type], bool]) -> Callable[[type], bool]:
    """What is asked of every chunk, remembered by its type."""
    return lru_cache(maxsize=_TYPES)(ask)


def object_json(chunk: Any) -> bytes:
    """One line of JSON, in UTF-8, for a mapping, a pydantic object, a dataclass, a list or a JSON value.

    Raises `SerializationError` for what has no JSON form, NaN and infinity too; a pydantic object's own JSON
    has null for these.
    """
    try:
        write = _writers.get(type(chunk)) or _remember(type(chunk))
        return write(chunk)
    except (TypeError, ValueError, RecursionError) as error:
        raise SerializationError(f"cannot write {_shown(chunk)} as JSON: {error}") from error


@_by_type
def is_pydantic(kind: type) -> bool:
    """Whether objects of this type write themselves as JSON, which is faster than by way of a dict."""
    return hasattr(kind, "model_dump_json") and not issubclass(kind, dict)


@_by_type
def tells_its_fields(kind: type) -> bool:
    """Whether objects of this type can be written as JSON, or only have attributes."""
    return is_pydantic(kind) or issubclass(kind, dict) or hasattr(kind, _DATACLASS)


def _remember(kind: type) -> Callable[[Any], bytes]:
    write = _writer(kind)
    if len(_writers) >= _TYPES:
        _writers.clear()
    _writers[kind] = write
    return write


def _writer(kind: type) -> Callable[[Any], bytes]:
    """What writes objects of this type."""
    if not is_pydantic(kind):
        return encoder(_default)
    method = kind.model_dump_json  # type: ignore[attr-defined] # is_pydantic has looked
    if getattr(method, "__module__", None) == "pydantic.main":
        return _by_serializer(method.__kwdefaults__["by_alias"])
    return _by_method  # its own, as the OpenAI SDK's with pydantic 1


# SDKs build their objects without validation, so a field may have any type: no warning for that.


def _by_method(chunk: Any) -> bytes:
    text: str = chunk.model_dump_json(exclude_unset=True, warnings=False)
    line = text.encode()
    if b"\n" in line or b"\r" in line:  # JSON on several lines: there they are only space
        line = b" ".join(line.splitlines())
    return escape_line(line)


def _by_serializer(by_alias: bool | None) -> Callable[[Any], bytes]:
    # What pydantic's own model_dump_json calls, without its dozen keywords. They have the serializer's own
    # defaults, except for by_alias before pydantic 2.11.
    def write(chunk: Any) -> bytes:
        line: bytes = chunk.__pydantic_serializer__.to_json(
            chunk, by_alias=by_alias, exclude_unset=True, warnings=False
        )
        return line if line.isascii() else escape_line(line)

    return write


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
