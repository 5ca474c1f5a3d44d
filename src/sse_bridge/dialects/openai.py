"""The openai dialect: ``chat.completion.chunk`` frames, as OpenAI-compatible clients read them.

OpenAI's own chunks pass unchanged. Anything else is told in new chunks, which then also get what such
a client expects: a role in each choice's first delta, a finish_reason, and usage in a chunk without choices.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from ..parts import (
    Choice,
    End,
    Failure,
    Finish,
    Native,
    Part,
    Reasoning,
    Start,
    ToolCall,
    Usage,
)
from ..wire import data_frame, encode_json, quote
from .base import Voice, say_choice

DONE = b"data: [DONE]\n\n"


class OpenAI:
    """``chat.completion.chunk`` frames; ends with ``data: [DONE]``.

    Arguments: `model`, the name in chunks that this library makes (default ``"sse-bridge"``); chunks that
    come from an OpenAI-compatible service keep theirs.
    """

    name = "openai"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = "openai"
    takes_objects = False

    def __init__(self, *, model: str = "sse-bridge") -> None:
        if not isinstance(model, str):
            raise TypeError(f"model must be a str, got {model!r}")
        self.model = model

    def voice(self) -> Callable[[Part], bytes]:
        """A new stream's way of saying parts."""
        return OpenAIVoice(self.model)


class OpenAIVoice(Voice):
    name: ClassVar[str] = "openai"
    done: ClassVar[bytes] = DONE

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model
        self._head = ""  # a chunk's JSON up to its choices
        self._roles: set[int] = set()  # the choices whose role has been told
        self._finish_told = False
        self._native = False

    def start(self, part: Start) -> bytes:
        about = {"id": part.id, "object": "chat.completion.chunk", "created": part.created}
        self._head = encode_json({**about, "model": self._model})[:-1]
        return b""

    def text(self, part: str, choice: int = 0) -> bytes:
        return self._delta(f'"content":{quote(part)}', choice)

    def reasoning(self, part: Reasoning, choice: int = 0) -> bytes:
        return self._delta(f'"reasoning_content":{quote(part.text)}', choice)

    def tool_call(self, part: ToolCall, choice: int = 0) -> bytes:
        function: dict[str, str] = {"arguments": part.arguments}
        call: dict[str, object] = {"index": part.number, "function": function}
        if part.id is not None:
            call |= {"id": part.id, "type": "function"}
        if part.name is not None:
            function["name"] = part.name
        return self._delta(f'"tool_calls":[{encode_json(call)}]', choice)

    def finish(self, part: Finish, choice: int = 0) -> bytes:
        self._finish_told = True
        return self._delta("", choice, quote(part.reason))

    def usage(self, part: Usage) -> bytes:
        if not part.final:
            return b""
        usage = {
            "prompt_tokens": part.input_tokens,
            "completion_tokens": part.output_tokens,
            "total_tokens": part.total_tokens,
        }
        return data_frame(f'{self._head},"choices":[],"usage":{encode_json(usage)}}}')

    def native(self, part: Native) -> bytes:
        if part.protocol != "openai":
            return super().native(part)
        self._native = True
        return data_frame(part.json)

    def choice(self, part: Choice) -> bytes:
        return say_choice(self, part)

    def failure(self, part: Failure) -> bytes:
        self._failed = True
        error = {"message": part.message, "type": "server_error", "param": None, "code": part.code}
        return data_frame(encode_json({"error": error}))

    def end(self, part: End) -> bytes:
        last = b""
        if not (self._failed or self._native or self._finish_told or self._said_done):
            last = self.finish(Finish("stop"))  # plain text has no reason of its own
        return last + super().end(part)

    def _delta(self, fields: str, choice: int, reason: str = "null") -> bytes:
        if choice not in self._roles:
            self._roles.add(choice)
            fields = f'"role":"assistant",{fields}'.removesuffix(",")
        delta = f'{{"index":{choice},"delta":{{{fields}}},"finish_reason":{reason}}}'
        return data_frame(f'{self._head},"choices":[{delta}]}}')
