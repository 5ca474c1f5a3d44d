"""The auto adapter: looks at each chunk's shape and remembers it by type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import dashscope
from .base import Parts, Reader, Wish, broken
from .objects import is_sdks, tells_its_fields
from .openai import OpenAIReader
from .openai_chunk import looks_like_openai
from .plain import PlainReader
from .refusals import refusal_in

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
        self._takes_objects = wish.takes_objects
        self._sends_whole = wish.takes_objects or wish.passes == "openai"
        self._plain = PlainReader(wish)
        self._openai = OpenAIReader(wish)
        self._by_type: dict[type, Callable[[Any], Parts]] = {str: self._plain.text}

    def read(self, chunk: Any) -> Parts:
        kind = type(chunk)
        if kind is dict:  # each has a shape of its own
            return self._look(chunk) if _VENDORS.isdisjoint(chunk) else self._choose(chunk)(chunk)
        try:
            read = self._by_type[kind]
        except KeyError:
            read = self._choose(chunk)
            if (
                read != self._look
            ):  # that one is bound to this reader, which would wait for the collector
                self._by_type[kind] = read
        return read(chunk)

    def end(self) -> Parts:
        return (*self._plain.end(), *self._openai.end())

    def _choose(self, chunk: Any) -> Callable[[Any], Parts]:
        kind = type(chunk)
        if dashscope.looks_like_dashscope(chunk):
            return _whole_dashscope if self._takes_objects else _refuse_dashscope
        if looks_like_openai(chunk):
            whole = self._sends_whole and tells_its_fields(kind)
            return self._openai.whole if whole else self._openai.read
        if kind is dict or is_sdks(kind):  # an SDK makes one type of whatever its service sends
            return self._look
        is_looked_at = tells_its_fields(kind) and not self._takes_objects
        return self._look if is_looked_at else self._plain.read

    def _look(self, chunk: Any) -> Parts:
        """An object of no chunk's shape: an app's own, or what a service says where its model should speak."""
        if self._takes_objects and not self._openai.spoke:  # nobody says that it is a model's
            return self._plain.read(chunk)
        if (refusal := refusal_in(chunk)) is None:
            return self._plain.read(chunk)
        spoke = self._plain.spoke or self._openai.spoke
        return broken(self._plain.read(chunk) if spoke else (), refusal)


def _whole_dashscope(chunk: Any) -> Parts:
    return (dashscope.native(chunk),)


def _refuse_dashscope(chunk: Any) -> Parts:
    raise dashscope.failure_in(chunk) or TypeError(_HOW)


# A dict without any of these is no vendor's chunk.
_VENDORS = frozenset({"object", "output", "choices"})
