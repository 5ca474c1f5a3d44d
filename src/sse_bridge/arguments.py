"""Checks of the arguments that the faces (framework integrations) take besides options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .media import EVENTS, media_type

_LINE = re.compile(r"[0-9]{3}( [\t\x20-\x7e\x80-\xff]*)?")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: token


def flag(name: str, value: Any) -> bool:
    """The value, which must be True or False."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def check_media_type(name: str, value: Any) -> None:
    """Raise for a media type that an event stream cannot have; None stands for ours."""
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    if media_type(value) != EVENTS:
        raise ValueError(f"{name} of an event stream is {EVENTS!r}, got {value!r}")


def check_status_code(name: str, value: Any) -> None:
    """Raise for what is not the status code of a response with a body."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if not _has_body(value):
        raise ValueError(f"{name} must be one of a response with a body, got {value!r}")


def check_status(name: str, value: Any) -> None:
    """The same for a status as WSGI has it, ``"200 OK"``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str like '200 OK', got {value!r}")
    if not _LINE.fullmatch(value) or not _has_body(int(value[:3])):
        raise ValueError(f"{name} must be a status like '200 OK', got {value!r}")


def check_flasks_status(name: str, value: Any) -> None:
    """The same for a status as Flask has it: either of the two, or None for its own."""
    if value is not None:
        check = check_status if isinstance(value, str) else check_status_code
        check(name, value)


def _has_body(code: int) -> bool:
    return 200 <= code <= 599 and code not in (204, 205, 304)


def checked_headers(headers: Any, *, mapping: bool = False) -> list[tuple[str, str]] | None:
    """Headers, a mapping or pairs of names and values, as pairs; raises for anything else. None stands for none."""
    if headers is None:
        return None
    wanted = "a mapping of str" if mapping else "a mapping or pairs of str"
    if isinstance(headers, (str, bytes)) or (mapping and not isinstance(headers, Mapping)):
        raise TypeError(f"headers must be {wanted}, got {headers!r}")
    try:
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    except TypeError:
        raise TypeError(f"headers must be {wanted}, got {headers!r}") from None
    for pair in pairs:
        _check_header(pair)
    return pairs


def _check_header(pair: Any) -> None:
    if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise TypeError(f"headers must be pairs of a name and a value, got {pair!r}")
    name, value = pair
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"headers must be pairs of str, got {pair!r}")
    if name.lower() in ("content-length", "transfer-encoding"):
        raise ValueError(
            f"headers must not have {name!r}: a stream has no length, and the server frames it"
        )
    if not _NAME.fullmatch(name):
        raise ValueError(f"headers must have names like 'X-Own', got {name!r}")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"headers must have values of one line in latin-1, got {pair!r}")
