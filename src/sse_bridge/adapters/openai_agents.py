"""The openai-agents adapter: what ``Runner.run_streamed(...).stream_events()`` gives.

A run calls its models once a turn, and all its turns are one answer. The models' events come raw, as those of the
Responses API; what is made of them, whole items, tells the same again, so of items only the results are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..parts import Part
from .base import get
from .responses import ResponsesReader
from .vendor import Vendor, VendorAdapter

# Each kind of event, and the field without which it is another's.
_EVENTS = {
    "raw_response_event": "data",
    "run_item_stream_event": "item",
    "agent_updated_stream_event": "new_agent",
}
_RESULTS = ("tool_call_output_item", "handoff_output_item")
# What came of a call that was told as one; the others are a shell's, a computer's ...
_OF_CALLS = ("function_call_output", "custom_tool_call_output")


class OpenAIAgentsReader(ResponsesReader):
    name = "openai-agents"
    takes = "events of the OpenAI Agents SDK"

    def knows(self, chunk: Any) -> bool:
        return looks_like_openai_agents(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        if get(chunk, "type") == "raw_response_event":
            yield from super().say(get(chunk, "data"))
        elif get(get(chunk, "item"), "type") in _RESULTS:
            yield from self._ran(get(chunk, "item"))

    def _ran(self, item: Any) -> Iterator[Part]:
        """What a tool gave; where it can be no JSON, the text that the model was told."""
        raw = get(item, "raw_item")
        if get(raw, "type") not in _OF_CALLS:
            return
        told, output = get(raw, "output"), get(item, "output")
        yield self.result(get(raw, "call_id"), told if output is None else output, words=told)

    def sent(self, chunk: Any) -> Any:
        """Without the agents and what the model was asked, which hold the app's instructions and tools."""
        event = {"type": get(chunk, "type")}
        if (data := get(chunk, "data")) is not None:
            return {**event, "data": super().sent(data)}
        if (item := get(chunk, "item")) is not None:
            shown = {"type": get(item, "type"), "raw_item": get(item, "raw_item")}
            return {**event, "name": get(chunk, "name"), "item": shown}
        return {**event, "new_agent": {"name": get(get(chunk, "new_agent"), "name")}}


def looks_like_openai_agents(chunk: Any) -> bool:
    """Whether this is one of the three kinds of events of a run."""
    kind = get(chunk, "type")
    return isinstance(kind, str) and kind in _EVENTS and get(chunk, _EVENTS[kind]) is not None


class OpenAIAgents(VendorAdapter):
    """Events of ``Runner.run_streamed(...).stream_events()``."""

    reads_with = OpenAIAgentsReader


VENDOR = Vendor(looks_like_openai_agents, OpenAIAgentsReader, frozenset({"type"}))
