"""The langchain adapter: chunks of a chat model's messages, and the events of ``astream_events``.

The format: https://docs.langchain.com/oss/python/langchain/messages. LangChain tells much twice: the calls of tools
in ``tool_call_chunks`` and among the content, thinking in the content and beside it, a message in its chunks and
whole. What is said once is not said again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..failures import SerializationError
from ..objects import ObjectWriter
from ..parts import Data, Part, Reasoning, Usage
from ..shapes import shape
from .base import added, get, items, read_usage, real_reason, text_of
from .calls import Calls
from .given import yielded
from .refusals import is_failed_finish, told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, data_url, said_words
from .words import ignore, say_content, say_reasoning

_MODELS = ("AIMessageChunk", "ai")
_TOOLS = ("tool", "ToolMessageChunk")
_OTHERS = ("human", "system", "HumanMessageChunk", "SystemMessageChunk", "remove", "chat")
_REASONS = ("finish_reason", "stop_reason", "stopReason", "done_reason")
# Pieces of content that repeat `tool_call_chunks`.
_CALLS = (
    *("tool_call", "tool_call_chunk", "invalid_tool_call"),
    *("tool_use", "input_json_delta", "function_call"),
)
_SERVER_CALLS = ("server_tool_call", "server_tool_call_chunk")
_FILES = {"image": "image/png", "video": "video/mp4", "file": "application/octet-stream"}
KEPT = 1_000  # so many messages, runs and results are remembered
_ANY = ObjectWriter(shape)  # writes whatever has no JSON form as what it is


class LangChainReader(VendorReader):
    name = "langchain"
    takes = "messages and events of LangChain"
    tells_reason = False  # many models' messages have none

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._calls: dict[str, Calls] = {}  # of each message that has some
        self._heard: dict[str, None] = {}  # messages, runs and results that need not be told again

    def knows(self, chunk: Any) -> bool:
        return looks_like_langchain(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        return self._event(chunk) if is_event(chunk) else self._message(chunk)

    # -- messages ----------------------------------------------------------------------------------

    def _message(self, message: Any) -> Iterator[Part]:
        kind = get(message, "type")
        if kind in _TOOLS:
            yield from self._result(message)
        if kind not in _MODELS:
            return
        id_ = text_of(get(message, "id"))
        if kind == "ai" and self._is_told(id_):
            return
        self._hear(id_)
        yield from self._words(message, id_)
        yield from self._tools(message, id_)
        yield from self._tokens(get(message, "usage_metadata"))
        self._end(get(message, "response_metadata"))

    def _end(self, told: Any) -> None:
        """Note why a model stopped; raises `UpstreamError` where it failed."""
        reasons = [real_reason(get(told, field)) for field in _REASONS]
        if any(map(is_failed_finish, reasons)):
            raise told_failure(get(told, "error"))
        if get(told, "status") == "incomplete":  # OpenAI's Responses
            reasons.append(text_of(get(get(told, "incomplete_details"), "reason")))
        for reason in reasons:
            self.finish(reason)

    def _hear(self, id_: str) -> None:
        """Note what was told; the oldest is forgotten, for some services change the id with each chunk."""
        self._heard[id_] = None
        if len(self._heard) > KEPT:
            del self._heard[next(iter(self._heard))]

    def _is_told(self, id_: str) -> bool:
        """Whether that was told before; what has no id never was."""
        return bool(id_) and id_ in self._heard

    def _words(self, message: Any, id_: str) -> Iterator[Part]:
        said = [*self._content(get(message, "content"), id_)]
        beside = get(message, "additional_kwargs")
        if not any(type(part) is Reasoning for part in said):
            yield from say_reasoning(beside)
        yield from said
        yield from said_words(get(beside, "refusal"))

    def _content(self, content: Any, id_: str) -> Iterator[Part]:
        if isinstance(content, str):
            yield from said_words(content)
        for piece in items(content):
            yield from said_words(piece) if isinstance(piece, str) else self._piece(piece, id_)

    def _piece(self, piece: Any, id_: str) -> Iterator[Part]:
        kind = text_of(get(piece, "type"))
        if kind in _CALLS:
            return
        if kind in _SERVER_CALLS:
            yield from self._fragments([piece], f"{id_} of the service")
        elif kind == "server_tool_result":
            yield self.result(get(piece, "tool_call_id"), get(piece, "output"))
        elif kind in _FILES:
            yield from self._file(piece, kind)
        elif kind == "image_url":
            place = get(piece, "image_url")
            yield from self.file(get(place, "url") or place, _type_in(get(place, "url") or place))
        elif kind == "reasoning_content":  # Bedrock's
            yield from say_reasoning({"reasoning": get(piece, kind)})
        else:
            yield from say_content(piece, self.missed)
            for field in ("annotations", "citations"):
                for cited in items(get(piece, field)):
                    yield from self.source(get(cited, "url"), get(cited, "title"))

    def _file(self, piece: Any, kind: str) -> Iterator[Part]:
        media_type = text_of(get(piece, "mime_type")) or _FILES[kind]
        data = get(piece, "base64") or get(piece, "data")
        url = text_of(get(piece, "url")) or data_url(data, media_type)
        if not url:
            self.missed(f"content of type {kind!r} without an address")
        yield from self.file(url, media_type, get(get(piece, "extras"), "filename"))

    def _tools(self, message: Any, id_: str) -> Iterator[Part]:
        fragments = items(get(message, "tool_call_chunks"))
        if not fragments:
            calls = (get(message, "tool_calls"), get(message, "invalid_tool_calls"))
            fragments = [call for some in calls for call in items(some)]
        yield from self._fragments(fragments, id_)

    def _fragments(self, fragments: Any, id_: str) -> Iterator[Part]:
        """Fragments of calls, whose numbers are their message's own; models may speak at once."""
        named = [
            {
                "id": get(fragment, "id"),
                "name": get(fragment, "name"),
                "arguments": get(fragment, "args"),
                "index": get(fragment, "index"),
            }
            for fragment in fragments
        ]
        if not named:
            return
        if len(self._calls) > KEPT:
            del self._calls[next(iter(self._calls))]
        for call in self._calls.setdefault(id_, Calls(self._objects)).say(named):
            key = (id_, call.number)
            yield self.call(key, id_=call.id, name=call.name, arguments=call.arguments)

    def _result(self, message: Any) -> Iterator[Part]:
        """What a tool has given, which several events tell of."""
        id_ = text_of(get(message, "tool_call_id"))
        if id_ and not self._is_told(f"result {id_}"):
            self._hear(f"result {id_}")
            content = get(message, "content")
            failed = get(message, "status") == "error"
            yield self.result(id_, content, _text_in(content) if failed else None)

    def _tokens(self, told: Any) -> Iterator[Usage]:
        """Each chunk counts what the ones before it have not."""
        usage = read_usage(told)
        if usage is not None and self._usage is not None:
            usage = added(self._usage, usage)
        yield from self.count(usage)

    # -- events ------------------------------------------------------------------------------------

    def _event(self, event: Any) -> Iterator[Part]:
        kind, data = get(event, "event"), get(event, "data")
        run = f"run {text_of(get(event, 'run_id'))}"
        if kind == "on_chat_model_stream":
            self._hear(run)
            yield from self._message(get(data, "chunk"))
        elif kind == "on_llm_stream":
            self._hear(run)
            yield from said_words(get(get(data, "chunk"), "text"))
        elif kind in ("on_chat_model_end", "on_llm_end"):
            yield from () if self._is_told(run) else self._whole(get(data, "output"))
        elif kind == "on_tool_end":
            yield from self._outcome(get(data, "output"))
        elif kind == "on_tool_error":
            yield from self._failed(get(data, "tool_call_id"))
        elif kind == "on_custom_event":
            yield self._own(Data(text_of(get(event, "name")) or "custom", data))

    def _own(self, data: Any) -> Any:
        """What the app tells; where all is sent as JSON, whatever has none is shown as what it is."""
        return yielded(data, _ANY.write if self._sends_whole else self._objects.write)

    def sent(self, chunk: Any) -> Any:
        """An event without what a model or a step has read: there the system's prompt is."""
        if not is_event(chunk) or chunk["event"] == "on_custom_event":
            return chunk
        read = ("input", "output") if chunk["event"].startswith("on_prompt_") else ("input",)
        data = chunk["data"]
        if isinstance(data, dict):
            data = {name: value for name, value in data.items() if name not in read}
        return {**chunk, "data": without_system(data)}

    def _whole(self, output: Any) -> Iterator[Part]:
        """What a model says that did not stream."""
        yield from self._message(output)
        for generation in items(next(iter(items(get(output, "generations"))), ())):
            yield from said_words(get(generation, "text"))

    def _outcome(self, output: Any) -> Iterator[Part]:
        """What a tool gives: a message, or a command that has some for the graph."""
        update = get(output, "update")
        messages = (*items(output), *items(update), *items(get(update, "messages")))
        for message in (output, *messages):
            if get(message, "type") in _TOOLS:
                yield from self._result(message)

    def _failed(self, id_: Any) -> Iterator[Part]:
        """A tool that has raised; its error's words are not for the client."""
        if (call := text_of(id_)) and not self._is_told(f"result {call}"):
            self._hear(f"result {call}")
            yield self.result(call, None, "the tool failed")

    def _line(self, chunk: Any) -> bytes:
        try:
            return super()._line(chunk)
        except SerializationError:  # an event may hold any object
            return _ANY.write(self.sent(chunk))


