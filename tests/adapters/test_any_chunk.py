"""Whatever a chunk is: every stream has its last word, gives its place back, and calls `on_end` once."""

from __future__ import annotations

import contextvars
import copy
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from chunks import dashscope_choice, dashscope_chunk, dashscope_response, dashscope_text
from odd_chunks import EMPTY, FAILED, GOOD
from sse_bridge import Decoder, Ending, ServerSentEvent, Summary
from sse_bridge.adapters import DashScope, OpenAI
from sse_bridge.drivers.threads import Body
from sse_bridge.failures import CutShort
from sse_bridge.options import Options
from sse_bridge.registry import streams

DASHSCOPE = [
    dashscope_text("Hello", "stop"),
    dashscope_chunk(dashscope_choice([{"text": "Hello"}, {"image": "x"}], "stop")),
    dashscope_chunk(
        dashscope_choice(
            "", tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}]
        )
    ),
    dashscope_response(None, status_code=429, code="Throttling", message="slow down"),
]
PLAIN = [
    "Hello",
    b"\xe4\xbd",
    None,
    "",
    {"a": 1},
    [1],
    5,
    ServerSentEvent("x"),
    "data: x\n\n",
    "\ud83d",
]
CHUNKS: list[Any] = [
    *(chunk for chunks, _ in GOOD.values() for chunk in chunks),
    *(chunk for chunk, *_ in FAILED.values()),
    *(chunk for chunks in EMPTY.values() for chunk in chunks),
    *DASHSCOPE,
    *PLAIN,
]
ADAPTERS: dict[str, Any] = {
    "auto": "auto",
    "plain": "plain",
    "openai": "openai",
    "strict": OpenAI(must_finish=True),
    "frames": "frames",
    "cumulative": DashScope(incremental_output=False),
    "incremental": DashScope(incremental_output=True),
}

# -- what may become of a chunk -------------------------------------------------------------------

OTHER = [
    None,
    True,
    0,
    5,
    -1,
    1.5,
    float("nan"),
    "",
    "x",
    "0",
    "null",
    "error",
    "\ud83d",
    [],
    {},
    ["x"],
    [None],
    {"text": "x"},
]


def places(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where in a chunk something stands that could be missing or be something else."""
    inside = (
        thing.items()
        if isinstance(thing, dict)
        else enumerate(thing)
        if isinstance(thing, list)
        else ()
    )
    found = [] if not path else [path]
    return found + [place for key, value in inside for place in places(value, (*path, key))]


def changed(draw: Callable[..., Any], chunk: Any) -> Any:
    """The chunk with some fields removed, doubled, cut or of another type."""
    chunk = copy.deepcopy(chunk)
    for _ in range(draw(st.integers(0, 3))):
        if isinstance(chunk, str) and chunk:
            chunk = chunk[: draw(st.integers(0, len(chunk)))]
        known = places(chunk)
        if not known:
            break
        *way, last = draw(st.sampled_from(known))
        holder = chunk
        for key in way:
            holder = holder[key]
        how = draw(st.sampled_from(["remove", "double", "other"]))
        if how == "remove":
            del holder[last]
        elif how == "double" and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[last]))
        else:
            holder[last] = copy.deepcopy(draw(st.sampled_from(OTHER)))
    return chunk


@st.composite
def sources(draw: Callable[..., Any]) -> list[Any]:
    chunks = [changed(draw, draw(st.sampled_from(CHUNKS))) for _ in range(draw(st.integers(0, 6)))]
    if draw(st.booleans()):
        chunks = [
            ChatCompletionChunk.construct(**chunk)
            if isinstance(chunk, dict) and "choices" in chunk
            else chunk
            for chunk in chunks
        ]
    return chunks


# -- the law --------------------------------------------------------------------------------------


def said_in(dialect: str, body: bytes) -> tuple[bool, bool, bool]:
    """Whether it says something, that it finished, that it failed."""
    events = Decoder().feed(body)
    failed = [event for event in events if event.event == "error" or _is_error(dialect, event.data)]
    done = [event for event in events if event.data == "[DONE]" and event not in failed]
    words = [event for event in events if event not in failed and event not in done]
    return bool(words), bool(done) and not failed, bool(failed)


def _is_error(dialect: str, data: str | None) -> bool:
    if dialect != "openai" or not (data or "").startswith('{"error"'):
        return False
    return set(json.loads(data or "")["error"]) == {"message", "type", "param", "code"}


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("sse_bridge"), "disabled", True)


@settings(
    deadline=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    chunks=sources(),
    adapter=st.sampled_from(list(ADAPTERS)),
    dialect=st.sampled_from(["plain", "delta", "openai"]),
    collect=st.booleans(),
)
def test_no_chunk_breaks_the_end_of_a_stream(
    chunks: list[Any], adapter: str, dialect: str, collect: bool
):
    summaries: list[Summary] = []
    open_before = streams.open
    options = Options(
        dialect=dialect, adapter=ADAPTERS[adapter], collect=collect, on_end=summaries.append
    )
    try:
        body = b"".join(Body(iter(chunks), options, contextvars.copy_context()))
    except CutShort:  # of what is no event stream, and can be told nothing
        assert summaries[0].ending is Ending.FAILED
    except Exception as error:
        early = error
        assert (summaries[0].ending, summaries[0].error) == (Ending.FAILED, early)
    else:
        spoke, finished, failed = said_in(dialect, body)
        assert finished != failed, "one last word, and one only"
        assert (summaries[0].ending is Ending.FINISHED) == finished
        assert spoke or failed or dialect == "plain", "finished where nothing was said"
    assert len(summaries) == 1
    assert streams.open == open_before


def test_the_tables_hold_what_the_law_is_tried_on():
    assert len(CHUNKS) > 100
    with pytest.raises(AssertionError):
        assert said_in("openai", b"data: [DONE]\n\n") == (True, True, False)
