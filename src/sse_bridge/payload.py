"""JSON that fits one line of an event, also for readers that end lines where they should not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any


def encode_json(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """Return one compact line of JSON; for what JSON cannot say (NaN too) raise as json does."""
    return escape_separators(_encoder(default).encode(value))


@lru_cache(maxsize=8)  # Making a JSONEncoder costs more than encoding a small object with it.
def _encoder(default: Callable[[Any], Any] | None) -> json.JSONEncoder:
    return json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default
    )


def escape_separators(text: str) -> str:
    """Escape, in JSON, the characters at which some readers wrongly end a line."""
    if text.isascii():
        return text
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.replace("\x85", "\\u0085")


def quote(text: str) -> str:
    """Return the text as a JSON string on one line."""
    return escape_separators(encode_basestring(text))
