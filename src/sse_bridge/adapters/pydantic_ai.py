"""The pydantic-ai adapter: the events of an agent's run, from whichever way of it gives them.

The format: https://ai.pydantic.dev/api/messages/. A run calls its model several times, and its tools in between; a
part is told by its beginning and its deltas, and its end and the call of its tool repeat it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from ..failures import read
from ..parts import Approval, Data, Part, Usage
from ..shapes import named
from ..surrogates import whole
from .base import get, items, number_of, read_usage, text_of
from .given import yielded
from .refusals import is_failed_finish, told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, data_url, said_words, thought

# Each kind of event that may be a stream's first, and where it has what without which it is another's.
_EVENTS = {
    "part_start": ("part", "part_kind"),
    "part_delta": ("delta", "part_delta_kind"),
    "part_end": ("part", "part_kind"),
    "function_tool_call": ("part", "tool_name"),
    "function_tool_result": ("part", "tool_call_id"),
    "output_tool_call": ("part", "tool_name"),
    "output_tool_result": ("part", "tool_call_id"),
    "deferred_tool_requests": ("requests", "approvals"),
    "enqueued_messages": ("messages", None),
    "tool_availability_delta": ("part", "part_kind"),
    "capability_load_delta": ("part", "part_kind"),
    "model_settings_delta": ("part", "part_kind"),
    "agent_run_result": ("result", None),
}
_OTHERS = ("final_result", "deferred_tool_results", "custom", "capability")


class PydanticAIReader(VendorReader):
    name = "pydantic-ai"
    takes = "events of a pydantic-ai agent's run"
    tells_reason = False

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # Of this call of the model:
        self._begun: set[int | None] = set()  # the places of its parts
        self._called: set[str] = set()  # the ids of its calls of tools
        self._answered: set[str] = set()  # those of them whose result has come
        self._cited: set[str] = set()

    def knows(self, chunk: Any) -> bool:
        return isinstance(get(chunk, "event_kind"), str)

    def say(self, chunk: Any) -> Iterator[Part]:
        kind, index = get(chunk, "event_kind"), number_of(get(chunk, "index"))
        if kind == "part_start":
            if get(chunk, "previous_part_kind") is None:
                self._next_response()
            yield from self._begin(index, get(chunk, "part"))
        elif kind == "part_delta":
            yield from self._delta(index, get(chunk, "delta"))
        elif kind in ("function_tool_call", "output_tool_call"):
            yield from self._calling(get(chunk, "part"))
        elif kind in ("function_tool_result", "output_tool_result"):
            # Before version 2 it was called so.
            part = get(chunk, "part")
            yield from self._result(get(chunk, "result") if part is None else part)
            yield from self._files(get(chunk, "content"))
        elif kind == "deferred_tool_requests":
            yield from self._ask(get(chunk, "requests"))
        elif kind == "agent_run_result":
            yield from self._over(get(chunk, "result"))
        elif kind == "custom":
            yield from self._own(chunk)

    def sent(self, chunk: Any) -> Any:
        """What holds the system's prompt is sent without: of a run's result there is the end."""
        kind = get(chunk, "event_kind")
        if kind == "enqueued_messages" or _is_for_the_server(chunk):
            return {"event_kind": kind}
        if kind != "agent_run_result":
            return chunk
        result = get(chunk, "result")
        told = {"output": read(result, "output"), "usage": _usage_of(result)}
        return {"event_kind": "agent_run_result", "result": told}

    def _next_response(self) -> None:
        for seen in (self._begun, self._called, self._answered, self._cited):
            seen.clear()
        self.next_call()

    def _begin(self, index: int | None, part: Any) -> Iterator[Part]:
        if index in self._begun:
            self.missed("a part that takes another's place")
            return
        self._begun.add(index)
        kind, content = text_of(get(part, "part_kind")), get(part, "content")
        if kind == "text":
            yield from said_words(content)
            yield from self._cite(get(part, "citations"))
        elif kind == "thinking":
            yield from thought(content)
        elif kind.endswith("tool-call"):
            id_ = text_of(get(part, "tool_call_id"))
            self._called.add(id_)
            name = get(part, "tool_name")
            yield self.call(index, id_=id_, name=name, arguments=get(part, "args"))
        elif kind.endswith("tool-return"):
            yield from self._result(part)
        elif kind == "file":
            yield from self._files(content)
        elif kind == "speech":
            self.missed(f"a part of the kind {named(kind)}")

    def _delta(self, index: int | None, delta: Any) -> Iterator[Part]:
        kind = get(delta, "part_delta_kind")
        if kind == "text":
            yield from said_words(get(delta, "content_delta"))
            yield from self._cite(get(delta, "citations_delta"))
        elif kind == "thinking":
            yield from thought(get(delta, "content_delta"))
        elif kind == "tool_call" and (arguments := get(delta, "args_delta")):
            if self.has_call(index):
                yield self.call(index, arguments=arguments)
                return
            id_ = text_of(get(delta, "tool_call_id"))
            self._called.add(id_)
            yield self.call(index, id_=id_, name=get(delta, "tool_name_delta"), arguments=arguments)

    def _calling(self, part: Any) -> Iterator[Part]:
        """A tool is called: by a part that was told, or by one of a run before this."""
        id_ = text_of(get(part, "tool_call_id"))
        if id_ not in self._called:
            self._called.add(id_)
            name = get(part, "tool_name")
            yield self.call(("id", id_), id_=id_, name=name, arguments=get(part, "args"))

    def _result(self, part: Any) -> Iterator[Part]:
        id_ = text_of(get(part, "tool_call_id"))
        if id_ in self._answered:
            return
        self._answered.add(id_)
        content = get(part, "content")
        outcome = text_of(get(part, "outcome"))
        is_retry = get(part, "part_kind") == "retry-prompt"
        if is_retry or outcome not in ("", "success"):
            said = text_of(content)
            yield self.result(id_, None if said else content, said or outcome or "retried")
        else:
            yield self.result(id_, _without_files(content))
        yield from self._files(content)

    def _files(self, content: Any) -> Iterator[Part]:
        for thing in items(content) or (content,):
            if _is_file(thing):
                yield from self.file(_address_of(thing), get(thing, "media_type"))

    def _cite(self, citations: Any) -> Iterator[Part]:
        for source in (source for one in items(citations) for source in items(get(one, "sources"))):
            url = text_of(get(source, "url"))
            if not url:
                self.missed("a citation without an address")
            elif url not in self._cited:
                self._cited.add(url)
                yield from self.source(url, get(source, "title"))

    def _ask(self, requests: Any) -> Iterator[Part]:
        for call in items(get(requests, "approvals")):
            yield from self._calling(call)
            if id_ := whole(text_of(get(call, "tool_call_id"))):
                yield Approval(id_, id_)

    def _own(self, event: Any) -> Iterator[Part]:
        """An event of the app's, with what it has for frontends."""
        name, make = text_of(get(event, "name")), get(event, "to_payload")
        if isinstance(event, dict):
            data = {field: value for field, value in event.items() if field not in _OF_CUSTOM}
        elif callable(make):
            data = make()
        else:
            self.missed("an event of your own")
            return
        if name and not _is_for_the_server(event):
            yield yielded(Data(name, data), self._objects.write)

    def _over(self, result: Any) -> Iterator[Usage]:
        """The run has come to its end, whatever its last call of the model was for."""
        waits = any(items(read(read(result, "output"), field)) for field in ("calls", "approvals"))
        reason = text_of(get(_response_of(result), "finish_reason"))
        is_over = reason in ("", "tool_call")
        yield from self.count(read_usage(_usage_of(result)))
        if is_failed_finish(reason):
            raise told_failure(None)
        self.finish("tool_call" if waits else "stop" if is_over else reason)


