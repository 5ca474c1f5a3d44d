"""One battery of scenarios, the same bytes on every driver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from driving import DRIVERS, Run, plain_sync
from sse_bridge import ServerSentEvent, UpstreamError
from sse_bridge.adapters import DashScope
from sse_bridge.options import Options


def texts() -> Iterator[Any]:
    yield from ["Hel", "lo ", "", None, "你好\nzwei", b"\xe4\xbd", b"\xa0"]


def objects() -> Iterator[Any]:
    yield {"count": 1}
    yield [1, "two", None]
    yield ServerSentEvent("x", event="tick", id="7")
    yield 3.5


def many() -> Iterator[Any]:
    yield from (f"chunk {number} " for number in range(1000))


def large() -> Iterator[Any]:
    yield "x" * 200_000
    yield "y" * 200_000


def nothing() -> Iterator[Any]:
    return
    yield


def breaking() -> Iterator[Any]:
    yield "before"
    raise RuntimeError("never on the wire")


def breaking_with_exit() -> Iterator[Any]:
    yield "before"
    raise UpstreamError("final", retryable=False)


def unwritable() -> Iterator[Any]:
    yield "before"
    yield {"x": float("nan")}
    yield "never"


def openai_chunks() -> Iterator[Any]:
    about = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    yield {**about, "choices": [{"index": 0, "delta": {"content": "hi"}, "finish_reason": None}]}
    yield {**about, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**about, "choices": []}


def dashscope_chunks() -> Iterator[Any]:
    for text in ("我", "我是", "我是 Qwen"):
        yield {"status_code": 200, "output": {"text": text, "finish_reason": "null"}, "usage": None}


SCENARIOS: dict[str, tuple[Any, dict[str, Any]]] = {
    "texts": (texts, {}),
    "texts as deltas": (texts, {"dialect": "delta"}),
    "objects": (objects, {}),
    "objects as deltas": (objects, {"dialect": "delta"}),
    "many": (many, {}),
    "large": (large, {}),
    "nothing": (nothing, {}),
    "a failure": (breaking, {}),
    "a failure, as deltas": (breaking, {"dialect": "delta", "retry": 5000}),
    "a failure that is final": (breaking_with_exit, {}),
    "what cannot be written": (unwritable, {}),
    "openai chunks": (openai_chunks, {"dialect": "openai"}),
    "openai chunks as deltas": (openai_chunks, {"dialect": "delta"}),
    "openai chunks as objects": (openai_chunks, {}),
    "dashscope": (
        dashscope_chunks,
        {"dialect": "delta", "adapter": DashScope(incremental_output=False)},
    ),
    "a retry hint without hold": (texts, {"hold": 0, "retry": 1000, "ping": None}),
}


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS.keys())
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS.keys())
def test_every_driver_writes_the_same_bytes(driver: Run, scenario: Any):
    chunks, options = scenario
    assert driver(chunks, Options(**options)) == plain_sync(chunks, Options(**options))


def test_the_reference_writes_what_the_design_says():
    assert (
        plain_sync(texts, Options())
        == (
            "data: Hel\n\ndata: lo \n\ndata: 你好\ndata: zwei\n\ndata: 你\n\n"
            "event: done\nid: [DONE]\ndata: [DONE]\n\n"
        ).encode()
    )


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS.keys())
def test_a_failure_before_the_first_chunk_is_raised_as_it_is(driver: Run):
    def early() -> Iterator[Any]:
        yield ""
        raise KeyError("early")

    with pytest.raises(KeyError, match="early"):
        driver(early, Options())


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS.keys())
def test_a_failure_in_band_before_the_first_chunk_is_an_upstream_error(driver: Run):
    def failing() -> Iterator[Any]:
        yield {"status_code": 429, "code": "Throttling", "message": "slow down", "output": None}

    options = Options(dialect="delta", adapter=DashScope(incremental_output=True))
    with pytest.raises(UpstreamError, match="slow down") as caught:
        driver(failing, options)
    assert (caught.value.status_code, caught.value.code) == (429, "Throttling")
    assert caught.value.retryable


@pytest.mark.parametrize("driver", DRIVERS.values(), ids=DRIVERS.keys())
def test_without_hold_an_early_failure_is_told_in_band(driver: Run):
    def early() -> Iterator[Any]:
        raise KeyError("early")
        yield

    assert b"event: error" in driver(early, Options(hold=0, ping=None))
