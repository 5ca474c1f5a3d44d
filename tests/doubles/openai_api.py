"""The chat completions of an OpenAI-compatible server, whole and streamed."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, ClassVar

from .answers import Fault, HttpError, Reply, ToolCall
from .delivery import to_json
from .link import Request
from .upstream import Double

if TYPE_CHECKING:
    import openai

ID, CREATED, PROMPT_TOKENS = "chatcmpl-double", 1_700_000_000, 7

# A frame that some gateways send for an error: the SDK makes a chunk of it, with `choices: None`.
NULL_CHOICES = b'data: {"id":"","object":"error","choices":null,"message":"a gateway failed"}\n\n'


class OpenAIDouble(Double):
    paths: ClassVar = ("/v1/chat/completions",)
    stream_headers: ClassVar = {
        "Content-Type": "text/event-stream; charset=utf-8",
        "Cache-Control": "no-cache",
        "X-Request-Id": "req-double",
    }

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def openai_client(self, **options: Any) -> "openai.OpenAI":
        """Make a client of this double that does not retry; it is closed with the double."""
        import openai

        return self._on_exit.enter_context(openai.OpenAI(**self._client_options(options)))

    def async_openai_client(self, **options: Any) -> "openai.AsyncOpenAI":
        """Make an async client that does not retry; the test closes it, in its own loop."""
        import openai

        return openai.AsyncOpenAI(**self._client_options(options))

    def _client_options(self, options: dict[str, Any]) -> dict[str, Any]:
        return {
            "base_url": self.base_url,
            "api_key": "sk-double",
            "max_retries": 0,
            "timeout": 10.0,
        } | options

    def wants_stream(self, request: Request) -> bool:
        return bool(request.json().get("stream"))

    def frames(self, reply: Reply, request: Request) -> list[bytes]:
        asked = request.json()
        envelope = _envelope(asked, "chat.completion.chunk")
        with_usage = (asked.get("stream_options") or {}).get("include_usage")
        bodies = [{**envelope, "choices": [choice]} for choice in _choices(reply)]
        if with_usage:  # then every chunk has the field, and one more comes after the finish
            bodies = [{**body, "usage": None} for body in bodies]
            bodies.append({**envelope, "choices": [], "usage": _usage(reply)})
        return [_data(to_json(body)) for body in bodies] + [_data(b"[DONE]")] * reply.done

    def whole(self, reply: Reply, request: Request) -> dict[str, Any]:
        envelope = _envelope(request.json(), "chat.completion")
        choices = [
            _whole_choice(i, text, reply) for i, text in enumerate((reply.text, *reply.more))
        ]
        return {**envelope, "choices": choices, "usage": _usage(reply)}

    def fault(self, fault: Fault, position: int) -> bytes:
        return _data(to_json({"error": _error(fault)}))

    def refusal(self, error: HttpError) -> tuple[str, bytes]:
        if error.body is not None:
            return "text/html", error.body
        return "application/json", to_json({"error": _error(error)})


def _data(payload: bytes) -> bytes:
    return b"data: %b\n\n" % payload


def _envelope(asked: dict[str, Any], kind: str) -> dict[str, Any]:
    model = asked.get("model", "double")
    return {
        "id": ID,
        "object": kind,
        "created": CREATED,
        "model": model,
        "system_fingerprint": None,
    }


def _error(error: Fault | HttpError) -> dict[str, Any]:
    return {"message": error.message, "type": "double_error", "param": None, "code": error.code}


def _usage(reply: Reply) -> dict[str, Any]:
    said = sum(map(len, (reply.text, reply.reasoning, reply.refusal, *reply.more)))
    said += sum(len(call.arguments) for call in reply.tool_calls)
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": said,
        "total_tokens": PROMPT_TOKENS + said,
        "completion_tokens_details": {"reasoning_tokens": len(reply.reasoning)},
    }


def _choices(reply: Reply) -> Iterator[dict[str, Any]]:
    texts = (reply.text, *reply.more)
    for index in range(len(texts)):
        yield _choice({"role": "assistant", "content": ""}, index)
    yield from (_choice({"content": None, "reasoning_content": piece}) for piece in reply.reasoning)
    yield from (_choice({"refusal": piece}) for piece in reply.refusal)
    for row in zip_longest(*texts):
        yield from (
            _choice({"content": piece}, i) for i, piece in enumerate(row) if piece is not None
        )
    for number, call in enumerate(reply.tool_calls):
        yield from (_choice({"tool_calls": [part]}) for part in _fragments(number, call, reply))
    for index in range(len(texts)):
        yield _choice({}, index, reply.finish_reason)


def _choice(delta: dict[str, Any], index: int = 0, finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}


def _fragments(number: int, call: ToolCall, reply: Reply) -> Iterator[dict[str, Any]]:
    function = {"name": call.name, "arguments": ""}
    yield {"index": number, "id": call.id, "type": "function", "function": function}
    later = {"id": "", "type": "function"} if reply.empty_tool_ids else {}
    for fragment in call.arguments:
        yield {"index": number, **later, "function": {"arguments": fragment}}


def _whole_choice(index: int, text: Any, reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(text) or None}
    if reply.reasoning:
        message["reasoning_content"] = "".join(reply.reasoning)
    if reply.tool_calls:
        message["tool_calls"] = [_whole_call(call) for call in reply.tool_calls]
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": reply.finish_reason,
    }


def _whole_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": "".join(call.arguments)}
    return {"id": call.id, "type": "function", "function": function}
