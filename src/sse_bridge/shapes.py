"""Describes a value without quoting its text, for errors and the log, where no chat's words belong.

Rules of this file:

1. Text is described by its length, a container by its size or the names of its fields, an object by its type.
   Numbers, booleans and None are shown, and so is a text that is surely a name: short, and of letters.
2. The value itself is logged at level DEBUG, for those who turn it on.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Set
from typing import Any

_log = logging.getLogger("sse_bridge")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]{0,39}")
_FIELDS = 10  # so many are listed by name
_DIGITS = 40  # a longer number is described by its size
_QUOTED = 500  # characters of a value, at the level DEBUG


def noted(value: Any) -> str:
    """The value's shape, for a message; the value itself is logged at level DEBUG."""
    if _log.isEnabledFor(logging.DEBUG):
        _log.debug("the value that the next message describes: %.*s", _QUOTED, _quoted(value))
    return shape(value)


def shape(value: Any) -> str:
    """What the value is, without quoting its text."""
    kind = type(value).__name__
    if value is None or isinstance(value, bool):
        return repr(value)
    if isinstance(value, float):
        return float.__repr__(value)
    if isinstance(value, int):
        return (
            int.__repr__(value)
            if value.bit_length() < 3 * _DIGITS
            else f"an int of {value.bit_length()} bits"
        )
    if isinstance(value, str):
        return f"a {kind} of {len(value)} characters"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{kind} of length {len(value)}"
    if isinstance(value, Mapping):
        return f"a {kind} {_fields(value)}"
    if isinstance(value, (list, tuple, Set)) and not hasattr(value, "_fields"):  # of a NamedTuple
        return f"a {kind} of length {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__qualname__}"
    return f"an object of the type {type(value).__module__}.{type(value).__qualname__}"


def named(word: Any) -> str:
    """The name of a field or a kind; its length, where it may be a user's words."""
    if isinstance(word, str):
        return (
            repr(str.__str__(word))
            if _NAME.fullmatch(word)
            else f"a name of {len(word)} characters"
        )
    return shape(word)


def _fields(value: Mapping[Any, Any]) -> str:
    if not value:
        return "without fields"
    first = [named(field) for field, _ in zip(value, range(_FIELDS), strict=False)]
    more = [f"{len(value) - _FIELDS} more"] if len(value) > _FIELDS else []
    return f"with the fields {', '.join([*first, *more])}"


def _quoted(value: Any) -> str:
    try:
        return repr(value)
    except BaseException as error:  # a value too deep for JSON may be too deep for repr
        return f"{shape(value)}, whose repr raised {type(error).__name__}"
