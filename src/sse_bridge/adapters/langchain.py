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
from ..parts import Part, Reasoning, Usage
from ..shapes import shape
from .base import added, get, items, read_usage, real_reason, text_of
from .calls import Calls
from .vendor import Vendor, VendorAdapter, VendorReader, said_words
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
_ANY = ObjectWriter(shape)  # writes whatever has no JSON form as what it is


class LangChainReader(VendorReader):
    name = "langchain"
    takes = "messages and events of LangChain"
    tells_reason = False  # many models' messages have none

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._calls: dict[str, Calls] = {}  # of each message
        self._heard: set[str] = set()  # messages, runs and results that need not be told again

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
        self._heard.add(id_)
        yield from self._words(message, id_)
        yield from self._tools(message, id_)
        told = get(message, "response_metadata")
        for reason in (real_reason(get(told, field)) for field in _REASONS):
            self.finish(reason)
        if get(told, "status") == "incomplete":  # OpenAI's Responses
            self.finish(get(get(told, "incomplete_details"), "reason"))
        yield from self._tokens(get(message, "usage_metadata"))

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
        url = text_of(get(piece, "url"))
        if not url and (data := text_of(get(piece, "base64") or get(piece, "data"))):
            url = f"data:{media_type};base64,{data}"
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
        for call in self._calls.setdefault(id_, Calls(self._objects)).say(named):
            key = (id_, call.number)
            yield self.call(key, id_=call.id, name=call.name, arguments=call.arguments)

    def _result(self, message: Any) -> Iterator[Part]:
        """What a tool has given, which several events tell of."""
        id_ = text_of(get(message, "tool_call_id"))
        if id_ and not self._is_told(f"result {id_}"):
            self._heard.add(f"result {id_}")
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
            self._heard.add(run)
            yield from self._message(get(data, "chunk"))
        elif kind == "on_llm_stream":
            self._heard.add(run)
            yield from said_words(get(get(data, "chunk"), "text"))
        elif kind in ("on_chat_model_end", "on_llm_end"):
            yield from () if self._is_told(run) else self._whole(get(data, "output"))
        elif kind == "on_tool_end":
            yield from self._outcome(get(data, "output"))
        elif kind == "on_tool_error":
            yield from self._failed(get(data, "tool_call_id"))

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
            self._heard.add(f"result {call}")
            yield self.result(call, None, "the tool failed")

    def _line(self, chunk: Any) -> bytes:
        try:
            return super()._line(chunk)
        except SerializationError:  # an event may hold any object
            return _ANY.write(chunk)


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
