"""Events of OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from told import Answer

USAGE = {
    "input_tokens": 7,
    "input_tokens_details": {"cached_tokens": 5},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 16,
}
Event = dict[str, Any]
Item = tuple[Event, list[Event]]  # as it is when over, and the events that it is told with


def event(kind: str, **fields: Any) -> Event:
    return {"type": f"response.{kind}", **fields}


def life(kind: str, id_: str = "resp_1", **fields: Any) -> Event:
    about = {"id": id_, "object": "response", "created_at": 1, "model": "gpt-x", "status": kind}
    more = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "output": []}
    return event(kind, response={**about, **more, **fields})


def response(
    *items: Item, end: str = "completed", id_: str = "resp_1", **fields: Any
) -> list[Event]:
    """All events of a response with these items."""
    events = [life("created", id_), life("in_progress", id_)]
    for place, (item, told) in enumerate(items):
        begun = {**item, "status": "in_progress"}
        begun |= {field: [] for field in ("content", "summary") if field in item}
        begun |= {field: "" for field in ("arguments", "input") if field in item}
        events.append(event("output_item.added", item=begun, output_index=place))
        events += ({**one, "output_index": place} for one in told)
        events.append(event("output_item.done", item=item, output_index=place))
    output = [item for item, _ in items]
    events.append(life(end, id_, **{"output": output, "usage": USAGE, **fields}))
    return numbered(events)


def numbered(events: Iterable[Event]) -> list[Event]:
    return [{**one, "sequence_number": number} for number, one in enumerate(events)]


def text(*pieces: str, notes: Iterable[Event] = (), id_: str = "msg_1") -> Item:
    at = {"item_id": id_, "content_index": 0}
    begun = {"type": "output_text", "text": "", "annotations": []}
    part = {**begun, "text": "".join(pieces), "annotations": [*notes]}
    item = {"id": id_, "type": "message", "role": "assistant", "content": [part]}
    told = [
        event("content_part.added", part=begun, **at),
        *(event("output_text.delta", delta=piece, logprobs=[], **at) for piece in pieces),
        *(
            event("output_text.annotation.added", annotation=note, annotation_index=place, **at)
            for place, note in enumerate(notes)
        ),
        event("output_text.done", text=part["text"], logprobs=[], **at),
        event("content_part.done", part=part, **at),
    ]
    return {**item, "status": "completed"}, told


def refusal(words: str) -> Item:
    at = {"item_id": "msg_1", "content_index": 0}
    part = {"type": "refusal", "refusal": words}
    item = {"id": "msg_1", "type": "message", "role": "assistant", "content": [part]}
    told = [
        event("content_part.added", part={**part, "refusal": ""}, **at),
        event("refusal.delta", delta=words, **at),
        event("refusal.done", refusal=words, **at),
        event("content_part.done", part=part, **at),
    ]
    return {**item, "status": "completed"}, told


def summary(*texts: str) -> Item:
    told = []
    for place, words in enumerate(texts):
        at = {"item_id": "rs_1", "summary_index": place}
        part = {"type": "summary_text", "text": words}
        told += [
            event("reasoning_summary_part.added", part={**part, "text": ""}, **at),
            event("reasoning_summary_text.delta", delta=words, **at),
            event("reasoning_summary_text.done", text=words, **at),
            event("reasoning_summary_part.done", part=part, **at),
        ]
    parts = [{"type": "summary_text", "text": words} for words in texts]
    return {"id": "rs_1", "type": "reasoning", "summary": parts}, told


def thinking(words: str) -> Item:
    """As models with open weights think."""
    at = {"item_id": "rs_1", "content_index": 0}
    told = [
        event("reasoning_text.delta", delta=words, **at),
        event("reasoning_text.done", text=words, **at),
    ]
    content = [{"type": "reasoning_text", "text": words}]
    return {"id": "rs_1", "type": "reasoning", "summary": [], "content": content}, told


def call(name: str, *pieces: str, id_: str = "call_1", kind: str = "function_call") -> Item:
    at, whole = {"item_id": f"fc_{id_}"}, "".join(pieces)
    field, events = {
        "function_call": ("arguments", "function_call_arguments"),
        "custom_tool_call": ("input", "custom_tool_call_input"),
        "mcp_call": ("arguments", "mcp_call_arguments"),
    }[kind]
    told = [
        *(event(f"{events}.delta", delta=piece, **at) for piece in pieces),
        event(f"{events}.done", **{field: whole}, **at),
    ]
    named = {"id": at["item_id"], "type": kind, "call_id": id_, "name": name}
    return {**named, field: whole, "status": "completed"}, told


def cited(url: str) -> Event:
    return {"type": "url_citation", "url": url, "title": "A", "start_index": 0, "end_index": 2}


CALL = call("weather", '{"city": ', '"Rome"}')
ANSWER = response(summary("Let me ", "see."), text("Hel", "lo"), CALL)
TOLD = Answer(
    text="Hello",
    reasoning="Let me \n\nsee.",
    calls=(("call_1", "weather", '{"city": "Rome"}'),),
    finish="tool_calls",
    usage=(7, 9, 16),
)


def failing(code: str) -> list[Event]:
    """The response fails in its middle."""
    error = {"code": code, "message": "the service's words"}
    begun = response(text("Hel"))[:5]
    return numbered([*begun, life("failed", error=error, usage=None)])


def breaking(code: str | None) -> list[Event]:
    """An event tells that the stream is over."""
    error = {"type": "error", "code": code, "message": "the service's words", "param": None}
    return numbered([*response(text("Hel"))[:5], error])


def of_llama_cpp() -> list[Event]:
    """As its server writes them: without numbers and places, and with the call's own id for its item's."""
    told = [life("created"), life("in_progress")]
    for item, said in (thinking("Let me see."), text("Hel", "lo"), CALL):
        if item["type"] == "function_call":
            item = {name: value for name, value in item.items() if name != "id"}
            said = [{**one, "item_id": "call_1"} for one in said if "delta" in one]
        told += [event("output_item.added", item={**item, "arguments": ""}), *said]
        told.append(event("output_item.done", item=item))
    return [*told, life("completed", usage=USAGE)]
