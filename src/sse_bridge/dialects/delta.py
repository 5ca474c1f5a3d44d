"""The delta dialect: a named event for each thing a model can say, small JSON in it."""

from __future__ import annotations

from typing import ClassVar

from ..framing import data_frame, data_frames, json_frame
from ..parts import Finish, Native, Reasoning, ToolCall, Usage, Value
from ..payload import encode_json, quote
from .base import Say
from .plain import PlainVoice


class Delta:
    """``delta``, ``reasoning``, ``tool_call``, ``usage``, ``finish`` events; ends as `Plain` does."""

    name = "delta"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = None
    takes_objects = False

    def voice(self) -> Say:
        """A new stream's way of saying parts."""
        return DeltaVoice()


class DeltaVoice(PlainVoice):
    name: ClassVar[str] = "delta"
    has_choices: ClassVar[bool] = True

    def text(self, part: str) -> bytes:
        return data_frame(f'{{"text":{quote(part)}{self._choice()}}}', "delta")

    def texts(self, parts: list[str]) -> bytes:
        return data_frames([f'{{"text":{quote(part)}}}' for part in parts], "delta")

    one_frame: ClassVar = {str: text}

    def reasoning(self, part: Reasoning) -> bytes:
        return data_frame(f'{{"text":{quote(part.text)}{self._choice()}}}', "reasoning")

    def tool_call(self, part: ToolCall) -> bytes:
        call: dict[str, object] = {"index": part.number}
        if part.id is not None:
            call["id"] = part.id
        if part.name is not None:
            call["name"] = part.name
        call["arguments"] = part.arguments
        return data_frame(f"{encode_json(call)[:-1]}{self._choice()}}}", "tool_call")

    def finish(self, part: Finish) -> bytes:
        return data_frame(f'{{"reason":{quote(part.reason)}{self._choice()}}}', "finish")

    def usage(self, part: Usage) -> bytes:
        if not part.final:
            return b""
        counts = {
            "input_tokens": part.input_tokens,
            "output_tokens": part.output_tokens,
            "total_tokens": part.total_tokens,
        }
        return data_frame(encode_json(counts), "usage")

    def value(self, part: Value) -> bytes:
        return json_frame(part.json, "chunk")

    def native(self, part: Native) -> bytes:
        return json_frame(part.json, "chunk")

    def _choice(self) -> str:
        return f',"choice":{self.number}' if self.number else ""
