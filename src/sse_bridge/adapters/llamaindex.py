"""The llamaindex adapter: responses of its models' streams, and the events of its agents.

The format: https://developers.llamaindex.ai/python/framework/understanding/streaming. A response has its news as
``delta``, and all that was said so far beside it; calls of tools come as far as they are known, again and again, so
each is told once, when it is whole.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from ..failures import UpstreamError
from ..parts import Part, Usage
from .base import Parts, get, items, read_usage, real_reason, text_of
from .refusals import told_failure
from .vendor import Vendor, VendorAdapter, VendorReader, said_words, thought

_RESPONSE = ("delta", "raw", "additional_kwargs", "logprobs")
_STREAM = ("delta", "response", "current_agent_name", "tool_calls")
_CALL = ("tool_name", "tool_kwargs", "tool_id")
# An agent's events that frame what it says: the model is called, and has spoken.
_INPUT = ("input", "current_agent_name")
_OUTPUT = ("response", "current_agent_name", "tool_calls")
_SAYING = (_RESPONSE, _STREAM, _CALL, _OUTPUT)
_FAILED, _LATE = ("step_name", "exception"), ("timeout", "active_steps")
_REASONS = ("finish_reason", "stop_reason", "done_reason")


class LlamaIndexReader(VendorReader):
    name = "llamaindex"
    takes = "responses and events of LlamaIndex"
    tells_reason = False  # many integrations keep it to themselves

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._pending: dict[Hashable, Any] = {}  # calls as far as they are known
        self._called: set[Hashable] = set()
        self._lengths = {"text": 0, "thoughts": 0}
        self._origin = ""  # the service's id for its answer

    def knows(self, chunk: Any) -> bool:
        return looks_like_llamaindex(chunk) or _is_stop(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        if _has(chunk, _RESPONSE):
            yield from self._response(chunk)
        elif _has(chunk, _STREAM):
            yield from self._agent(chunk)
        elif _has(chunk, _CALL):
            yield from self._tool(chunk)
        elif _has(chunk, _OUTPUT):
            self._know(get(chunk, "tool_calls"))
            yield from self._flush()
        elif _has(chunk, _INPUT):
            yield from self._begin()
        elif goes_on(chunk):
            _raise_failure_in(chunk)
        else:
            self.missed("a workflow's own result")

    def sent(self, chunk: Any) -> Any:
        """What a model has been asked holds the system's prompt, and is not sent."""
        if not _has(chunk, _INPUT) or any(_has(chunk, fields) for fields in _SAYING):
            return chunk
        return {"current_agent_name": get(chunk, "current_agent_name")}

    def end(self) -> Parts:
        calls = () if self._sends_whole else tuple(self._flush())
        return (*calls, *super().end())

    def _response(self, response: Any) -> Iterator[Part]:
        """A model's; a whole answer has no delta."""
        raw, message, beside = (
            get(response, name) for name in ("raw", "message", "additional_kwargs")
        )
        yield from self._meet(raw)
        blocks = items(get(message, "blocks"))
        calls = [block for block in blocks if get(block, "block_type") == "tool_call"]
        yield from self._flush_others(calls)
        yield from self._think(get(beside, "thinking_delta"), blocks)
        delta = get(response, "delta")
        text = get(response, "text") if message is None else _text_in(blocks)
        yield from self._news("text", delta, text)
        self._know(calls)
        yield from self._tell(raw, beside)

    def _agent(self, event: Any) -> Iterator[Part]:
        yield from self._meet(get(event, "raw"))
        yield from thought(get(event, "thinking_delta"))
        yield from said_words(get(event, "delta"))
        self._know(get(event, "tool_calls"))
        yield from self._tell(get(event, "raw"), None)

    def _tool(self, event: Any) -> Iterator[Part]:
        """An agent calls a tool, or has called it."""
        self._know([event])
        yield from self._flush()
        output = get(event, "tool_output")
        if output is not None:
            text = _text_in(items(get(output, "blocks"))) or text_of(get(output, "content"))
            failed = get(output, "is_error") is True
            yield self.result(get(event, "tool_id"), text, text if failed else None)

    # -- what is told again and again --------------------------------------------------------------

    def _think(self, delta: Any, blocks: Any) -> Iterator[Part]:
        thoughts = (
            text_of(get(block, "content"))
            for block in blocks
            if get(block, "block_type") == "thinking"
        )
        for words in self._news("thoughts", delta, "".join(thoughts)):
            yield from thought(words)

    def _news(self, kind: str, delta: Any, so_far: Any) -> Iterator[str]:
        """The delta; where there is none, what is behind that which was said of all so far."""
        text, told = text_of(so_far), self._lengths[kind]
        if not isinstance(delta, str):
            told = 0 if len(text) < told else told  # of another answer
            delta, self._lengths[kind] = text[told:], len(text)
        else:
            self._lengths[kind] = told + len(delta)
        yield from said_words(delta)

    def _know(self, calls: Any) -> None:
        """Note the calls of an answer as far as they are known; its place stands for an id that lacks."""
        for place, call in enumerate(items(calls)):
            if (key := _key_of(call, place)) not in self._called:
                self._pending[key] = call

    def _flush_others(self, calls: Any) -> Iterator[Part]:
        """The calls that are not among an answer's: they were another's, and are whole."""
        if self._pending.keys() - {_key_of(call, place) for place, call in enumerate(calls)}:
            yield from self._flush()

    def _flush(self) -> Iterator[Part]:
        pending, self._pending = self._pending, {}
        for key, call in pending.items():
            self._called.add(key)
            id_ = text_of(get(call, "tool_id")) or text_of(get(call, "tool_call_id"))
            given = get(call, "tool_kwargs")
            yield self.call(key, id_=id_, name=get(call, "tool_name"), arguments=given)

    # -- the service's own chunk -------------------------------------------------------------------

    def _meet(self, raw: Any) -> Iterator[Part]:
        """Another answer of the service begins with another id."""
        origin = text_of(get(raw, "id"))
        if origin and self._origin and origin != self._origin:
            yield from self._begin()
        self._origin = origin or self._origin

    def _begin(self) -> Iterator[Part]:
        """The model is called."""
        yield from self._flush()
        self._called = {key for key in self._called if isinstance(key, str)}
        self._lengths = dict.fromkeys(self._lengths, 0)
        self._origin = ""
        self.next_call()

    def _tell(self, raw: Any, beside: Any) -> Iterator[Usage]:
        choice = next(iter(items(get(raw, "choices")) or items(get(raw, "candidates"))), None)
        for place in (raw, get(raw, "delta"), choice):
            for field in _REASONS:
                self.finish(real_reason(_value(get(place, field))))
        counts = (get(raw, "usage"), get(get(raw, "message"), "usage"), beside)
        usage = next(filter(None, map(read_usage, counts)), None)
        if usage is not None and (before := self._usage) is not None:  # Anthropic tells them apart
            given = max(usage.input_tokens, before.input_tokens)
            made = max(usage.output_tokens, before.output_tokens)
            total = max(usage.total_tokens, before.total_tokens, given + made)
            usage = usage._replace(input_tokens=given, output_tokens=made, total_tokens=total)
        yield from self.count(usage)


