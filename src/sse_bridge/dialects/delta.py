"""The delta dialect: a named event for each thing a model can say, small JSON in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..parts import Choice, Finish, Part, Reasoning, ToolCall, Usage, Value
from ..wire import data_frame, encode_json, quote
from .base import say_choice
from .plain import PlainVoice


class Delta:
    """``delta``, ``reasoning``, ``tool_call``, ``usage``, ``finish`` events; ends as `Plain` does."""

    name = "delta"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = None
    takes_objects = False

    def voice(self) -> Callable[[Part], bytes]:
        """A new stream's way of saying parts."""
        return DeltaVoice()


class DeltaVoice(PlainVoice):
    name: ClassVar[str] = "delta"

    def text(self, part: str, choice: int = 0) -> bytes:
        return data_frame(f'{{"text":{quote(part)}{_choice(choice)}}}', "delta")

    def reasoning(self, part: Reasoning, choice: int = 0) -> bytes:
        return data_frame(f'{{"text":{quote(part.text)}{_choice(choice)}}}', "reasoning")

    def tool_call(self, part: ToolCall, choice: int = 0) -> bytes:
        call: dict[str, object] = {"index": part.number}
        if part.id is not None:
            call["id"] = part.id
        if part.name is not None:
            call["name"] = part.name
        call["arguments"] = part.arguments
        if choice:
            call["choice"] = choice
        return data_frame(encode_json(call), "tool_call")

    def finish(self, part: Finish, choice: int = 0) -> bytes:
        return data_frame(f'{{"reason":{quote(part.reason)}{_choice(choice)}}}', "finish")

    def usage(self, part: Usage) -> bytes:
        if not part.final:
            return b""
        return data_frame(encode_json(dict(zip(part._fields[:3], part[:3], strict=True))), "usage")

    def value(self, part: Value) -> bytes:
        return data_frame(part.json, "chunk")

    def choice(self, part: Choice) -> bytes:
        return say_choice(self, part)


def _choice(index: int) -> str:
    return f',"choice":{index}' if index else ""
