"""What the faces are given besides options, checked where it is given."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .media import EVENTS, media_type

_LINE = re.compile(r"\d{3}( [^\r\n]*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2: token


def check_media_type(name: str, value: Any) -> None:
    """Raise for a media type that an event stream cannot have; None is for ours."""
    if value is None:
        return
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r}")
    if media_type(value) != EVENTS:
        raise ValueError(f"{name} of an event stream is {EVENTS!r}, got {value!r}")


def check_status_code(name: str, value: Any) -> None:
    """Raise for what is not a status that an answer with a body can have."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int, got {value!r}")
    if not 200 <= value <= 599:
        raise ValueError(f"{name} must be from 200 to 599, got {value!r}")


def check_status(name: str, value: Any) -> None:
    """The same for a status as WSGI has it, ``"200 OK"``."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str like '200 OK', got {value!r}")
    if not _LINE.fullmatch(value) or not 200 <= int(value[:3]) <= 599:
        raise ValueError(f"{name} must be a status like '200 OK', got {value!r}")


def check_headers(headers: Any) -> None:
    """Raise for what are not headers: a mapping, or pairs, of names and values; None is for none."""
    if headers is None:
        return
    if isinstance(headers, (str, bytes)):
        raise TypeError(f"headers must be a mapping or pairs of str, got {headers!r}")
    try:
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
    except TypeError:
        raise TypeError(f"headers must be a mapping or pairs of str, got {headers!r}") from None
    for pair in pairs:
        _check_header(pair)


def _check_header(pair: Any) -> None:
    if isinstance(pair, str) or not hasattr(pair, "__len__") or len(pair) != 2:
        raise TypeError(f"headers must be pairs of a name and a value, got {pair!r}")
    name, value = pair
    if not isinstance(name, str) or not isinstance(value, str):
        raise TypeError(f"headers must be pairs of str, got {pair!r}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"headers must have names like 'X-Own', got {name!r}")
    if any(control in value for control in "\r\n\0"):
        raise ValueError(f"headers must have values of one line, got {pair!r}")
