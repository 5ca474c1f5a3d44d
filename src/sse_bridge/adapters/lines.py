"""The lines adapter: a body of JSON lines, each of them a chunk for another adapter."""

from __future__ import annotations

import json
from typing import Any

from ..parts import Part
from ..shapes import noted
from ..surrogates import Pieces
from .base import Adapter, Parts, Reader, Wish, broken

LINE_LIMIT = 16 * 1024 * 1024  # bytes of one line


class JsonLines:
    """``bytes`` or ``str``, cut anywhere, that are lines of JSON (NDJSON); `adapter` reads what each line holds."""

    name = "json-lines"

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.is_model = getattr(adapter, "is_model", False)

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return JsonLinesReader(self._adapter.reader(wish))


class JsonLinesReader:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._text = Pieces()
        self._rest = bytearray()

    def read(self, chunk: Any) -> Parts:
        self._rest += self._text.add(chunk).encode() if isinstance(chunk, str) else bytes(chunk)
        *lines, rest = self._rest.split(b"\n")
        self._rest = rest
        if len(rest) > LINE_LIMIT:
            raise ValueError(f"a line of more than {LINE_LIMIT} bytes: no lines of JSON")
        return self._read_all(lines)

    def end(self) -> Parts:
        return (*self._read_all([self._rest]), *self._reader.end())

    def _read_all(self, lines: list[bytearray]) -> Parts:
        parts: list[Part] = []
        for line in lines:
            text = line.strip()
            if text and text != b"[DONE]":  # which some add for readers of event streams
                try:
                    parts += self._reader.read(_value(text))
                except Exception as error:  # the good lines before it have been said
                    return broken(parts, error)
        return parts


def _value(line: bytearray) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise ValueError(
            f"a line of the body is no JSON, but {noted(bytes(line))}: {error}"
        ) from error
