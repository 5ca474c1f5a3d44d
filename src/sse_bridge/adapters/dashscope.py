"""The dashscope adapter: responses of DashScope's own SDK, Generation and AioGeneration.

A response is a dict, and is read by key. A status_code reports its failure. Nothing in it shows whether its
text is all the text so far or only the new piece: the SDK's option for that is ``incremental_output``, and
both the SDK and this adapter must be given the same value.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from ..failures import UpstreamError
from ..objects import OBJECTS, ObjectWriter
from ..parts import Choice, Finish, Native, Part, Reasoning, ToolCall, Usage
from ..shapes import named, noted
from .answers import say_words
from .base import (
    NO_REASON,
    Once,
    Parts,
    Reader,
    Wish,
    broken,
    get,
    items,
    number_of,
    numbered,
    read_usage,
    real_reason,
    text_of,
)
from .calls import Calls, arguments_of
from .given import YIELDED, yielded
from .refusals import is_failed_finish, refusal_in, told_failure

_log = logging.getLogger("sse_bridge")

# The SDK reports every failure in mid-stream as 400: only the code tells them apart.
_STATUS_BY_CODE = {
    "Throttling": 429,
    "InvalidApiKey": 401,
    "AccessDenied": 403,
    "Arrearage": 403,
    "ModelNotFound": 404,
    "InvalidParameter": 400,
    "DataInspectionFailed": 400,
    "RequestTimeOut": 504,
    "InternalError": 500,
}


# Iterating a whole response yields the names of its fields.
_FIELDS = frozenset({"status_code", "request_id", "code", "message", "output", "usage", "headers"})
_RUN = 3  # so many chunks that each repeat the one before and add to it: a model's own words hardly do that


class DashScope:
    """Responses of ``Generation.call(stream=True)`` and ``await AioGeneration.call(stream=True)``.

    Arguments: `incremental_output`, the value of the SDK's option of the same name: True, each chunk is a new
    piece; False, the service's default, each chunk repeats all the text so far. Raises `TypeError` for others.
    """

    name = "dashscope"
    is_model = True

    def __init__(self, *, incremental_output: bool) -> None:
        if not isinstance(incremental_output, bool):
            raise TypeError(f"incremental_output must be True or False, got {incremental_output!r}")
        self.incremental_output = incremental_output

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return DashScopeReader(self.incremental_output, wish.objects)


class DashScopeReader:
    def __init__(self, incremental_output: bool, objects: ObjectWriter = OBJECTS) -> None:
        self._incremental_output = incremental_output
        self._objects = objects
        self._said: dict[tuple[object, ...], str] = {}
        self._choices: dict[int, bool] = {}  # those seen, and whether they have finished
        self._calls: dict[int, Calls] = {}
        self._spoke = False
        self._usage: Usage | None = None  # the last that came
        self._once = Once(
            _log, "left out, because it cannot be translated: %s of a DashScope chunk"
        )
        # The last text at each place, and how often it grew.
        self._grown: dict[tuple[object, ...], tuple[str, int]] = {}
        self._is_warned = False

    def read(self, chunk: Any) -> Parts:
        if chunk is None:
            return ()
        if isinstance(chunk, YIELDED):
            return (yielded(chunk, self._objects.write),)
        if not isinstance(chunk, dict) or "output" not in chunk:
            raise refusal_in(chunk) or TypeError(_no_response(chunk))
        parts = tuple(self._say(chunk))
        error = failure_in(chunk)
        return parts if error is None else broken(parts, error)

    def end(self) -> Parts:
        if self._spoke and not all(self._choices.values()):
            _log.warning(NO_REASON)
        return () if self._usage is None else (self._usage,)

    def _say(self, chunk: Any) -> Iterable[Part]:
        for number, choice in numbered(choices_of(get(chunk, "output"))):
            self._choices.setdefault(number, False)
            for part in self._say_choice(choice, number):
                self._spoke = True
                yield Choice(number, part) if number else part
        usage = read_usage(get(chunk, "usage"))
        if usage is not None:
            self._usage = usage
            yield usage._replace(final=False)

    def _say_choice(self, choice: Any, number: int) -> Iterable[Part]:
        message = get(choice, "message") or get(choice, "delta")
        reason = real_reason(get(choice, "finish_reason"))
        words = list(say_words(message, self._once))
        thought = "".join(part.text for part in words if isinstance(part, Reasoning))
        if reasoning := self._new(thought, number, "reasoning"):
            yield Reasoning(reasoning)
        text = "".join(part for part in words if isinstance(part, str))
        if text := self._new(text, number, "text", is_last=reason is not None):
            yield text
        function = get(message, "function_call")
        legacy = [{"function": function}] if function else None
        yield from self._say_calls(get(message, "tool_calls") or legacy, number)
        # One that finished first is repeated with it.
        if reason and not is_failed_finish(reason) and not self._choices[number]:
            self._choices[number] = True
            yield Finish(reason)

    def _say_calls(self, calls: Any, choice: int) -> Iterable[ToolCall]:
        if self._incremental_output:
            fragments = self._calls.setdefault(choice, Calls()).say(calls)
            yield from (call for call in fragments if call.id or call.name or call.arguments)
            return
        several = list(numbered(calls))  # all of them, each time
        if len(dict(several)) < len(several):  # services give 0 to all
            several = list(enumerate(items(calls)))
        for number, call in several:
            function, place = get(call, "function"), (choice, number)
            id_ = self._new(text_of(get(call, "id")), "id", *place)
            name = self._new(text_of(get(function, "name")), "name", *place)
            arguments = self._new(arguments_of(function), "arguments", *place)
            if arguments or id_ or name:
                yield ToolCall(number, id_ or None, name or None, arguments)

    def _new(self, text: str, *place: object, is_last: bool = True) -> str:
        """The part of the text at this place that was not said before."""
        if self._incremental_output:
            self._look_for_repeats(text, place)
            return text
        if not is_last and "\ud800" <= text[-1:] <= "\udbff":
            text = text[:-1]  # half a character: it will be said as a whole
        said = self._said.get(place, "")
        if said.startswith(text):  # nothing new; what was sent cannot be taken back
            return ""
        self._said[place] = text
        if text.startswith(said):
            return text[len(said) :]
        self._warn_once(
            "a DashScope chunk does not repeat the text before it; was incremental_output=True "
            "given to the SDK and not to the adapter?"
        )
        return text

    def _look_for_repeats(self, text: str, place: tuple[object, ...]) -> None:
        """Warn if chunks repeat all the text before them, although each was to be a new piece."""
        if self._is_warned or not text:
            return
        before, times = self._grown.get(place, ("", 0))
        # Line ends and numbers may well begin with the piece before.
        tells = bool(before.strip()) and not before.isdecimal()
        grows = tells and len(text) > len(before) and text.startswith(before)
        self._grown[place] = (text, times + 1 if grows else 0)
        if grows and times + 1 == _RUN:
            self._warn_once(
                "DashScope chunks repeat the text before them, so it is sent again and again: "
                "incremental_output=True was given to the adapter and not to the SDK. Say it in both places: "
                "Generation.call(..., stream=True, incremental_output=True) and "
                "DashScope(incremental_output=True), or DashScope(incremental_output=False) alone"
            )

    def _warn_once(self, message: str) -> None:
        if not self._is_warned:
            self._is_warned = True
            _log.warning(message)


def _no_response(chunk: Any) -> str:
    if isinstance(chunk, str) and chunk in _FIELDS:
        return (
            "the source yields the field names of a whole response: did you forget stream=True? "
            f"Got {named(chunk)}"
        )
    return f"the dashscope adapter takes DashScope's responses, got {noted(chunk)}"


def native(chunk: Any, write: Callable[[Any], bytes]) -> Native:
    """The whole response as a part, without the service's HTTP headers, which are not for clients."""
    if (error := failure_in(chunk)) is not None:
        raise error
    choices = choices_of(get(chunk, "output"))
    reason = real_reason(get(choices[0], "finish_reason")) if choices else None
    usage = read_usage(get(chunk, "usage"))
    return Native("dashscope", write(without_headers(chunk)), reason, usage)


