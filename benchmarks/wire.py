"""The wire format without any stream: bytes to events and events to bytes, beside other libraries."""

import codecs
import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from .inprocess import count_for
from .measure import Field, Sampler
from .work import as_json, chunks

EVENTS = 1000
BLOCK = 4096

# Frames to the pieces of a body, pieces to the data of its events, and data to the frames of its events.
Cut = Callable[[list[bytes]], list[bytes]]
Decode = Callable[[list[bytes]], list[str]]
Encode = Callable[[list[str]], list[bytes]]


def texts() -> list[str]:
    """Return the data of an answer as an LLM streams it, some of it beyond ASCII."""
    plain = [as_json(chunk) for chunk in chunks("openai", EVENTS - EVENTS // 10)]
    return plain + [json.dumps({"délta": f"€{number}"}) for number in range(EVENTS // 10)]


def in_events(frames: list[bytes]) -> list[bytes]:
    return frames


def in_blocks(frames: list[bytes]) -> list[bytes]:
    body = b"".join(frames)
    return [body[start : start + BLOCK] for start in range(0, len(body), BLOCK)]


def decode_sse_bridge(pieces: list[bytes]) -> list[Any]:
    from sse_bridge import Decoder

    decoder = Decoder()
    return [event.data for piece in pieces for event in decoder.feed(piece)]


def decode_httpx_sse(pieces: list[bytes]) -> list[str]:
    """Its two decoders and the one for UTF-8, without httpx's response around them."""
    made = import_module("httpx_sse._decoders")
    to_text, to_lines = codecs.getincrementaldecoder("utf-8")("replace"), made.SSELineDecoder()
    decode = made.SSEDecoder().decode
    lines = (line for piece in pieces for line in to_lines.decode(to_text.decode(piece)))
    return [event.data for event in map(decode, lines) if event is not None]


def decode_openai(pieces: list[bytes]) -> list[str]:
    from openai._streaming import SSEDecoder

    return [event.data for event in SSEDecoder().iter_bytes(iter(pieces))]


def encode_raw(datas: list[str]) -> list[bytes]:
    return [f"data: {data}\n\n".encode() for data in datas]


def encode_sse_bridge(datas: list[str]) -> list[bytes]:
    from sse_bridge import ServerSentEvent

    return [ServerSentEvent(data).encode() for data in datas]


def encode_sse_starlette(datas: list[str]) -> list[bytes]:
    from sse_starlette import ServerSentEvent

    return [ServerSentEvent(data).encode() for data in datas]


def encode_fastapi(datas: list[str]) -> list[bytes]:
    from fastapi.sse import format_sse_event

    return [format_sse_event(data_str=data) for data in datas]


def encode_litestar(datas: list[str]) -> list[bytes]:
    from litestar.response.sse import ServerSentEventMessage

    return [ServerSentEventMessage(data).encode() for data in datas]


DECODERS: dict[str, Decode] = {
    "httpx_sse": decode_httpx_sse,
    "openai": decode_openai,
    "sse_bridge": decode_sse_bridge,
}
ENCODERS: dict[str, Encode] = {
    "raw": encode_raw,
    "sse_starlette": encode_sse_starlette,
    "fastapi": encode_fastapi,
    "litestar": encode_litestar,
    "sse_bridge": encode_sse_bridge,
}


@contextmanager
def decoding(cut: Cut, _names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds of decoding one body that comes in these pieces."""
    wanted = texts()
    pieces = cut(encode_raw(wanted))
    entered = Field()
    for name, decode in DECODERS.items():
        entered.enter(name, partial(sampler, partial(decode, pieces), wanted))
    yield entered


@contextmanager
def encoding(_names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds of making and encoding the events of one body."""
    datas = texts()
    wanted = encode_raw(datas)
    entered = Field()
    for name, encode in ENCODERS.items():
        entered.enter(name, partial(sampler, partial(encode, datas), wanted))
    yield entered


def sampler(work: Callable[[], list[Any]], wanted: list[Any]) -> Sampler:
    if [with_lf(found) for found in work()] != wanted:
        raise ValueError("other events than the others")
    count = count_for(timed(work, 1))

    def sample() -> float:
        gc.collect()
        return timed(work, count) / count

    return sample


def with_lf(found: Any) -> Any:
    """Return a frame with the line ends of ours: others write CR LF, and both are right."""
    return found.replace(b"\r\n", b"\n") if isinstance(found, bytes) else found


def timed(work: Callable[[], list[Any]], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        if len(work()) != EVENTS:
            raise ValueError("an event is missing")
    return time.process_time() - start
