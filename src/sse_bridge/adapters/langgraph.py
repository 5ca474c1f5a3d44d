"""The langgraph adapter: what a graph's ``stream`` and ``astream`` give, in every mode and form.

The format: https://docs.langchain.com/oss/python/langgraph/streaming. The models' words are in the mode
``messages``; the states of the graph hold the same messages once more, and say nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..parts import Data, Part
from .base import get, items, text_of
from .given import YIELDED, yielded
from .langchain import LangChainReader, is_message, looks_like_langchain
from .vendor import Vendor, VendorAdapter

_MODES = frozenset(
    {"values", "updates", "messages", "custom", "tools", "tasks", "checkpoints", "debug"}
)
_INTERRUPT = "__interrupt__"


class Told(NamedTuple):
    """What a graph tells: in which mode, and what."""

    mode: str
    data: Any


class LangGraphReader(LangChainReader):
    name = "langgraph"
    takes = "what LangGraph streams"

    def knows(self, chunk: Any) -> bool:
        return told_in(chunk) is not None or looks_like_langchain(chunk) or isinstance(chunk, dict)

    def say(self, chunk: Any) -> Iterator[Part]:
        told = told_in(chunk)
        if told is None:
            yield from super().say(chunk)
        elif told.mode == "messages":
            yield from self._message(next(iter(items(told.data)), None))
        elif told.mode == "custom":
            part = told.data if isinstance(told.data, YIELDED) else Data("custom", told.data)
            yield yielded(part, self._objects.write)
        elif told.mode == "tools":
            yield from self._outcome(get(told.data, "output"))
        elif told.mode in ("updates", "values"):
            interrupts = get(told.data, _INTERRUPT) or get(chunk, "interrupts")
            for interrupt in items(interrupts):
                yield from self._interrupt(interrupt)

    def _interrupt(self, interrupt: Any) -> Iterator[Part]:
        """The graph waits for somebody: told in several modes, with one id."""
        id_ = text_of(get(interrupt, "id"))
        if not self._is_told(f"interrupt {id_}"):
            self._heard.add(f"interrupt {id_}")
            data = Data("interrupt", get(interrupt, "value"), id_ or None)
            yield yielded(data, self._objects.write)


def told_in(chunk: Any) -> Told | None:
    """What a graph tells with this; None where it is none of a graph's chunks."""
    if isinstance(chunk, dict):
        is_part = _OF_PARTS.issubset(chunk) and _is_namespace(chunk["ns"])
        return _told(chunk["type"], chunk["data"]) if is_part else None
    if type(chunk) is not tuple or len(chunk) not in (2, 3):
        return None
    if _is_pair(chunk):
        return Told("messages", chunk)
    first, data = chunk[0], chunk[-1]
    if _is_namespace(first):
        if len(chunk) == 2:
            return Told("messages", data) if _is_pair(data) else None
        first = chunk[1]
    elif len(chunk) == 3:
        return None
    return _told(first, data)


def _told(mode: Any, data: Any) -> Told | None:
    return Told(mode, data) if isinstance(mode, str) and mode in _MODES else None


_OF_PARTS = frozenset({"type", "ns", "data"})


def _is_namespace(thing: Any) -> bool:
    return isinstance(thing, (tuple, list)) and all(isinstance(name, str) for name in thing)


def _is_pair(thing: Any) -> bool:
    """A message, and where in the graph it comes from."""
    return (
        isinstance(thing, (tuple, list))
        and len(thing) == 2
        and isinstance(thing[1], dict)
        and is_message(thing[0])
    )


def looks_like_langgraph(chunk: Any) -> bool:
    """Whether this is surely a graph's: an app may yield pairs of a word and an object, too."""
    told = told_in(chunk)
    if told is None:
        return looks_like_langchain(chunk)
    if isinstance(chunk, dict) or len(chunk) == 3 or told.mode == "custom":
        return True
    if told.mode == "messages":
        return _is_pair(told.data)
    return _holds_messages(told.data)


def goes_on(chunk: Any) -> bool:
    """Whether this may be another of a graph's chunks."""
    return told_in(chunk) is not None


def _holds_messages(state: Any, depth: int = 3) -> bool:
    """Whether there are messages in a graph's state, or in what its nodes have changed of it."""
    if is_message(state):
        return True
    inner = state.values() if isinstance(state, dict) else items(state)
    return depth > 0 and any(_holds_messages(thing, depth - 1) for thing in inner)


class LangGraph(VendorAdapter):
    """What ``stream()`` and ``astream()`` of a graph give, in any ``stream_mode``, with subgraphs or without."""

    is_model = False  # a graph may have other things to tell than a model's words
    reads_with = LangGraphReader


VENDOR = Vendor(
    looks_like_langgraph,
    LangGraphReader,
    frozenset({"ns", "response_metadata", "run_id"}),
    goes_on,
)