def without_headers(chunk: Any) -> dict[str, Any]:
    """The response without the service's HTTP headers."""
    return {key: value for key, value in chunk.items() if key != "headers"}


def looks_like_dashscope(chunk: Any) -> bool:
    """Whether this has the shape of a DashScope response."""
    return isinstance(chunk, dict) and "status_code" in chunk and "output" in chunk


def choices_of(output: Any) -> list[Any]:
    """The choices; with ``result_format="text"`` the output itself is the only one."""
    choices = items(get(output, "choices"))
    if choices:
        return list(choices)
    text = get(output, "text")
    if text is None and real_reason(get(output, "finish_reason")) is None:
        return []
    return [{"message": {"content": text}, "finish_reason": get(output, "finish_reason")}]


def failure_in(chunk: Any) -> UpstreamError | None:
    """The failure that a response reports, by a status other than 200, or by a code without output."""
    told, code = number_of(get(chunk, "status_code")), text_of(get(chunk, "code"))
    choices = choices_of(get(chunk, "output"))
    if told in (None, 200) and (not code or choices):
        failed = [choice for choice in choices if is_failed_finish(get(choice, "finish_reason"))]
        return told_failure(get(chunk, "error"), chunk) if failed else None
    status = _status(told, code)
    return UpstreamError(
        f"DashScope: {code[:200] or status}: {text_of(get(chunk, 'message'))[:10_000] or 'no message'}",
        status_code=status,
        code=code or None,
    )


def _status(status: int | None, code: str) -> int | None:
    if status not in (None, 200, 400):
        return status
    for prefix, known in _STATUS_BY_CODE.items():
        if code.startswith(prefix):
            return known
    return None  # 400 may stand for anything
