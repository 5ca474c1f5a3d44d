"""The auto adapter: looks at each chunk's shape and remembers it by type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dashscope, openai
from .base import Parts, Reader, Wish, get
from .objects import tells_its_fields
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
        self._by_type: dict[type, Callable[[Any], Parts]] = {
            str: self._plain.text,
            dict: self._dict,
        }

    def read(self, chunk: Any) -> Parts:
        read = self._by_type.get(type(chunk))
        if read is None:
            read = self._by_type[type(chunk)] = self._choose(chunk)
        return read(chunk)

    def end(self) -> Parts:
        return (*self._plain.end(), *self._openai.end())

    def _dict(self, chunk: dict[Any, Any]) -> Parts:
        """Each dict has a shape of its own."""
        if "object" in chunk or "output" in chunk:
            return self._choose(chunk)(chunk)
        return self._plain.mapping(chunk)

    def _choose(self, chunk: Any) -> Callable[[Any], Parts]:
        if dashscope.looks_like_dashscope(chunk):
            return self._dashscope
        if openai.looks_like_openai(chunk):
            return self._openai_whole if self._wish.takes_objects else self._openai.read
        return self._plain.read

    def _openai_whole(self, chunk: Any) -> Parts:
        if get(chunk, "object") == openai.CHUNK and tells_its_fields(type(chunk)):
            return self._openai.whole(chunk)
        return self._openai.read(chunk)

    def _dashscope(self, chunk: Any) -> Parts:
        if not self._wish.takes_objects:
            dashscope.check_status(chunk)
            raise TypeError(_HOW)
        return (dashscope.native(chunk),)