def _text_in(content: Any) -> str:
    return "".join(part for part in say_content(content, ignore) if isinstance(part, str))


def _type_in(url: Any) -> str:
    """The media type in a ``data:`` URL."""
    head, _, _ = text_of(url)[:100].partition(";")
    return head.removeprefix("data:") if head.startswith("data:") else "image/png"


def is_message(thing: Any) -> bool:
    """Whether this is one of LangChain's messages, or its JSON."""
    kind = get(thing, "type")
    if not isinstance(kind, str) or kind not in (*_MODELS, *_TOOLS, *_OTHERS):
        return False
    fields = ("content", "additional_kwargs", "response_metadata")
    return all(get(thing, field) is not None for field in fields)


def is_system(thing: Any) -> bool:
    """Whether this is a message with the system's prompt, or one as OpenAI's JSON has it."""
    fields = _fields_of(thing)
    kind, role = fields.get("type"), fields.get("role")
    if isinstance(kind, str) and kind in _SYSTEM:
        return is_message(thing)
    return isinstance(role, str) and role in _SYSTEM and "content" in fields


_SYSTEM = ("system", "SystemMessageChunk", "developer")


def _fields_of(thing: Any) -> dict[str, Any]:
    """What an object holds; whatever it would make only when asked is left alone."""
    fields = thing if isinstance(thing, dict) else getattr(thing, "__dict__", None)
    return fields if isinstance(fields, dict) else {}


