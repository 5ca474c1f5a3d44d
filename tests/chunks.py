"""Chunks as vendors shape them, and short ways through an adapter and a dialect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from driving import plain_sync
from sse_bridge import Decoder
from sse_bridge.adapters import Adapter, DashScope
from sse_bridge.adapters.base import Wish
from sse_bridge.options import Options
from sse_bridge.parts import Finish, Part, Usage, inner_of

ASK: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
}

CUMULATIVE = DashScope(incremental_output=False)
INCREMENTAL = DashScope(incremental_output=True)


def run(chunks: Iterable[Any], **options: Any) -> bytes:
    """What a client reads of these chunks."""
    return plain_sync(lambda: chunks, Options(**options))


def told(chunks: Iterable[Any], **options: Any) -> list[tuple[str | None, Any]]:
    """The name and the payload of each event; JSON is read, other text stays."""
    return [(event.event, payload(event.data)) for event in Decoder().feed(run(chunks, **options))]


def payload(data: str | None) -> Any:
    try:
        return json.loads(data or "")
    except json.JSONDecodeError:
        return data


def read(adapter: Adapter, *chunks: Any, **wish: Any) -> list[Part]:
    """All that one stream's reader makes of these chunks."""
    return read_stream(adapter, chunks, **wish)


def read_stream(adapter: Adapter, chunks: Iterable[Any], **wish: Any) -> list[Part]:
    """The same of a source, read as it comes: an SDK may change a chunk that it has given already."""
    reader = adapter.reader(Wish(**wish))
    parts = [part for chunk in chunks for part in reader.read(chunk)]
    return [part for part in [*parts, *reader.end()] if not is_early(part)]


def is_early(part: Part) -> bool:
    """Whether it is a reason to finish that is for the Summary alone, as long as more may come."""
    inner = inner_of(part)
    return type(inner) is Finish and not inner.final


def spoken(parts: Iterable[Part]) -> list[Part]:
    """Without the counts of tokens."""
    return [part for part in parts if not isinstance(part, Usage)]


def openai_chunk(
    delta: Any = None, finish: str | None = None, *, index: int = 0, **more: Any
) -> dict[str, Any]:
    """A chunk of one choice; `more` are fields beside the choices."""
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return envelope([choice], **more)


def envelope(choices: Any, **more: Any) -> dict[str, Any]:
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return {**about, "choices": choices, **more}


def dashscope_choice(content: Any = "", finish: str = "null", **message: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **message}
    return {"message": message, "finish_reason": finish}


def dashscope_chunk(*choices: dict[str, Any], tokens: int = 1, **more: Any) -> dict[str, Any]:
    """A response with ``result_format="message"``."""
    usage = {"input_tokens": 7, "output_tokens": tokens, "total_tokens": 7 + tokens}
    return dashscope_response({"choices": list(choices)}, usage=usage, **more)


def dashscope_text(text: str, finish: str = "null") -> dict[str, Any]:
    """A response with ``result_format="text"``."""
    return dashscope_response({"text": text, "finish_reason": finish})


def dashscope_response(output: Any, **more: Any) -> dict[str, Any]:
    about = {"status_code": 200, "request_id": "r", "code": "", "message": ""}
    return {**about, "output": output, "usage": None, "headers": {"x-gateway": "secret"}, **more}
