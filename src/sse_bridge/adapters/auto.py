"""The auto adapter: looks at each chunk's shape and remembers it by type.

What says nothing by its shape alone, and a dict or a tuple, is looked at each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

from ..objects import is_sdks, tells_its_fields
from ..parts import Finish, Usage
from ..shapes import noted
from ..wire import ServerSentEvent
from . import dashscope
from .base import Numbering, Parts, Reader, Wish, added, in_turn
from .openai import OpenAIReader
from .openai_chunk import looks_like_openai, told_in_helper
from .plain import PlainReader
from .refusals import error_in, refusal_in
from .vendor import ModelReader, Vendor
from .vendors import FIELDS, vendor_of

_HOW = (
    "a DashScope chunk does not say whether it repeats the text before it: give "
    "adapter=adapters.DashScope(incremental_output=True) if the SDK was called with "
    "incremental_output=True, or adapter=adapters.DashScope(incremental_output=False) if not"
)


class Auto:
    """Reads each chunk by its shape: an OpenAI chunk, a DashScope response, or whatever `Plain` takes."""

    name = "auto"

    def reader(self, wish: Wish) -> Reader:
        """The reader for a new stream."""
        return AutoReader(wish)


class AutoReader:
    __slots__ = (
        "_by_type",
        "_dicts_speak",
        "_models",
        "_numbering",
        "_openai",
        "_plain",
        "_sends_whole",
        "_takes_objects",
        "_vendors",
        "_wish",
    )

    def __init__(self, wish: Wish) -> None:
        self._takes_objects = wish.takes_objects
        self._sends_whole = wish.takes_objects or wish.passes == "openai"
        self._plain = PlainReader(wish)
        self._wish = wish
        self._openai: OpenAIReader | None = None  # made for the first such chunk
        self._vendors: dict[Vendor, ModelReader] = {}  # so are these, each for its own
        self._models: tuple[ModelReader, ...] = ()  # all of them, in the order in which they came
        self._numbering: Numbering | None = None  # of their calls
        self._dicts_speak = False  # whether chunks of a model's came as dicts
        # None stands for `_look`, whose bound method would make this reader wait for the garbage collector.
        self._by_type: dict[type, Callable[[Any], Parts] | None] = {}

    def read(self, chunk: Any) -> Parts:
        kind = type(chunk)
        if kind is str:  # by far the most frequent
            return self._plain.text(chunk)
        if kind is dict:  # each has a shape of its own
            read = None if _FIELDS_OF_CHUNKS.isdisjoint(chunk) else self._choose(chunk)
        elif kind is tuple:
            read = self._choose(chunk)
        elif kind is ServerSentEvent and self._ends_too_soon(chunk):
            return ()
        else:
            try:
                read = self._by_type[kind]
            except KeyError:
                read = self._by_type[kind] = self._choose(chunk)
            # An SDK makes one type of whatever its service sends.
            if read is None and kind is not list and is_sdks(kind):
                read = self._choose(chunk)
        return self._look(chunk) if read is None else read(chunk)

    def end(self) -> Parts:
        if not self._models:
            return self._plain.end()
        parts = in_turn(self._plain.end, *(reader.end for reader in self._models))
        return parts if len(self._models) == 1 else _as_one(parts)

    def _choose(self, chunk: Any) -> Callable[[Any], Parts] | None:
        kind = type(chunk)
        if dashscope.looks_like_dashscope(chunk):
            return self._plain.dashscope if self._takes_objects else _refuse_dashscope
        if self._is_openais(chunk):
            self._dicts_speak = self._dicts_speak or kind is dict
            if self._openai is None:
                self._openai = OpenAIReader(self._wish, numbering=self._numbers())
                self._models = (*self._models, self._openai)
            whole = self._sends_whole and tells_its_fields(kind)
            return self._openai.whole if whole else self._openai.read
        if (vendor := vendor_of(chunk) or self._going_on(chunk)) is not None:
            self._dicts_speak = self._dicts_speak or kind is dict
            return self._reader_of(vendor).read
        is_anything = kind in (dict, list) or is_sdks(kind)
        is_looked_at = is_anything or (tells_its_fields(kind) and not self._takes_objects)
        return None if is_looked_at else self._plain.read

    def _is_openais(self, chunk: Any) -> bool:
        if looks_like_openai(chunk) or told_in_helper(chunk) is not None:
            return True
        return self._openai is not None and self._openai.goes_on(chunk)

    def _ends_too_soon(self, event: ServerSentEvent) -> bool:
        """Whether it is the end that the dialect says itself, behind what still waits."""
        is_end = event.data == "[DONE]" and self._wish.passes == "openai"
        return is_end and bool(self._models)

    def _going_on(self, chunk: Any) -> Vendor | None:
        """Whose it is of those that have spoken, if it is less sure by itself."""
        return next((vendor for vendor in self._vendors if vendor.goes_on(chunk)), None)

    def _reader_of(self, vendor: Vendor) -> ModelReader:
        if vendor not in self._vendors:
            reader = self._vendors[vendor] = vendor.reader(self._wish, numbering=self._numbers())
            self._models = (*self._models, reader)
        return self._vendors[vendor]

    def _numbers(self) -> Numbering:
        if self._numbering is None:
            self._numbering = Numbering()
        return self._numbering

    def _look(self, chunk: Any) -> Parts:
        """Read an object that has no chunk's shape: an app's own, or a service's error in place of an answer."""
        if self._may_be_refusal(type(chunk)):
            refusal = (error_in if self._model_spoke else refusal_in)(chunk)
            if refusal is not None:
                refusal.add_note(f"a chunk of the source told so: {noted(chunk)}")
                raise refusal
        return self._plain.read(chunk)

    @property
    def _model_spoke(self) -> bool:
        return any(reader.spoke for reader in self._models)

    def _may_be_refusal(self, kind: type) -> bool:
        """Whether this may be a service's error: a dict among an SDK's objects is the app's own."""
        if self._model_spoke:
            return kind not in (dict, list) or self._dicts_speak
        return not (self._takes_objects or self._plain.spoke)


def _refuse_dashscope(chunk: Any) -> Parts:
    raise dashscope.failure_in(chunk) or TypeError(_HOW)


def _as_one(parts: Parts) -> Parts:
    """The ends of several models' words as those of one answer."""
    finish = [part for part in parts if type(part) is Finish][-1:]
    counts = [part for part in parts if type(part) is Usage]
    others = [part for part in parts if type(part) not in (Finish, Usage)]
    return (*others, *finish, *((reduce(added, counts),) if counts else ()))


# A dict without any of these is no vendor's chunk.
_FIELDS_OF_CHUNKS = FIELDS | {"object", "output", "choices"}
