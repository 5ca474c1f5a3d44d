"""The langgraph adapter: what a graph's ``stream`` and ``astream`` give, in every mode and form.

The format: https://docs.langchain.com/oss/python/langgraph/streaming. The models' words are in the mode
``messages``; the states of the graph hold the same messages once more, and say nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..parts import Data, Part, Value
from .base import Parts, get, items, text_of
from .given import YIELDED
from .langchain import (
    LangChainReader,
    is_message,
    is_system,
    looks_like_langchain,
    without_system,
)
from .vendor import Vendor, VendorAdapter

_MODES = frozenset(
    {"values", "updates", "messages", "custom", "tools", "tasks", "checkpoints", "debug"}
)
_INTERRUPT = "__interrupt__"


class Told(NamedTuple):
    """What a graph tells: in which mode, and what."""

    mode: str
    data: Any
    is_inner: bool = False  # whether a graph within the graph tells it


class LangGraphReader(LangChainReader):
    name = "langgraph"
    takes = "what LangGraph streams"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._is_graphs = self._strict  # whether a graph has told something
        self._has_words = False  # whether it did so in the mode `messages`, which has all words

    def read(self, chunk: Any) -> Parts:
        self._is_graphs = self._is_graphs or looks_like_graphs(chunk)
        if type(chunk) is tuple and not self._is_graphs:  # the app's, among messages of LangChain's
            return (Value(self._objects.write(chunk)),)
        return super().read(chunk)

    def knows(self, chunk: Any) -> bool:
        return told_in(chunk) is not None or looks_like_langchain(chunk) or isinstance(chunk, dict)

    def say(self, chunk: Any) -> Iterator[Part]:
        told = told_in(chunk)
        if told is None:
            yield from super().say(chunk)
        elif told.mode == "messages":
            self._has_words = True
            yield from self._message(next(iter(items(told.data)), None))
        elif told.mode == "custom":
            part = told.data if isinstance(told.data, YIELDED) else Data("custom", told.data)
            yield self._own(part)
        elif told.mode == "tools":
            yield from self._outcome(get(told.data, "output"))
        elif told.mode in ("updates", "values"):
            interrupts = get(told.data, _INTERRUPT) or get(chunk, "interrupts")
            for interrupt in items(interrupts):
                yield from self._interrupt(interrupt)
            if told.mode == "updates" and not self._has_words:
                yield from self._update(told)

    def sent(self, chunk: Any) -> Any:
        """A state without the system's prompt, which is among its messages."""
        told = told_in(chunk)
        if told is None:
            return super().sent(chunk)
        if told.mode == "custom":
            return chunk
        if told.mode != "messages":
            return without_system(chunk)
        message = next(iter(items(told.data)), None)
        return _without_words(chunk, message) if is_system(message) else chunk

    def _update(self, told: Told) -> Iterator[Part]:
        """What the nodes have added to the messages, where the words come in no other mode.

        What has no id is told by the outermost graph alone, since the graphs around tell it again.
        """
        for message in _messages_in(told.data):
            id_ = text_of(get(message, "id")) or text_of(get(message, "tool_call_id"))
            if not (self._is_told(id_) if id_ else told.is_inner):
                yield from self._message(message)

    def _interrupt(self, interrupt: Any) -> Iterator[Part]:
        """The graph waits for somebody: told in several modes, with one id."""
        id_ = text_of(get(interrupt, "id"))
        if not self._is_told(f"interrupt {id_}"):
            self._hear(f"interrupt {id_}")
            yield self._own(Data("interrupt", get(interrupt, "value"), id_ or None))


def told_in(chunk: Any) -> Told | None:
    """What a graph tells with this; None where it is none of a graph's chunks."""
    if isinstance(chunk, dict):
        return _told_in_dict(chunk)
    if type(chunk) is not tuple or len(chunk) not in (2, 3):
        return None
    if _is_pair(chunk):
        return Told("messages", chunk)
    first, data = chunk[0], chunk[-1]
    if isinstance(first, tuple) and _is_namespace(first):
        if len(chunk) == 3:
            return _told(chunk[1], data, first)
        if _is_pair(data):
            return Told("messages", data)
        return Told("updates", data, bool(first)) if isinstance(data, dict) else None
    return _told(first, data) if len(chunk) == 2 else None


def _told_in_dict(chunk: dict[str, Any]) -> Told | None:
    if _OF_PARTS.issubset(chunk) and _is_namespace(chunk["ns"]):
        return _told(chunk["type"], chunk["data"], chunk["ns"])
    return Told("updates", chunk) if _is_update(chunk) else None


def _told(mode: Any, data: Any, namespace: Any = ()) -> Told | None:
    is_mode = isinstance(mode, str) and mode in _MODES
    return Told(mode, data, bool(namespace)) if is_mode else None


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


def _is_update(thing: Any) -> bool:
    """Whether this surely is what nodes have changed of the state: some of it messages."""
    if not isinstance(thing, dict):
        return False
    changes = all(change is None or isinstance(change, (dict, list)) for change in thing.values())
    return changes and any(_lists_in(thing))


def _messages_in(update: Any) -> Iterator[Any]:
    """The messages that nodes have added; those up to the last of a person's are a history."""
    for messages in _lists_in(update):
        asked = [place for place, one in enumerate(messages) if get(one, "type") == "human"]
        yield from messages[asked[-1] + 1 if asked else 0 :]


def _lists_in(update: Any) -> Iterator[list[Any]]:
    """The messages in each node's changes of the state."""
    changes = update.values() if isinstance(update, dict) else ()
    for change in (one for node in changes for one in items(node) or (node,)):
        added = change.get("messages") if isinstance(change, dict) else None
        yield [one for one in items(added) or (added,) if is_message(one)]


def _without_words(chunk: Any, message: Any) -> Any:
    """A graph's chunk with this message emptied."""
    if chunk is message:
        return {"type": get(message, "type"), "content": "", "id": get(message, "id")}
    if isinstance(chunk, dict):
        return (
            {**chunk, "data": _without_words(chunk["data"], message)} if "data" in chunk else chunk
        )
    is_list = isinstance(chunk, (list, tuple))
    return [_without_words(one, message) for one in chunk] if is_list else chunk


def looks_like_langgraph(chunk: Any) -> bool:
    """Whether this is surely a graph's, or of LangChain's."""
    return looks_like_langchain(chunk) if told_in(chunk) is None else looks_like_graphs(chunk)


def looks_like_graphs(chunk: Any) -> bool:
    """Whether this is surely a graph's: an app may yield pairs of a word and an object, too."""
    told = told_in(chunk)
    if told is None:
        return False
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
