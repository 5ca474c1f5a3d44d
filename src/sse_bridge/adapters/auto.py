"""The auto adapter: looks at each chunk's shape and remembers it by type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dashscope, openai
from .base import Parts, Reader, Wish
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
        self._sends_whole = wish.takes_objects or wish.passes == "openai"
        self._plain = PlainReader(wish)
        self._openai = openai.OpenAIReader(wish)
        # Nothing in it is bound to this reader: it would wait for the collector after each stream.
        self._by_type: dict[type, Callable[[Any], Parts]] = {str: self._plain.text}

    def read(self, chunk: Any) -> Parts:
        kind = type(chunk)
        if kind is dict:  # each has a shape of its own
            return self._dict(chunk)
        try:
            read = self._by_type[kind]
        except KeyError:
            read = self._by_type[kind] = self._choose(chunk)
        return read(chunk)

    def end(self) -> Parts:
        return (*self._plain.end(), *self._openai.end())

    def _dict(self, chunk: dict[Any, Any]) -> Parts:
        if "object" in chunk or "output" in chunk or "data" in chunk:
            return self._choose(chunk)(chunk)
        return self._plain.object(chunk)

    def _choose(self, chunk: Any) -> Callable[[Any], Parts]:
        if dashscope.looks_like_dashscope(chunk):
            return _whole_dashscope if self._wish.takes_objects else _refuse_dashscope
        if openai.looks_like_openai(chunk):
            whole = self._sends_whole and tells_its_fields(type(chunk))
            return self._openai.whole if whole else self._openai.read
        return self._plain.read


def _whole_dashscope(chunk: Any) -> Parts:
    return (dashscope.native(chunk),)


def _refuse_dashscope(chunk: Any) -> Parts:
    dashscope.check_status(chunk)
    raise TypeError(_HOW)
