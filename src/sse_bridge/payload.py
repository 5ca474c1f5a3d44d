"""JSON that fits one line of an event, also for readers that end lines where they should not."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

from . import fast
from .private import json_writer

Default = Callable[[Any], Any]
Encode = Callable[[Any], bytes]


def encode_json(value: Any, default: Default | None = None) -> str:
    """Return one compact line of JSON; for what JSON cannot represent (NaN too) raise as json does."""
    return encoder(default)(value).decode()


@lru_cache(maxsize=8)  # Making one costs more than writing a small object with it.
def encoder(default: Default | None = None) -> Encode:
    """Return the function that writes values as `encode_json` does with this default, in UTF-8."""
    standard = _standard(default)
    loaded = fast.load()
    return standard if loaded is None else _with_orjson(*loaded, standard)


def _with_orjson(dumps: fast.Dumps, options: int, standard: Encode) -> Encode:
    agrees = fast.agrees

    def encode(value: Any) -> bytes:
        line = None
        try:
            # The bytes that orjson returns occupy a block of a kilobyte, and letting hundreds of these wait for
            # the writer cost several times what the writing does: so they are copied, without the last character.
            made = dumps(value, None, options)[:-1]
            if agrees(value.values() if type(value) is dict else (value,)):
                line = made
        except (TypeError, RecursionError):  # refused, or too deep in the stack to tell
            pass
        # Outside of the `except`, or a traceback would show orjson's refusal in front of json's.
        if line is None:
            return standard(value)
        return line if line.isascii() else escape_line(line)

    return encode


def _standard(default: Default | None) -> Encode:
    public = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default
    )
    try:
        _c_encoder(public)
    except TypeError:  # PyPy has none; and its arguments are no promise
        return lambda value: escape_line(public.encode(value).encode())
    return _pooled(public)


def _c_encoder(public: json.JSONEncoder) -> Callable[[Any, int], tuple[str, ...]]:
    """The encoder that JSONEncoder.encode makes again for each value, at half of the cost of a small one."""
    marks: dict[int, Any] = {}  # the containers that are open: one met again is a cycle
    return json_writer(json.encoder, marks, public.default, encode_basestring)


def _pooled(public: json.JSONEncoder) -> Encode:
    # An encoder serves one value at a time, since its marks belong to that value. So it is taken out of the list
    # while it works: another thread, or a default that itself encodes, takes or makes another.
    idle: list[Callable[[Any, int], tuple[str, ...]]] = []

    def encode(value: Any) -> bytes:
        try:
            write = idle.pop()
        except IndexError:
            write = _c_encoder(public)
        text = "".join(write(value, 0))
        idle.append(write)  # not after an error, which leaves marks behind
        line = text.encode()
        return line if line.isascii() else escape_line(line)

    return encode


def escape_separators(text: str) -> str:
    """Escape, in JSON, the characters at which some readers wrongly end a line."""
    if text.isascii():
        return text
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return text.replace("\x85", "\\u0085")


def escape_line(line: bytes) -> bytes:
    """Do the same to JSON in UTF-8."""
    if line.isascii():
        return line
    if b"\xe2" in line:  # a search for one byte costs a tenth of one for several
        line = line.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return line.replace(b"\xc2\x85", b"\\u0085") if b"\xc2" in line else line


def quote(text: str) -> str:
    """Return the text as a JSON string on one line."""
    return escape_separators(encode_basestring(text))
