"""The delta dialect: a named event, with a small JSON object, for each thing a model can say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from ..framing import data_frame, data_frames, json_frame
from ..parts import (
    Approval,
    Data,
    File,
    Finish,
    Metadata,
    Native,
    Reasoning,
    Source,
    Step,
    ToolCall,
    ToolResult,
    Usage,
    Value,
)
from ..payload import encode_json, quote
from .base import Say
from .plain import PlainVoice


class Delta:
    """``delta``, ``reasoning``, ``tool_call``, ``usage``, ``finish`` events and more; ends as `Plain` does.

    An event's data is a JSON object with the fields of the part, without those that are None or False.
    """

    name = "delta"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = None
    takes_objects = False

    def voice(self) -> Say:
        """The voice for a new stream."""
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

    def tool_result(self, part: ToolResult) -> bytes:
        more = {"error": part.error, "preliminary": part.preliminary}
        return _event("tool_result", {"id": part.id}, {"output": part.output}, more)

    def approval(self, part: Approval) -> bytes:
        return _event("approval", part._asdict())

    def source(self, part: Source) -> bytes:
        return _event("source", part._asdict())

    def file(self, part: File) -> bytes:
        return _event("file", part._asdict())

    def data(self, part: Data) -> bytes:
        more = {"id": part.id, "transient": part.transient}
        return _event("data", {"name": part.name}, {"value": part.value}, more)

    def step(self, part: Step) -> bytes:
        return _event("step", part._asdict())

    def metadata(self, part: Metadata) -> bytes:
        return _event("metadata", values={"value": part.value})

    def finish(self, part: Finish) -> bytes:
        if not part.final:
            return b""
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


def _event(
    name: str,
    fields: Mapping[str, object] | None = None,
    values: Mapping[str, bytes] | None = None,
    more: Mapping[str, object] | None = None,
) -> bytes:
    """A frame of these fields, of `values` that are JSON already, and of `more` fields."""
    written = [*_written(fields or {}), *(values or {}).items(), *_written(more or {})]
    members = (b"%b:%b" % (quote(field).encode(), line) for field, line in written)
    return json_frame(b"{%b}" % b",".join(members), name)


def _written(fields: Mapping[str, object]) -> Iterator[tuple[str, bytes]]:
    """The fields that say something, each with its JSON."""
    for field, value in fields.items():
        if value is not None and value is not False:
            yield field, encode_json(value).encode()
