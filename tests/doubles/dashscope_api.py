"""DashScope's classic generation, of text and from pictures, whole and streamed, cumulative and incremental.

A model that is shown pictures answers with a list of pieces, and in messages only.
On this wire there is no space after a colon and no [DONE]; usage stands on every frame, and
`finish_reason` is the word "null" until the last. As on the real server a stream is cumulative
unless `incremental_output` is true. (The SDK asked for false sends true, and merges by itself.)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from .answers import Fault, HttpError, Reply, ToolCall
from .delivery import to_json
from .link import Request
from .upstream import Double

REQUEST_ID, INPUT_TOKENS = "double-request", 7
MULTIMODAL = "/api/v1/services/aigc/multimodal-generation/generation"


class DashScopeDouble(Double):
    paths: ClassVar = (
        "/api/v1/services/aigc/text-generation/generation",
        MULTIMODAL,
    )
    stream_headers: ClassVar = {
        "Content-Type": "text/event-stream;charset=UTF-8",
        "X-Request-Id": REQUEST_ID,
        "X-DashScope-Call-Gateway": "true",
        "Req-Cost-Time": "12",
    }

    @property
    def base_address(self) -> str:
        return f"{self.url}/api/v1"

    @property
    def call_options(self) -> dict[str, str]:
        """What `Generation.call(..., **double.call_options)` needs to reach this double."""
        return {"base_address": self.base_address, "api_key": "sk-double"}

    def wants_stream(self, request: Request) -> bool:
        return request.headers.get("x-dashscope-sse") == "enable"

    def frames(self, reply: Reply, request: Request) -> list[bytes]:
        bodies = _bodies(reply, _parameters(request), _in_pieces(request))
        return [_frame(number, "result", 200, body) for number, body in enumerate(bodies, 1)]

    def whole(self, reply: Reply, request: Request) -> dict[str, Any]:
        parameters = {**_parameters(request), "incremental_output": False}
        *_, last = _bodies(reply, parameters, _in_pieces(request))
        return last

    def fault(self, fault: Fault, position: int) -> bytes:
        return _frame(position + 1, "error", fault.status, _error(fault))

    def refusal(self, error: HttpError) -> tuple[str, bytes]:
        if error.body is not None:
            return "text/html", error.body
        if error.sse:
            frame = _frame(1, "error", error.status, _error(error))
            return self.stream_headers["Content-Type"], frame
        return "application/json", to_json(_error(error))


@dataclass
class _Said:
    """What one frame says: the deltas, or with `add` all that was said so far."""

    reasoning: str = ""
    content: str = ""
    tool_calls: dict[int, dict[str, Any]] = field(default_factory=dict)

    def add(self, delta: "_Said") -> None:
        self.reasoning += delta.reasoning
        self.content += delta.content
        for index, call in delta.tool_calls.items():
            before = self.tool_calls.get(index, {"function": {"arguments": ""}})["function"]
            arguments = before["arguments"] + call["function"]["arguments"]
            function = {**before, **call["function"], "arguments": arguments}
            self.tool_calls[index] = {
                **call,
                **self.tool_calls.get(index, {}),
                "function": function,
            }

    def message(self, in_pieces: bool) -> dict[str, Any]:
        pieces = [{"text": self.content}] if self.content else []
        content = pieces if in_pieces else self.content
        message: dict[str, Any] = {"role": "assistant", "content": content}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.tool_calls:
            message["tool_calls"] = list(self.tool_calls.values())
        return message


def _parameters(request: Request) -> dict[str, Any]:
    return request.json().get("parameters") or {}


def _in_pieces(request: Request) -> bool:
    """Whether the answer's content is a list."""
    return request.path.partition("?")[0] == MULTIMODAL


def _bodies(reply: Reply, parameters: dict[str, Any], in_pieces: bool) -> Iterator[dict[str, Any]]:
    incremental = parameters.get("incremental_output") is True
    deltas = [*_deltas(reply), _Said()]
    so_far = _Said()
    for count, delta in enumerate(deltas, 1):
        so_far.add(delta)
        finish = reply.finish_reason if count == len(deltas) else "null"
        output = _output(delta if incremental else so_far, finish, parameters, in_pieces)
        usage = _usage(min(count, len(deltas) - 1))
        yield {"output": output, "usage": usage, "request_id": REQUEST_ID}


def _deltas(reply: Reply) -> Iterator[_Said]:
    yield from (_Said(reasoning=piece) for piece in reply.reasoning)
    yield from (_Said(content=piece) for piece in reply.text)
    for index, call in enumerate(reply.tool_calls):
        yield from (_Said(tool_calls={index: part}) for part in _fragments(index, call))


def _fragments(index: int, call: ToolCall) -> Iterator[dict[str, Any]]:
    function = {"name": call.name, "arguments": ""}
    yield {"index": index, "id": call.id, "type": "function", "function": function}
    for fragment in call.arguments:
        yield {"index": index, "id": "", "type": "function", "function": {"arguments": fragment}}


def _output(
    said: _Said, finish: str, parameters: dict[str, Any], in_pieces: bool
) -> dict[str, Any]:
    if parameters.get("result_format") != "message" and not in_pieces:
        return {"text": said.content, "finish_reason": finish}
    return {"choices": [{"message": said.message(in_pieces), "finish_reason": finish}]}


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": INPUT_TOKENS,
        "output_tokens": tokens,
        "total_tokens": INPUT_TOKENS + tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
    }


def _error(error: Fault | HttpError) -> dict[str, Any]:
    code = {} if error.code is None else {"code": error.code}
    return {**code, "message": error.message, "request_id": REQUEST_ID}


def _frame(number: int, event: str, status: int, body: dict[str, Any]) -> bytes:
    head = f"id:{number}\nevent:{event}\n:HTTP_STATUS/{status}\n".encode()
    return head + b"data:%b\n\n" % to_json(body)
