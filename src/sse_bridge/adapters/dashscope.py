"""The dashscope adapter: responses of DashScope's own SDK, Generation and AioGeneration.

A response is a dict: it is asked by key. It tells its failure by a status_code, and by nothing tells
whether its text is all the text so far or only the new piece: the SDK's word for that is
``incremental_output``, and both the SDK and this adapter are to be given the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from ..parts import Choice, Finish, Native, Part, Reasoning, ToolCall, UpstreamError
from .base import Parts, Reader, Wish, get, read_usage, real_reason
from .objects import object_json

_log = logging.getLogger("sse_bridge")

# The SDK reports every failure in mid-stream as 400: only the code tells.
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


class DashScope:
    """Responses of ``Generation.call(stream=True)`` and ``await AioGeneration.call(stream=True)``.

    Arguments: `incremental_output`, what the SDK was given under the same name: True, each chunk is a new
    piece; False, the service's default, each chunk repeats all the text so far.
    """

    name = "dashscope"

    def __init__(self, *, incremental_output: bool) -> None:
        if not isinstance(incremental_output, bool):
            raise TypeError(f"incremental_output must be True or False, got {incremental_output!r}")
        self.incremental_output = incremental_output

    def reader(self, wish: Wish) -> Reader:
        """A new stream's way of reading chunks."""
        return DashScopeReader(self.incremental_output)


class DashScopeReader:
    def __init__(self, incremental_output: bool) -> None:
        self._incremental_output = incremental_output
        self._said: dict[tuple[object, ...], str] = {}
        self._choices: dict[int, bool] = {}  # those seen, and whether they have finished
        self._warned = False

    def read(self, chunk: Any) -> Parts:
        if chunk is None:
            return ()
        if not isinstance(chunk, dict) or "output" not in chunk:
            raise TypeError(
                f"the dashscope adapter takes DashScope's responses, got {chunk!r:.200}"
            )
        check_status(chunk)
        return tuple(self._say(chunk))

    def end(self) -> Parts:
        return ()

    def _say(self, chunk: Any) -> Iterable[Part]:
        finishing = False
        for position, choice in enumerate(choices_of(get(chunk, "output"))):
            index = get(choice, "index")
            number = position if index is None else index
            self._choices.setdefault(number, False)
            for part in self._say_choice(choice, number):
                finishing = finishing or isinstance(part, Finish)
                yield Choice(number, part) if number else part
        final = finishing and all(self._choices.values())
        usage = read_usage(get(chunk, "usage"), final=final)
        if usage is not None:
            yield usage

    def _say_choice(self, choice: Any, number: int) -> Iterable[Part]:
        message = get(choice, "message")
        if reasoning := self._new(get(message, "reasoning_content"), number, "reasoning"):
            yield Reasoning(reasoning)
        if text := self._new(_text_of(get(message, "content")), number, "text"):
            yield text
        for position, call in enumerate(get(message, "tool_calls") or ()):
            if (part := self._tool_call(call, position, number)) is not None:
                yield part
        reason = real_reason(get(choice, "finish_reason"))
        if (
            reason and not self._choices[number]
        ):  # a choice that finished first is repeated with its reason
            self._choices[number] = True
            yield Finish(reason)

    def _tool_call(self, call: Any, position: int, choice: int) -> ToolCall | None:
        function, number = get(call, "function"), get(call, "index")
        index = position if number is None else number
        arguments = self._new(get(function, "arguments"), choice, "arguments", index)
        id_ = self._new(get(call, "id"), choice, "id", index)
        name = self._new(get(function, "name"), choice, "name", index)
        if not (arguments or id_ or name):
            return None
        return ToolCall(index, id_ or None, name or None, arguments)

    def _new(self, text: Any, *place: object) -> str:
        """The piece that was not said before at this place."""
        if not isinstance(text, str):
            return ""
        if self._incremental_output:
            return text
        said = self._said.get(place, "")
        if said.startswith(text):  # nothing new; what was sent cannot be taken back
            return ""
        self._said[place] = text
        if text.startswith(said):
            return text[len(said) :]
        self._warn_of_rewriting()
        return text

    def _warn_of_rewriting(self) -> None:
        if not self._warned:
            self._warned = True
            _log.warning(
                "a DashScope chunk does not repeat the text before it; was incremental_output=True "
                "given to the SDK and not to the adapter?"
            )


def native(chunk: Any) -> Native:
    """The response whole, less the service's HTTP headers, which are nobody's business."""
    check_status(chunk)
    choices = choices_of(get(chunk, "output"))
    reason = real_reason(get(choices[0], "finish_reason")) if choices else None
    usage = read_usage(get(chunk, "usage"))
    return Native("dashscope", object_json(without_headers(chunk)), reason, usage)


def without_headers(chunk: Any) -> dict[str, Any]:
    """The response less the service's HTTP headers."""
    return {key: value for key, value in chunk.items() if key != "headers"}


def looks_like_dashscope(chunk: Any) -> bool:
    """Whether this has the shape of a DashScope response."""
    return isinstance(chunk, dict) and "status_code" in chunk and "output" in chunk


def choices_of(output: Any) -> list[Any]:
    """The choices; with ``result_format="text"`` the output itself is the only one."""
    choices = get(output, "choices")
    if choices:
        return list(choices)
    text = get(output, "text")
    if text is None and real_reason(get(output, "finish_reason")) is None:
        return []
    return [{"message": {"content": text}, "finish_reason": get(output, "finish_reason")}]


def check_status(chunk: Any) -> None:
    """Raise what a response with another status than 200 tells."""
    status = get(chunk, "status_code")
    if status is None or int(status) == 200:
        return
    code = str(get(chunk, "code") or "")
    status = _status(int(status), code)
    raise UpstreamError(
        f"DashScope: {code or status}: {get(chunk, 'message') or 'no message'}",
        status_code=status,
        code=code or None,
    )


def _status(status: int, code: str) -> int | None:
    if status != 400:
        return status
    for prefix, known in _STATUS_BY_CODE.items():
        if code.startswith(prefix):
            return known
    return None  # 400 may stand for anything


def _text_of(content: Any) -> Any:
    """A message's text; multi-modal content is a list of pieces."""
    if isinstance(content, list):
        return "".join(text for piece in content if isinstance(text := get(piece, "text"), str))
    return content
