"""Which of an answer's tool calls a fragment belongs to, and what it says.

OpenAI numbers the calls of an answer, and sends a call's id and name with its first fragment. Others leave the
number out, or send 0 for all; some send the arguments as an object instead of its JSON.

Rules of this file:

1. Calls that are numbered correctly keep their numbers.
2. Two ids are two calls. But for a number that is in use, a new id begins a call only with a name, or after
   complete arguments: some services make up an id for each fragment.
3. A fragment without an id continues the call of its number, or the last one, unless it begins another: by
   another name, or by the same name in the same chunk or after complete arguments.
4. A fragment that says nothing does not count.
5. However many calls there are, each fragment costs the same; there are fewer than `NUMBERS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..failures import SerializationError
from ..objects import OBJECTS, ObjectWriter
from ..parts import ToolCall
from .base import Numbering, check_number, get, items, number_of, shown, text_of


class _Call:
    __slots__ = ("id", "is_whole", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.is_whole = False  # its arguments came as an object, so nothing can follow


class Calls:
    """The tool calls of one choice; `objects` writes arguments that are no text, `numbering` is the answer's."""

    def __init__(self, objects: ObjectWriter = OBJECTS, numbering: Numbering | None = None) -> None:
        self._objects = objects
        self._calls: dict[int, _Call] = {}
        self._numbering = numbering or Numbering()
        self._first = self._numbering.next
        self._by_id: dict[str, int] = {}
        self._by_index: dict[int, int] = {}  # the service's number for a call, and ours
        self._last: int | None = None

    def others(self) -> Calls:
        """For another call of the model in the same answer: its calls come behind these."""
        return Calls(self._objects, self._numbering)

    def say(self, fragments: Any) -> Iterator[ToolCall]:
        """What the fragments of one chunk say."""
        told: set[int] = set()
        for fragment in _listed(fragments):
            if (call := self._say(fragment, told)) is not None:
                told.add(call.number)
                yield call

    def say_others(self, calls: Any) -> Iterator[ToolCall]:
        """What the whole calls of a whole answer say, leaving out those that are known already."""
        count = len(self._calls)
        for place, call in enumerate(_listed(calls)):
            id_ = text_of(get(call, "id"))
            if id_ not in self._by_id if id_ else place >= count:
                yield from self.say([call])

    def say_legacy(self, function: Any) -> Iterator[ToolCall]:
        """What a ``function_call`` says: OpenAI's older field, for a single call."""
        if (call := self._say({"function": function}, set())) is not None:
            yield call

    def _say(self, fragment: Any, told: set[int]) -> ToolCall | None:
        function = _function_of(fragment)
        id_, name = text_of(get(fragment, "id")), text_of(get(function, "name"))
        arguments = arguments_of(function, self._objects)
        index = number_of(get(fragment, "index"))
        if not (id_ or name or arguments) and index not in self._by_index:
            return None
        number = self._number(index, id_, name, told)
        call = self._call(number)
        if id_ and not call.id:
            call.id = id_
            self._by_id.setdefault(id_, number)
        call.name = call.name or name
        call.is_whole = isinstance(get(function, "arguments"), (dict, list))
        self._last = number
        return ToolCall(number, id_ or None, name or None, arguments)

    def _call(self, number: int) -> _Call:
        """The call of this number, which may be a new one."""
        if number not in self._calls:
            check_number(number)
            self._calls[number] = _Call()
            self._numbering.pass_by(number)
        return self._calls[number]

    def _number(self, index: int | None, id_: str, name: str, told: set[int]) -> int:
        if index is None:
            return self._of_id(id_) if id_ else self._of_name(self._last, name, told)
        number = self._by_index.get(index, self._first + index)
        call = self._calls.get(number)
        if call is not None and id_ and call.id and id_ != call.id and (name or call.is_whole):
            number = self._of_id(id_)
        elif call is not None and not id_:
            number = self._of_name(number, name, told)
        self._by_index[index] = number
        return number

    def _of_id(self, id_: str) -> int:
        return self._by_id.get(id_, self._numbering.next)

    def _of_name(self, number: int | None, name: str, told: set[int]) -> int:
        """The call of a fragment without an id: the one of this number, unless its name begins another."""
        if number is None:
            return self._first
        call = self._calls[number]
        is_another = name != call.name or number in told or call.is_whole
        return self._numbering.next if name and call.name and is_another else number


def _listed(fragments: Any) -> Sequence[Any]:
    return (fragments,) if isinstance(fragments, dict) else items(fragments)


def _function_of(fragment: Any) -> Any:
    """The part of a fragment that has its name and its arguments."""
    for field in ("function", "custom"):
        if (function := get(fragment, field)) is not None:
            return function
    return fragment


def arguments_of(function: Any, objects: ObjectWriter = OBJECTS) -> str:
    """A fragment of the arguments' JSON, or of a custom tool's input; an object is the whole of it."""
    arguments = get(function, "arguments")
    return arguments_in(get(function, "input") if arguments is None else arguments, objects)


def arguments_in(arguments: Any, objects: ObjectWriter = OBJECTS) -> str:
    """The same of the arguments themselves."""
    if arguments is None or isinstance(arguments, str):
        return text_of(arguments)
    try:
        return objects.write(arguments).decode()
    except SerializationError:
        return shown(arguments)
