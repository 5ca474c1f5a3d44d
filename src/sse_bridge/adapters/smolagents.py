"""The smolagents adapter: what ``agent.run(..., stream=True)`` gives, and a model's own ``generate_stream``.

The objects: https://huggingface.co/docs/smolagents/reference/agents. They have no field for their type: each is
told by the fields that it has, and those with everyday ones by their class as well. A step repeats what it was
made of.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..failures import SerializationError
from ..parts import Part, Usage
from .base import added, get, items, number_of, read_usage, shown, text_of
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought

_PACKAGE = "smolagents"
_FIELDS = "__dataclass_fields__"
_USAGE = frozenset({"token_usage"})

# By its fields: all of them, of what is small, or those that no other has together.
_SMALL = {
    frozenset({"content", "tool_calls", *_USAGE}): "delta",
    frozenset({"id", "output", "is_final_answer", "observation", "tool_call"}): "tool_output",
}
_LARGE = {
    frozenset({"step_number", "model_output_message", "observations", *_USAGE}): "action",
    frozenset({"plan", "model_output_message", *_USAGE}): "planning",
}
# By its class and its fields: so somebody's own might be as well.
_EVERYDAY = {
    ("ToolCall", frozenset({"name", "arguments", "id"})): "tool_call",
    ("ActionOutput", frozenset({"output", "is_final_answer"})): "action_output",
    ("FinalAnswerStep", frozenset({"output"})): "final",
}


class SmolagentsReader(VendorReader):
    name = "smolagents"
    takes = "what a run of a smolagents agent gives"
    tells_reason = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._called: set[str] = set()  # the ids of this step's calls of tools
        self._waiting: list[str] = []  # those of them whose result has not come
        self._streamed = False  # whether this step's words came as deltas
        self._written = self._apart = False  # whether there is text; whether more is another step's
        self._last: int | None = None  # the number of the last step

    def knows(self, chunk: Any) -> bool:
        return _kind_of(chunk) is not None

    def say(self, chunk: Any) -> Iterator[Part]:
        kind = _kind_of(chunk)
        if kind == "delta":
            yield from self._delta(chunk)
        elif kind == "tool_call":
            yield from self._call(chunk)
        elif kind == "tool_output":
            yield from self._output(chunk)
        elif kind == "action":
            yield from self._action(chunk)
        elif kind == "planning":
            if not self._streamed:
                yield from thought(get(get(chunk, "model_output_message"), "content"))
            yield from self._next_step(chunk)
        elif kind == "final":
            yield from self._text(self._as_text(get(chunk, "output")))
            self.finish("stop")
            self._apart, self._last = self._written, None  # another run may follow

    def sent(self, chunk: Any) -> Any:
        """A step holds all that its model has read, the system's prompt as well: that is left out."""
        if _kind_of(chunk) not in ("action", "planning"):
            return chunk
        error = get(chunk, "error")
        fields = ("step_number", "plan", "model_output", "observations", "token_usage")
        told = {field: get(chunk, field) for field in (*fields, "is_final_answer")}
        told["error"] = None if error is None else shown(error)
        return {field: value for field, value in told.items() if value is not None}

    def _delta(self, delta: Any) -> Iterator[Part]:
        self._streamed = True
        yield from self._text(text_of(get(delta, "content")))
        for position, fragment in enumerate(items(get(delta, "tool_calls"))):
            index = number_of(get(fragment, "index"))
            key, function = position if index is None else index, get(fragment, "function")
            is_new, id_ = not self.has_call(key), text_of(get(fragment, "id"))
            arguments = get(function, "arguments")
            if is_new:
                self._wait_for(id_)
                yield self.call(key, id_=id_, name=get(function, "name"), arguments=arguments)
            elif arguments:
                yield self.call(key, arguments=arguments)
        if (usage := read_usage(get(delta, "token_usage"))) is not None:
            yield from self.count(added(self._usage, usage))

    def _call(self, call: Any) -> Iterator[Part]:
        id_ = text_of(get(call, "id"))
        if id_ not in self._called:
            self._wait_for(id_)
            name, arguments = get(call, "name"), get(call, "arguments")
            yield self.call(("id", id_), id_=id_, name=name, arguments=arguments)

    def _wait_for(self, id_: str) -> None:
        self._called.add(id_)
        self._waiting.append(id_)

    def _output(self, chunk: Any) -> Iterator[Part]:
        id_, output = text_of(get(chunk, "id")), get(chunk, "output")
        if id_ in self._waiting:
            self._waiting.remove(id_)
        # An image, say, has no JSON: then it is what its model reads of it.
        yield self.result(id_, output, words=get(chunk, "observation"))

    def _action(self, step: Any) -> Iterator[Part]:
        number = number_of(get(step, "step_number"))
        if number is not None and number == self._last:  # where there may be no more of them
            return
        self._last = number
        if not self._streamed:
            yield from thought(get(step, "model_output"))
        error = get(step, "error")
        for id_ in self._waiting:
            message = None if error is None else shown(error)
            yield self.result(id_, text_of(get(step, "observations")) or None, message)
        yield from self._next_step(step)

    def _next_step(self, step: Any) -> Iterator[Usage]:
        """The step is over, and tells all of its tokens."""
        usage = read_usage(get(step, "token_usage"))
        if usage is not None and usage.total_tokens:
            yield from self.count(usage)
        self._called.clear()
        self._waiting.clear()
        self._streamed, self._apart = False, self._written
        self.next_call()

    def _text(self, text: str) -> Iterator[str]:
        if text and self._apart:
            yield "\n\n"
        if text:
            self._written, self._apart = True, False
        yield from said_words(text)

    def _as_text(self, output: Any) -> str:
        if output is None or isinstance(output, str):
            return text_of(output)
        try:
            return self._objects.write(output).decode()
        except SerializationError:
            return shown(output)


def _kind_of(chunk: Any) -> str | None:
    """What this is; None for what is not of smolagents."""
    kind = type(chunk)
    fields = frozenset(getattr(kind, _FIELDS, ()))
    if not fields or isinstance(chunk, type):
        return None
    if (known := _SMALL.get(fields) or _EVERYDAY.get((kind.__name__, fields))) is not None:
        return known
    return next((known for needed, known in _LARGE.items() if needed <= fields), None)


def looks_like_smolagents(chunk: Any) -> bool:
    """Whether this surely is something that a run gives."""
    kind = type(chunk)
    if (known := _kind_of(chunk)) is None:
        return False
    is_everyday = known in _EVERYDAY.values()
    return not is_everyday or str(kind.__module__).partition(".")[0] == _PACKAGE


def goes_on(chunk: Any) -> bool:
    """Whether this may be something else of a run that has begun."""
    return _kind_of(chunk) is not None


class Smolagents(VendorAdapter):
    """What ``agent.run(..., stream=True)`` gives: the words of each step, calls of tools, and the final answer."""

    reads_with = SmolagentsReader


VENDOR = Vendor(looks_like_smolagents, SmolagentsReader, frozenset(), goes_on)
