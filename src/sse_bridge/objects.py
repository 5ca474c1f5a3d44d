"""Any object as one line of JSON: it writes chunks that pass unchanged, and the data of events."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from .codes import SDKS
from .failures import SerializationError
from .payload import encoder, escape_line
from .private import PYDANTICS_OWN, STAINLESS, by_alias_of
from .shapes import noted

Default = Callable[[Any], Any]
Write = Callable[[Any], bytes]

_DATACLASS = "__dataclass_fields__"  # what dataclasses itself looks for

_TYPES = 256  # so many are remembered and no more, for some are made at run time


def _by_type(ask: Callable[[type], bool]) -> Callable[[type], bool]:
    """Caches, by type, an answer that every chunk needs."""
    return lru_cache(maxsize=_TYPES)(ask)


@_by_type
def has_more_than_keys(kind: type) -> bool:
    """Whether objects of this type are dicts and dataclasses at once, as huggingface_hub's are."""
    return issubclass(kind, dict) and hasattr(kind, _DATACLASS)


def all_fields(thing: Any) -> Any:
    """Such a dict as a mere one: what is within it is whole in its attributes only."""
    if isinstance(thing, list):
        return [all_fields(item) for item in thing]
    if not isinstance(thing, dict):
        return thing
    whole = vars(thing) if has_more_than_keys(type(thing)) else {}
    return {name: all_fields(whole.get(name, value)) for name, value in thing.items()}


class ObjectWriter:
    """Writes any object as one line of JSON; `json_default` converts a value that JSON cannot represent.

    A pydantic object is written as its own ``model_dump_json`` does; an SDK's object, as it came over the wire.
    """

    def __init__(self, json_default: Default | None = None) -> None:
        self._json_default = json_default
        self._fallback = {} if json_default is None else {"fallback": json_default}
        self._writers: dict[type, Write] = {}  # asked at a third of lru_cache's cost

    def write(self, chunk: Any) -> bytes:
        """One line of JSON, in UTF-8, for a mapping, a pydantic object, a dataclass, a list or a JSON value.

        Raises `SerializationError` for what has no JSON form, NaN and infinity too; a pydantic object's own JSON
        has null for these. A lone surrogate is written as its JSON escape.
        """
        try:
            write = self._writers.get(type(chunk)) or self._remember(type(chunk))
            return write(chunk)
        except Exception as error:
            if "surrogates not allowed" in str(error):
                return self._escaped(chunk)
            raise _refused(chunk, error) from error

    def write_whole(self, chunk: Any) -> bytes:
        """The same, but a lone surrogate is refused as well."""
        try:
            write = self._writers.get(type(chunk)) or self._remember(type(chunk))
            return write(chunk)
        except Exception as error:
            raise _refused(chunk, error) from error

    def _escaped(self, chunk: Any) -> bytes:
        try:
            text = json.dumps(chunk, allow_nan=False, separators=(",", ":"), default=self._default)
        except Exception as error:
            raise _refused(chunk, error) from error
        return text.encode()

    def _remember(self, kind: type) -> Write:
        write = self._writer(kind)
        if len(self._writers) >= _TYPES:
            self._writers.clear()
        self._writers[kind] = write
        return write

    def _writer(self, kind: type) -> Write:
        """The function that writes objects of this type."""
        if not is_pydantic(kind):
            write = encoder(self._default)
            return (lambda chunk: write(all_fields(chunk))) if has_more_than_keys(kind) else write
        method = kind.model_dump_json  # type: ignore[attr-defined] # is_pydantic has looked
        if getattr(method, "__module__", None) == PYDANTICS_OWN:
            return _by_serializer(by_alias_of(method), is_sdks(kind), self._fallback)
        # It has a method of its own, as openai's models have with pydantic 1.
        return _by_method_unset if is_sdks(kind) else _by_method

    def _default(self, value: Any) -> Any:
        """A JSON value for what the JSON encoder does not know."""
        if isinstance(value, Mapping):
            return dict(value)
        if hasattr(type(value), "model_dump"):
            unset = is_sdks(type(value))
            return value.model_dump(
                mode="json", exclude_unset=unset, warnings=False, **self._fallback
            )
        if hasattr(type(value), _DATACLASS):
            import dataclasses

            return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return _library_value(value, self._json_default)


