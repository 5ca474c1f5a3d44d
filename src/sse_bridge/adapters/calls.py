"""Which of an answer's tool calls a fragment belongs to, and what it says.

OpenAI numbers the calls of an answer, and gives a call's id and name with its first fragment. Others leave the
number out, or give 0 to all; some give the arguments as an object instead of its JSON.

Rules of this file:

1. What numbers itself well keeps its numbers.
2. Two ids are two calls. With a number that is in use, a new id must bring a name to be one: some services make up
   an id for each fragment.
3. A fragment without a number and an id goes on with the last call, unless it names another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..failures import SerializationError
from ..parts import ToolCall
from .base import get, items, number_of, text_of
from .objects import object_json


class _Call:
    __slots__ = ("id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""


class Calls:
    """The tool calls of one choice."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._by_index: dict[int, int] = {}  # the service's number for a call, and ours
        self._last: int | None = None

    def say(self, fragments: Any) -> Iterator[ToolCall]:
        """What the fragments of one chunk say."""
        told: set[int] = set()
        for fragment in items(fragments):
            if fragment is not None:
                call = self._say(fragment, told)
                told.add(call.number)
                yield call

    def say_legacy(self, function: Any) -> Iterator[ToolCall]:
        """What a ``function_call`` says: the one call that there was, before there were several."""
        if function is not None:
            yield self._say({"function": function}, set())

    def _say(self, fragment: Any, told: set[int]) -> ToolCall:
        function = get(fragment, "function")
        function = fragment if function is None else function
        id_, name = text_of(get(fragment, "id")), text_of(get(function, "name"))
        number = self._number(number_of(get(fragment, "index")), id_, name, told)
        call = self._calls.setdefault(number, _Call())
        call.id, call.name = call.id or id_, call.name or name
        self._last = number
        return ToolCall(number, id_ or None, name or None, arguments_of(function))

    def _number(self, index: int | None, id_: str, name: str, told: set[int]) -> int:
        if index is None:
            return self._of_id(id_) if id_ else self._of_name(name, told)
        number = self._by_index.get(index, index)
        call = self._calls.get(number)
        if call is not None and name and id_ and call.id and id_ != call.id:
            number = self._of_id(id_)
        self._by_index[index] = number
        return number

    def _of_id(self, id_: str) -> int:
        return next((number for number, call in self._calls.items() if call.id == id_), self._new())

    def _of_name(self, name: str, told: set[int]) -> int:
        if self._last is None:
            return 0
        known = self._calls[self._last].name
        is_another = name and known and (name != known or self._last in told)
        return self._new() if is_another else self._last

    def _new(self) -> int:
        return max(self._calls, default=-1) + 1


def arguments_of(function: Any) -> str:
    """A fragment of the arguments' JSON; an object is all of it."""
    arguments = get(function, "arguments")
    if arguments is None or isinstance(arguments, str):
        return arguments or ""
    try:
        return object_json(arguments).decode()
    except SerializationError:
        return str(arguments)
