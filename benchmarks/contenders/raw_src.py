"""The limit with a real source: the cheapest encoding that one would write by hand."""

import json
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.work import Kind, Work, orjson_dumps

BODY = "http.response.body"
START: Message = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"text/event-stream; charset=utf-8")],
}
END: Message = {"type": BODY, "body": b"", "more_body": False}


def app(work: Work) -> ASGIApp:
    encode = encoder(work.kind)

    async def respond_async(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        async for chunk in work.source():
            await send({"type": BODY, "body": encode(chunk), "more_body": True})
        await send(END)

    async def respond_sync(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        for chunk in work.source():
            await send({"type": BODY, "body": encode(chunk), "more_body": True})
        await send(END)

    return respond_sync if work.mode == "sync" else respond_async


def encoder(kind: Kind) -> Callable[[Any], bytes]:
    """Return what turns one chunk of this kind into one frame."""
    if kind == "openai":
        return openai_frame
    return text_frame if kind == "str" else dict_frame()


def text_frame(text: str) -> bytes:
    return b"data: %b\n\n" % text.encode()


def openai_frame(chunk: Any) -> bytes:
    # What `model_dump_json` calls, without its fifteen keywords and the way through `str`.
    json_bytes = chunk.__pydantic_serializer__.to_json(chunk, exclude_unset=True)
    return b"data: %b\n\n" % json_bytes


def dict_frame() -> Callable[[Any], bytes]:
    """Return orjson's way where it can be imported, and the standard library's where it cannot."""
    if orjson_dumps:
        fast = orjson_dumps
        return lambda chunk: b"data: %b\n\n" % fast(chunk)
    encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
    return lambda chunk: b"data: %b\n\n" % encode(chunk).encode()
