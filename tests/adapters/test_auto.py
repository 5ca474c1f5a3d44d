"""Each chunk by its shape, remembered by type."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import types
from collections import OrderedDict
from typing import Any

import pydantic
import pytest

from chunks import (
    ASK,
    CUMULATIVE,
    dashscope_choice,
    dashscope_chunk,
    dashscope_response,
    dashscope_text,
    envelope,
    openai_chunk,
    read,
    read_stream,
    run,
    told,
)
from doubles import Raw, Reply
from doubles.delivery import to_json
from sse_bridge import ServerSentEvent, UpstreamError
from sse_bridge.adapters import Auto
from sse_bridge.adapters.base import Wish
from sse_bridge.parts import Finish, Frame, Native, Value

AUTO = Auto()
BREAKS = "a\u2028b\u2029c\x85d"


@dataclasses.dataclass
class Question:
    text: str
    choices: Any


class Poll(pydantic.BaseModel):
    choices: list[str]


# -- what plain takes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunk, parts",
    [
        ("x", ["x"]),
        ("", []),
        (None, []),
        (b"x", ["x"]),
        ({"a": 1}, [Value(b'{"a":1}')]),
        ([1], [Value(b"[1]")]),
        (ServerSentEvent("x"), [Frame(b"data: x\n\n")]),
        ({"choices": [1]}, None),
        ({"output": 1}, None),
        ({"status_code": 500}, None),
    ],
)
@pytest.mark.parametrize("objects", [False, True])
def test_what_has_no_vendors_shape_is_plain(chunk, parts, objects):
    made = read(AUTO, chunk, takes_objects=objects)
    assert made == parts if parts is not None else [type(part) for part in made] == [Value]


def test_bytes_cut_within_a_character_are_put_together():
    assert "".join(read(AUTO, "你好🌍".encode()[:4], "你好🌍".encode()[4:])) == "你好🌍"
    assert read(AUTO, b"\xe4") == ["\ufffd"]


@pytest.mark.parametrize(
    "chunk, data",
    [
        (Question("?", {"a": "Oslo"}), {"text": "?", "choices": {"a": "Oslo"}}),
        (Question("?", {1: "Oslo"}), {"text": "?", "choices": {"1": "Oslo"}}),
    ],
)
def test_an_object_that_happens_to_have_choices_is_json(chunk, data):
    assert told([chunk])[0] == (None, data)


@pytest.mark.parametrize("chunk", [Question("?", ["a"]), Question("?", 3), Poll(choices=["a"])])
def test_an_object_that_happens_to_have_choices_is_a_chunk_under_delta(chunk):
    assert told(["x", chunk], dialect="delta")[1][0] == "chunk"


# -- OpenAI's -------------------------------------------------------------------------------------


def test_an_openai_shaped_dict_is_told_from_a_plain_one_each_time():
    chunks = [{"a": 1}, openai_chunk({"content": "x"}), {"b": 2}, openai_chunk({"content": "y"})]
    assert read(AUTO, *chunks) == [Value(b'{"a":1}'), "x", Value(b'{"b":2}'), "y"]


def test_an_openai_chunk_is_json_where_objects_are_taken():
    chunk = openai_chunk({"content": "x"}, "stop")
    [part] = read(AUTO, chunk, takes_objects=True)
    assert (part.protocol, part.finish_reason) == ("openai", "stop")
    assert told([chunk])[0] == (None, chunk)


def test_an_openai_chunk_with_nothing_to_note_is_its_json_alone_where_that_is_wished():
    chunks = [openai_chunk({"content": "x"}), openai_chunk({}, "stop")]
    parts = read(AUTO, *chunks, takes_objects=True, lines=True)
    assert [type(part) for part in parts] == [bytes, Native]
    assert told(chunks)[:2] == [(None, chunk) for chunk in chunks]


def test_an_openai_chunk_passes_where_its_protocol_is_spoken():
    [part] = read(AUTO, openai_chunk({"content": "x"}), passes="openai")
    assert type(part) is Native


def test_objects_with_attributes_only_are_read_as_well():
    delta = types.SimpleNamespace(content="x")
    choice = types.SimpleNamespace(index=0, delta=delta, finish_reason=None)
    chunk = types.SimpleNamespace(object="chat.completion.chunk", choices=[choice])
    assert read(AUTO, chunk) == ["x"]
    assert read(AUTO, chunk, passes="openai") == ["x"]


@pytest.mark.parametrize(
    "first",
    [
        envelope([]),
        envelope(None),
        pytest.param(
            {"id": "", "object": "", "created": 0, "model": "", "choices": []},
            id="azure",
        ),
    ],
)
def test_a_first_chunk_without_choices_does_not_mislead(first, openai_double):
    opening = Raw(b"data: " + to_json({**first, "prompt_filter_results": []}) + b"\n\n")
    openai_double.answer = Reply(at={0: opening})
    chunks = openai_double.openai_client().chat.completions.create(**ASK)
    parts = read_stream(AUTO, chunks)
    assert parts == ["Hello", ", ", "world", Finish("stop")]


@pytest.mark.parametrize("objects", [False, True])
def test_an_error_object_of_the_sdk_is_a_failure(objects):
    from openai.types.chat import ChatCompletionChunk

    chunk = ChatCompletionChunk.model_construct(object="error", choices=None, message="m")
    with pytest.raises(UpstreamError, match="m"):
        read(AUTO, chunk, takes_objects=objects)


def test_the_log_tells_that_a_chunk_told_of_a_failure_and_quotes_none_of_it():
    with pytest.raises(UpstreamError, match="no credit") as raised:
        read(AUTO, {"error": "no credit", "answer": "a secret"})
    [note] = raised.value.__notes__
    assert note == "a chunk of the source told so: a dict with the fields 'error', 'answer'"


def test_an_end_that_a_source_says_itself_stands_behind_what_waits():
    chunks = [
        openai_chunk({"content": "a"}),
        openai_chunk(finish="stop"),
        ServerSentEvent("[DONE]"),
    ]
    said = told(chunks, dialect="openai")
    assert [chunk["choices"][0]["finish_reason"] for _, chunk in said[:-1]] == [None, "stop"]
    assert said[-1] == (None, "[DONE]")
    assert told(["a", ServerSentEvent("[DONE]")], dialect="openai")[-1] == (None, "[DONE]")


# -- DashScope's ----------------------------------------------------------------------------------

DASHSCOPE = [
    dashscope_text("x"),
    dashscope_chunk(dashscope_choice("x")),
    dashscope_text("", "stop"),
]


@pytest.mark.parametrize("chunk", DASHSCOPE)
def test_a_dashscope_response_is_json_without_the_services_headers(chunk):
    [(_, data), _done] = told([chunk])
    assert data == {name: value for name, value in chunk.items() if name != "headers"}


@pytest.mark.parametrize("chunk", DASHSCOPE)
@pytest.mark.parametrize("dialect", ["delta", "openai"])
def test_a_dashscope_response_under_a_dialect_that_needs_text_names_both_choices(chunk, dialect):
    with pytest.raises(TypeError) as raised:
        run([chunk], dialect=dialect)
    assert "adapters.DashScope(incremental_output=True)" in str(raised.value)
    assert "adapters.DashScope(incremental_output=False)" in str(raised.value)


@pytest.mark.parametrize("dialect", ["plain", "delta", "openai"])
def test_a_dashscope_failure_is_told_as_itself_whatever_the_dialect(dialect):
    chunk = dashscope_response(None, status_code=429, code="Throttling")
    with pytest.raises(UpstreamError, match="Throttling"):
        run([chunk], dialect=dialect)


def test_a_named_adapter_decides_for_good():
    assert told([dashscope_text("x")], adapter=CUMULATIVE)[0] == (None, "x")
    [(_, data), _done] = told([openai_chunk({"content": "x"})], adapter="plain", dialect="delta")
    assert data["object"] == "chat.completion.chunk"


@pytest.mark.parametrize(
    "chunk", [openai_chunk({"content": BREAKS}), dashscope_text(BREAKS), {"text": BREAKS}]
)
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_every_chunk_that_is_json_escapes_what_old_readers_split_lines_at(chunk, kind):
    body = run([kind(chunk)])
    assert b"a\\u2028b\\u2029c\\u0085d" in body
    assert len(body.decode().splitlines()) == 2 + 4


# -- memory ---------------------------------------------------------------------------------------


class Shy:
    """It counts how often it was looked at."""

    looks = 0

    @property
    def choices(self):
        Shy.looks += 1


def test_a_type_is_looked_at_once_a_stream():
    reader = AUTO.reader(Wish())
    Shy.looks = 0
    for _ in range(3):
        with pytest.raises(ValueError, match="JSON"):
            reader.read(Shy())
    assert Shy.looks == 1


def test_two_streams_remember_for_themselves():
    one, other = AUTO.reader(Wish()), AUTO.reader(Wish(takes_objects=True))
    assert one.read(openai_chunk({"content": "x"})) == ("x",)
    assert type(other.read(openai_chunk({"content": "x"}))[0]) is Native


NO_SDK = """
import sys
from sse_bridge.drivers.plain import drive
from sse_bridge.options import Options

chunk = {"object": "chat.completion.chunk", "choices": []}
for _ in drive([chunk, {"status_code": 200, "output": {"text": "x"}}], Options()): pass
print({"openai", "dashscope", "pydantic", "httpx", "anthropic"} & set(sys.modules))
"""


def test_no_sdk_is_imported_to_look_at_shapes():
    ran = subprocess.run(
        [sys.executable, "-c", NO_SDK], capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout.strip() == "set()"
