"""The openai dialect: ``chat.completion.chunk`` frames, as OpenAI-compatible clients read them.

OpenAI's own chunks pass unchanged. Anything else is sent in new chunks, which also have what such
a client expects: a role in each choice's first delta, a finish_reason, and usage in a chunk without choices.
"""

from __future__ import annotations

from typing import ClassVar

from ..framing import data_frame, data_frames, json_frames
from ..parts import (
    Failure,
    Finish,
    Native,
    Origin,
    Reasoning,
    Relayed,
    Source,
    Start,
    ToolCall,
    Usage,
)
from ..payload import encode_json, quote
from ..wire import ServerSentEvent
from .base import Say, Voice


class OpenAI:
    """``chat.completion.chunk`` frames; ends with ``data: [DONE]``.

    Arguments: `model`, the model's name in chunks that this library makes (default ``"sse-bridge"``); chunks that
    come from an OpenAI-compatible service keep theirs. Raises `TypeError` for what is not a str.
    """

    name = "openai"
    headers: tuple[tuple[str, str], ...] = ()
    passes: str | None = "openai"
    takes_objects = False

    def __init__(self, *, model: str = "sse-bridge") -> None:
        if not isinstance(model, str):
            raise TypeError(f"model must be a str, got {model!r}")
        self.model = model

    def voice(self) -> Say:
        """The voice for a new stream."""
        return OpenAIVoice(self.model)


class OpenAIVoice(Voice):
    name: ClassVar[str] = "openai"
    done: ClassVar[ServerSentEvent] = ServerSentEvent("[DONE]")
    has_choices: ClassVar[bool] = True

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model
        self._id, self._created = "", 0
        self._head = ""  # a chunk's JSON up to its choices
        self._roles: set[int] = set()  # the choices whose role has been sent
        self._finish_told = False
        # Whether somebody else's chunks pass, which have their own role and finish reason, or none.
        self._passes = False
        self._is_services = (
            False  # a service's chunks are translated: it has its own finish reasons
        )

    def start(self, part: Start) -> bytes:
        return self._begin(part.id, part.created, self._model)

    def origin(self, part: Origin) -> bytes:
        """Note the origin: chunks that we make from a service's own keep its id and its model's name."""
        self._is_services = True
        return b"" if self._roles else self._begin(part.id, part.created, part.model)

    def _begin(self, id_: str, created: int | None, model: str) -> bytes:
        self._id, self._model = id_ or self._id, model or self._model
        self._created = self._created if created is None else created
        about = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
        }
        self._head = encode_json(about)[:-1]
        return b""

    def text(self, part: str) -> bytes:
        return self._delta(f'"content":{quote(part)}')

    def texts(self, parts: list[str]) -> bytes:
        if 0 not in self._roles and not self._passes:
            rest = self._more(parts[1:])  # first, for it may raise
            return self.text(parts[0]) + rest
        return self._more(parts)

    def _more(self, texts: list[str]) -> bytes:
        head = f'{self._head},"choices":[{{"index":0,"delta":{{"content":'
        tail = '},"finish_reason":null}]}'
        return data_frames([f"{head}{quote(text)}{tail}" for text in texts]) if texts else b""

    def reasoning(self, part: Reasoning) -> bytes:
        return self._delta(f'"reasoning_content":{quote(part.text)}')

    def tool_call(self, part: ToolCall) -> bytes:
        function: dict[str, str] = {"arguments": part.arguments}
        call: dict[str, object] = {"index": part.number, "function": function}
        if part.id is not None or part.name is not None:
            # Some services give a call no id, and a client needs one to say what came of it.
            id_ = part.id or f"call_{self._id}_{part.number}"
            call |= {"id": id_, "type": "function"}
        if part.name is not None:
            function["name"] = part.name
        return self._delta(f'"tool_calls":[{encode_json(call)}]')

    def source(self, part: Source) -> bytes:
        cited = {"url": part.url, "title": part.title or part.url}
        citation = encode_json({"type": "url_citation", "url_citation": cited})
        # Without the role: that of a model's own chunk may follow.
        return self._delta(f'"annotations":[{citation}]', role=False)

    def finish(self, part: Finish) -> bytes:
        if not part.final:
            return b""
        self._finish_told = True
        return self._delta("", quote(part.reason))

    def usage(self, part: Usage) -> bytes:
        if not part.final:
            return b""
        usage: dict[str, object] = {
            "prompt_tokens": part.input_tokens,
            "completion_tokens": part.output_tokens,
            "total_tokens": part.total_tokens,
        }
        usage |= _details("prompt_tokens_details", "cached_tokens", part.cached_tokens)
        usage |= _details("completion_tokens_details", "reasoning_tokens", part.reasoning_tokens)
        return data_frame(f'{self._head},"choices":[],"usage":{encode_json(usage)}}}')

    def line(self, part: bytes) -> bytes:
        self._passes = True
        return b"data: %b\n\n" % part

    one_frame: ClassVar = {str: text, bytes: line}

    def lines(self, parts: list[bytes]) -> bytes:
        """The frames for chunks that pass."""
        self._passes = True
        return json_frames(parts)

    def native(self, part: Native) -> bytes:
        if part.protocol != "openai":
            return super().native(part)
        return self.lines([part.json])

    def natives(self, parts: list[Native]) -> bytes:
        if any(part.protocol != "openai" for part in parts):
            return b"".join(map(self.native, parts))
        return self.lines([part.json for part in parts])

    def relayed(self, part: Relayed) -> bytes:
        self._passes = self._passes or part.protocol == "openai"
        return super().relayed(part)

    def failure(self, part: Failure) -> bytes:
        error = {"message": part.message, "type": "server_error", "param": None, "code": part.code}
        return data_frame(encode_json({"error": error})) + self.last_frame

    def end(self) -> bytes:
        # Plain text has no finish reason of its own, and clients expect one.
        is_told = self._finish_told or self._passes or self._is_services
        last = b"" if is_told else self.finish(Finish("stop"))
        return last + self.last_frame

    def _delta(self, fields: str, reason: str = "null", *, role: bool = True) -> bytes:
        tells_role = role and self.number not in self._roles and not self._passes
        if tells_role:
            fields = f'"role":"assistant",{fields}'.removesuffix(",")
        delta = f'{{"index":{self.number},"delta":{{{fields}}},"finish_reason":{reason}}}'
        frame = data_frame(f'{self._head},"choices":[{delta}]}}')
        if tells_role:  # and not where half a character could not be said
            self._roles.add(self.number)
        return frame


def _details(field: str, name: str, count: int | None) -> dict[str, object]:
    return {} if count is None else {field: {name: count}}
