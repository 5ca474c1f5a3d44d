"""The auto adapter: looks at each chunk's shape and remembers it by type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..parts import Native
from . import dashscope, openai
from .base import Parts, Reader, Wish, get
from .objects import can_be_json
from .plain import PlainReader

_HOW = (
    "a DashScope chunk does not tell whether it repeats the text before it: give "
    "adapter=adapters.DashScope(incremental_output=True) if the SDK was called with "
    "incremental_output=True, or adapter=adapters.DashScope(incremental_output=False) if not"
)


class Auto:
    """Reads each chunk by its shape: an OpenAI chunk, a DashScope response, or whatever `Plain` takes."""

    name = "auto"

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return AutoReader(wish)


class AutoReader:
    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._plain = PlainReader()
        self._openai = openai.OpenAIReader(wish)
        self._by_type: dict[type, Callable[[Any], Parts]] = {str: self._plain.text}

    def read(self, chunk: Any) -> Parts:
        read = self._by_type.get(type(chunk))
        return read(chunk) if read is not None else self._look(chunk)

    def end(self) -> Parts:
        return self._plain.end()

    def _look(self, chunk: Any) -> Parts:
        read = self._choose(chunk)
        if type(chunk) is not dict:  # each dict has a shape of its own
            self._by_type[type(chunk)] = read
        return read(chunk)

    def _choose(self, chunk: Any) -> Callable[[Any], Parts]:
        if dashscope.looks_like_dashscope(chunk):
            return self._dashscope
        if _looks_like_openai(chunk):
            return self._openai_whole if self._wish.takes_objects else self._openai.read
        return self._plain.read

    def _openai_whole(self, chunk: Any) -> Parts:
        if get(chunk, "object") == "error":
            raise openai.in_band_error(chunk)
        return (openai.native(chunk, self._wish.collect),)

    def _dashscope(self, chunk: Any) -> Parts:
        if not self._wish.takes_objects:
            dashscope.check_status(chunk)
            raise TypeError(_HOW)
        part: Native = dashscope.native(chunk)
        return (part,)


def _looks_like_openai(chunk: Any) -> bool:
    if isinstance(chunk, Mapping):
        return chunk.get("object") == openai.CHUNK
    return getattr(chunk, "choices", None) is not None or (
        get(chunk, "object") in (openai.CHUNK, "error") and can_be_json(chunk)
    )