def without_system(state: Any, depth: int = 12) -> Any:
    """A graph's state, or what holds some, without the messages with the system's prompt."""
    if depth == 0:
        return state
    if isinstance(state, (list, tuple)):
        return [without_system(one, depth - 1) for one in state if not is_system(one)]
    fields = _fields_of(state)
    if not isinstance(state, dict) and not items(fields.get("messages")):
        return state
    kept = ((name, value) for name, value in fields.items() if not is_system(value))
    return {name: without_system(value, depth - 1) for name, value in kept}


def is_event(thing: Any) -> bool:
    """Whether this is one of the events of ``astream_events``."""
    if not isinstance(thing, dict) or not isinstance(thing.get("event"), str):
        return False
    return thing["event"].startswith("on_") and _OF_EVENTS.issubset(thing)


_OF_EVENTS = frozenset({"event", "name", "run_id", "data"})


def looks_like_langchain(chunk: Any) -> bool:
    """Whether this is a message or an event."""
    return is_message(chunk) or is_event(chunk)


class LangChain(VendorAdapter):
    """Chunks of a chat model's ``stream()`` and ``astream()``, and the events of ``astream_events()``."""

    reads_with = LangChainReader


VENDOR = Vendor(looks_like_langchain, LangChainReader, frozenset({"response_metadata", "run_id"}))