@_by_type
def is_pydantic(kind: type) -> bool:
    """Whether objects of this type write themselves as JSON, which is faster than by way of a dict."""
    return hasattr(kind, "model_dump_json") and not issubclass(kind, dict)


@_by_type
def is_sdks(kind: type) -> bool:
    """Whether this type belongs to a vendor's SDK: such objects have a field for all that a service may send.

    It is recognized by its name, or as one generated by Stainless.
    """
    package = kind.__module__.partition(".")[0]
    if package in SDKS:
        return True
    # Each of its SDKs has a base class of its own; that of a class of yours is in another package.
    makers = [base for base in kind.__mro__ if STAINLESS in _keywords(vars(base).get("to_dict"))]
    return any(base.__module__.partition(".")[0] == package for base in makers)


def _keywords(function: Any) -> Iterable[str]:
    return getattr(function, "__kwdefaults__", None) or ()


@_by_type
def tells_its_fields(kind: type) -> bool:
    """Whether objects of this type can be written as JSON, or only have attributes."""
    return is_pydantic(kind) or issubclass(kind, dict) or hasattr(kind, _DATACLASS)


# SDKs build their objects without validation, so a field may have any type: no warning for that.


def _by_method(chunk: Any) -> bytes:
    return _on_one_line(chunk.model_dump_json())


def _by_method_unset(chunk: Any) -> bytes:
    return _on_one_line(chunk.model_dump_json(exclude_unset=True, warnings=False))


def _on_one_line(text: str) -> bytes:
    line = text.encode()
    if b"\n" in line or b"\r" in line:  # JSON on several lines: there they are only space
        line = b" ".join(line.splitlines())
    return escape_line(line)


def _by_serializer(by_alias: bool | None, unset: bool, more: dict[str, Any]) -> Write:
    # What pydantic's own model_dump_json calls, without its dozen keywords: the serializer has the same defaults,
    # and takes its time for each that is given.
    if by_alias is not None:
        more = {**more, "by_alias": by_alias}

    def write(chunk: Any) -> bytes:
        line: bytes = chunk.__pydantic_serializer__.to_json(
            chunk, exclude_unset=unset, warnings=False
        )
        return line if line.isascii() else escape_line(line)

    def write_more(chunk: Any) -> bytes:
        line: bytes = chunk.__pydantic_serializer__.to_json(
            chunk, exclude_unset=unset, warnings=False, **more
        )
        return escape_line(line)

    return write_more if more else write


def _library_value(value: Any, json_default: Default | None) -> Any:
    """A JSON value for types of the standard library; imported here, since few need it and all would wait."""
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
    if json_default is not None:
        return json_default(value)
    raise TypeError(f"{type(value).__name__} is not JSON serializable: {_advice(value)}")


def _advice(value: Any) -> str:
    if is_response(value):
        return "a response is no chunk; to refuse a request, raise or abort before the first chunk"
    return "give json_default= to convert it"


def is_response(value: Any) -> bool:
    """Whether it looks like an HTTP response, of whichever library."""
    return hasattr(value, "status_code") and hasattr(value, "headers")


def _refused(chunk: Any, error: Exception) -> SerializationError:
    return SerializationError(f"cannot write {noted(chunk)} as JSON: {error}")


OBJECTS = ObjectWriter()  # all that have no `json_default` share it
object_json = OBJECTS.write


def object_writer(json_default: Default | None) -> ObjectWriter:
    """The writer for this `json_default`; for None, the one that all share."""
    return OBJECTS if json_default is None else ObjectWriter(json_default)