def _raise_failure_in(event: Any) -> None:
    """Raise what a workflow has failed with: its events end with that, and as if nothing had been."""
    if _has(event, _FAILED):
        error = get(event, "exception")
        raise error if isinstance(error, Exception) else told_failure(error)
    if _has(event, _LATE):
        raise UpstreamError("the workflow ran out of its time", code="upstream_timeout")


def _value(reason: Any) -> Any:
    """A reason that may be an enum's member."""
    return reason if isinstance(reason, str) else get(reason, "name")


def _key_of(call: Any, place: int) -> Hashable:
    return text_of(get(call, "tool_id")) or text_of(get(call, "tool_call_id")) or place


def _text_in(blocks: Any) -> str:
    texts = (get(block, "text") for block in blocks if get(block, "block_type") == "text")
    return "".join(map(text_of, texts))


def _has(thing: Any, fields: tuple[str, ...]) -> bool:
    if isinstance(thing, dict):
        return all(field in thing for field in fields)
    return all(hasattr(thing, field) for field in fields)


def looks_like_llamaindex(chunk: Any) -> bool:
    """Whether this is a model's response, or an event of an agent's."""
    if _has(chunk, _RESPONSE):
        return _has(chunk, ("text",)) or _has(chunk, ("message",))
    return any(_has(chunk, fields) for fields in (*_SAYING, _INPUT))


def goes_on(chunk: Any) -> bool:
    """Whether this is the event with which an agent ends, which repeats what was said, or a workflow fails."""
    if not _is_stop(chunk):
        return False
    if _has(chunk, _FAILED) or _has(chunk, _LATE):
        return True
    name = type(chunk).__name__
    return name == _CANCELLED or (name == _STOP and _has(get(chunk, "result"), _OUTPUT))


_STOP, _CANCELLED = "StopEvent", "WorkflowCancelledEvent"


def _is_stop(chunk: Any) -> bool:
    """Whether a workflow ends with this, an app's own too."""
    return any(kind.__name__ == _STOP for kind in type(chunk).__mro__)


class LlamaIndex(VendorAdapter):
    """Responses of a model's ``stream_chat()`` and ``stream_complete()``, and an agent's ``stream_events()``."""

    reads_with = LlamaIndexReader


VENDOR = Vendor(
    looks_like_llamaindex,
    LlamaIndexReader,
    frozenset({"logprobs", "current_agent_name", "tool_kwargs"}),
    goes_on,
)
