"""The work that every contender is given: the same chunks, from the same kind of source."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import cycle, islice
from typing import Any, Literal

Kind = Literal["str", "dict", "openai"]
Mode = Literal["async", "sync"]

DISTINCT = 100


def find_orjson() -> Callable[[Any], bytes] | None:
    try:
        fast: Callable[[Any], bytes] = import_module("orjson").dumps
    except ImportError:
        return None
    return fast


orjson_dumps = find_orjson()


@dataclass
class Work:
    """One stream: how many chunks, of which kind, from which kind of source."""

    kind: Kind
    mode: Mode
    events: int

    def chunks(self) -> list[Any]:
        return chunks(self.kind, self.events)

    def source(self) -> Any:
        """Return a fresh generator that never waits: everything is ready at once."""
        ready = self.chunks()
        return sync_source(ready) if self.mode == "sync" else async_source(ready)


def sync_source(ready: list[Any]) -> Iterator[Any]:
    yield from ready


async def async_source(ready: list[Any]) -> AsyncIterator[Any]:
    for chunk in ready:
        yield chunk


@cache
def chunks(kind: Kind, events: int) -> list[Any]:
    """Return that many chunks; a hundred distinct ones, so that none is answered from a memory."""
    make = {"str": text_chunk, "dict": dict_chunk, "openai": openai_chunk}[kind]
    made = list(islice(cycle([make(number) for number in range(DISTINCT)]), events))
    if kind == "openai":  # A model says that it has finished; without that we would log a warning.
        made[-1] = openai_chunk(events, finish_reason="stop")
    return made


def text_chunk(number: int) -> str:
    return f" token{number}"


def dict_chunk(number: int) -> dict[str, Any]:
    return {"index": number, "delta": text_chunk(number), "score": number / 8, "last": False}


def openai_chunk(number: int, finish_reason: str | None = None) -> Any:
    from openai.types.chat import ChatCompletionChunk

    delta = {"content": text_chunk(number)}
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    # The SDK constructs its chunks without validating them, and so do we.
    return ChatCompletionChunk.construct(
        id="chatcmpl-benchmark",
        object="chat.completion.chunk",
        created=1_700_000_000,
        model="benchmark",
        choices=[choice],
    )


def as_json(chunk: Any) -> str:
    """Return an OpenAI chunk as the JSON that came from the upstream: only what was set."""
    text: str = chunk.model_dump_json(exclude_unset=True)
    return text


def dumps(chunk: Any) -> str:
    """Return a dict as JSON in the way that one writes by hand, with orjson where it is at hand."""
    return orjson_dumps(chunk).decode() if orjson_dumps else json.dumps(chunk)


def expected(work: Work) -> list[Any]:
    """Return what a client must have read when the stream of this work is over."""
    if work.kind == "openai":
        return [json.loads(as_json(chunk)) for chunk in work.chunks()]
    return work.chunks()


def payloads(work: Work, body: bytes) -> list[Any]:
    """Return what a client reads of a body, without keep-alives and the mark of the end."""
    frames = body.replace(b"\r\n", b"\n").decode().split("\n\n")
    data = [line[6:] for frame in frames for line in frame.split("\n") if line[:6] == "data: "]
    texts = [text for text in data if text != "[DONE]"]
    return texts if work.kind == "str" else [json.loads(text) for text in texts]
