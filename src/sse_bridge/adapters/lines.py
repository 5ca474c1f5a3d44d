"""The lines adapter: a body of JSON lines, each of them a chunk for another adapter.

Rules of this file:

1. A byte is searched once, however the body is cut: only new bytes are searched for line ends.
2. What the lines before a bad one have said is not lost, wherever the body is cut.
3. No line is longer than `LINE_LIMIT` bytes.
"""

from __future__ import annotations

import json
from typing import Any

from ..parts import Part
from ..shapes import noted
from ..surrogates import Pieces
from .base import Adapter, Parts, Reader, Wish, broken, in_turn

LINE_LIMIT = 16 * 1024 * 1024  # bytes of one line


class JsonLines:
    """``bytes`` or ``str``, cut anywhere, that are lines of JSON (NDJSON); `adapter` reads each line's value."""

    name = "json-lines"

    def __init__(self, adapter: Adapter) -> None:
        self._adapter = adapter
        self.is_model = getattr(adapter, "is_model", False)

    def reader(self, wish: Wish) -> Reader:
        """The reader for a new stream."""
        return JsonLinesReader(self._adapter.reader(wish))


class JsonLinesReader:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._text = Pieces()
        self._rest = bytearray()  # a line whose end has not come

    def read(self, chunk: Any) -> Parts:
        *ends, rest = self._encoded(chunk).split(b"\n")
        parts: list[Part] = []
        try:
            for end in ends:
                self._keep(end)
                parts += self._line()
            self._keep(rest)
        except Exception as error:  # the good lines before it have been said
            return broken(parts, error)
        return parts

    def end(self) -> Parts:
        return in_turn(self._line, self._reader.end)

    def _encoded(self, chunk: Any) -> bytes:
        if isinstance(chunk, str):
            return self._text.add(chunk).encode()
        if isinstance(chunk, (bytes, bytearray, memoryview)):
            return bytes(chunk)
        raise TypeError(f"a body of JSON lines must be bytes or str, got {noted(chunk)}")

    def _keep(self, piece: bytes) -> None:
        if len(self._rest) + len(piece) > LINE_LIMIT:
            raise ValueError(
                f"a line of more than {LINE_LIMIT} bytes: the body is not lines of JSON"
            )
        self._rest += piece

    def _line(self) -> Parts:
        """The parts of the line that is complete now."""
        text = self._rest.strip()
        self._rest.clear()
        if not text or text == b"[DONE]":  # which some add for readers of event streams
            return ()
        return self._reader.read(_value(text))


def _value(line: bytearray) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"a line of the body is not JSON, but {noted(bytes(line))}: {error}"
        ) from error