def _response_of(result: Any) -> Any:
    """The model's last answer; a result as JSON has it among its messages."""
    messages = items(read(result, "messages"))
    last = next((one for one in reversed(messages) if get(one, "kind") == "response"), None)
    return last if messages else read(result, "response")


def _usage_of(result: Any) -> Any:
    usage = read(result, "usage")
    if callable(usage) and get(usage, "input_tokens") is None:  # it was a method before version 2
        with contextlib.suppress(Exception):
            return usage()
    return usage


def _is_for_the_server(event: Any) -> bool:
    """Whether an app has told that an event of its own is not for frontends."""
    return get(event, "event_kind") == "custom" and get(event, "ui") is False


_OF_CUSTOM = ("event_kind", "name", "tool_call_id", "tool_name")


def _is_file(thing: Any) -> bool:
    kind = text_of(get(thing, "kind"))
    return kind == "binary" or (kind.endswith("-url") and bool(get(thing, "url")))


def _address_of(file: Any) -> str:
    """Its own, or all of it as one."""
    whole_of_it = data_url(get(file, "data"), text_of(get(file, "media_type")))
    return whole_of_it or text_of(get(file, "url"))


def _without_files(content: Any) -> Any:
    """What a tool has given, with the kind of a file in each one's place: files are parts of their own."""
    if _is_file(content):
        return {"media_type": text_of(read(content, "media_type"))}
    if isinstance(content, (list, tuple)):
        return [_without_files(thing) for thing in content]
    return content


def looks_like_pydantic_ai(chunk: Any) -> bool:
    """Whether this is one of the events that may begin a run, and holds what such an event does."""
    kind = get(chunk, "event_kind")
    if not isinstance(kind, str) or kind not in _EVENTS:
        return False
    place, field = _EVENTS[kind]
    held = get(chunk, place)
    if held is None and place == "part":
        held = get(chunk, "result")
    return held is not None and (field is None or get(held, field) is not None)


def goes_on(chunk: Any) -> bool:
    """Whether this may be another event of a run that has begun."""
    kind = get(chunk, "event_kind")
    return isinstance(kind, str) and (kind in (*_EVENTS, *_OTHERS) or not isinstance(chunk, dict))


class PydanticAI(VendorAdapter):
    """Events of ``agent.run_stream_events()``, ``agent.iter``'s nodes and event stream handlers, or as dicts."""

    reads_with = PydanticAIReader


VENDOR = Vendor(looks_like_pydantic_ai, PydanticAIReader, frozenset({"event_kind"}), goes_on)
