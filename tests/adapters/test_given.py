"""Parts that a source yields itself, or an adapter of a user's own gives."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from chunks import CUMULATIVE, dashscope_text, openai_chunk, read, told
from sse_bridge import parts
from sse_bridge.adapters import Anthropic, Auto, OpenAI, Plain
from sse_bridge.adapters.given import FIELDS, YIELDED, check_fields, sendable, yielded
from sse_bridge.failures import SerializationError
from sse_bridge.objects import ObjectWriter, object_json

GIVEN: list[tuple[Any, tuple[str, Any]]] = [
    (parts.Reasoning("hm"), ("reasoning", {"text": "hm"})),
    (
        parts.ToolCall(0, "c", "add", "{}"),
        ("tool_call", {"index": 0, "id": "c", "name": "add", "arguments": "{}"}),
    ),
    (parts.ToolResult("c", {"sum": 3}), ("tool_result", {"id": "c", "output": {"sum": 3}})),
    (
        parts.ToolResult("c", None, "it rains", preliminary=True),
        ("tool_result", {"id": "c", "output": None, "error": "it rains", "preliminary": True}),
    ),
    (parts.Approval("a", "c"), ("approval", {"id": "a", "call_id": "c"})),
    (parts.Source("https://a.test/"), ("source", {"url": "https://a.test/"})),
    (
        parts.Source("https://a.test/", "A", "s1"),
        ("source", {"url": "https://a.test/", "title": "A", "id": "s1"}),
    ),
    (
        parts.File("data:image/png;base64,AA==", "image/png", "a.png"),
        (
            "file",
            {"url": "data:image/png;base64,AA==", "media_type": "image/png", "name": "a.png"},
        ),
    ),
    (parts.Data("weather", [1, 2]), ("data", {"name": "weather", "value": [1, 2]})),
    (
        parts.Data("weather", None, "w1", transient=True),
        ("data", {"name": "weather", "value": None, "id": "w1", "transient": True}),
    ),
    (parts.Step(), ("step", {})),
    (parts.Step("search"), ("step", {"name": "search"})),
    (parts.Metadata({"a": "b"}), ("metadata", {"value": {"a": "b"}})),
    (parts.Finish("length"), ("finish", {"reason": "length"})),
    (
        parts.Usage(1, 2, 3),
        ("usage", {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}),
    ),
]


@pytest.mark.parametrize(("part", "event"), GIVEN)
def test_a_part_that_a_source_yields_is_said_in_the_dialects_words(part, event):
    assert told(["a", part], dialect="delta")[:-1] == [("delta", {"text": "a"}), event]


@pytest.mark.parametrize(
    ("adapter", "chunk"),
    [
        (Plain(), "a"),
        (Auto(), openai_chunk({"content": "a"})),
        (OpenAI(), openai_chunk({"content": "a"})),
        (CUMULATIVE, dashscope_text("a")),
        (Anthropic(), None),
    ],
)
def test_every_adapter_takes_parts_among_its_chunks(adapter, chunk):
    data = parts.Data("weather", {"rain": True})
    said = read(adapter, chunk, data)
    assert parts.Data("weather", b'{"rain":true}') in said


def test_where_there_is_no_place_for_one_it_is_left_out_with_one_warning(caplog):
    result = parts.ToolResult("c", 3)
    assert told(["a", result, result], dialect="openai")[-1] == (None, "[DONE]")
    [record] = caplog.records
    assert "the openai dialect cannot express a tool's result" in record.getMessage()


def test_openai_has_a_place_for_sources_and_nothing_to_say_of_a_step(caplog):
    said = told([parts.Step("search"), parts.Source("https://a.test/"), "a"], dialect="openai")
    deltas = [chunk["choices"][0]["delta"] for _, chunk in said[:-1]]
    cited = {"url": "https://a.test/", "title": "https://a.test/"}
    assert deltas[0] == {"annotations": [{"type": "url_citation", "url_citation": cited}]}
    # A model's own chunk may come next, and has the role.
    assert deltas[1] == {"role": "assistant", "content": "a"}
    assert not caplog.records


@pytest.mark.parametrize("dialect", ["delta", "openai"])
@pytest.mark.parametrize("adapter", ["auto", "openai"])
def test_what_an_app_tells_around_an_answer_is_no_answer(adapter, dialect):
    around = [
        parts.Data("status", "searching"),
        parts.Source("https://a.test/"),
        parts.Step(),
        parts.Metadata(1),
        parts.ToolResult("c", 3),
    ]
    assert "empty_answer" in str(told(around, adapter=adapter, dialect=dialect)[-2:])
    assert "empty_answer" not in str(told([*around, parts.Finish("stop")], dialect=dialect))


def test_a_value_is_written_where_it_was_given_for_it_may_change():
    value = {"a": 1}
    part = yielded(parts.Data("d", value), object_json)
    value["a"] = 2
    assert part.value == b'{"a":1}'


def test_a_value_is_written_as_any_chunk_is():
    @dataclasses.dataclass
    class Point:
        x: int

    assert yielded(parts.Metadata(Point(1)), object_json).value == b'{"x":1}'
    writer = ObjectWriter(lambda value: "later")
    assert yielded(parts.Metadata(object()), writer.write).value == b'"later"'
    with pytest.raises(SerializationError):
        yielded(parts.Metadata(object()), object_json)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (parts.Reasoning(None), "Reasoning.text must be <class 'str'>, got None"),
        (parts.ToolCall("0", None, None, ""), "ToolCall.number must be an int of 0 or more"),
        (parts.ToolResult(7, None), "ToolResult.id must be"),
        (parts.ToolResult("c", None, preliminary=1), "ToolResult.preliminary must be"),
        (parts.Source(None), "Source.url must be"),
        (parts.File("u", None), "File.media_type must be"),
        (parts.Data(1, 2), "Data.name must be"),
        (parts.Step(1), "Step.name must be"),
        (parts.Approval("a", None), "Approval.call_id must be"),
        (parts.Finish(None), "Finish.reason must be"),
        (parts.Usage(1, -2, 3), "Usage.output_tokens must be an int of 0 or more"),
        (parts.Usage(1, 2, 3, True, -1), "Usage.cached_tokens must be"),
    ],
)
def test_a_field_of_another_type_is_named(part, words):
    with pytest.raises(TypeError, match=f"the source: {words}"):
        yielded(part, object_json)


def test_a_number_that_no_call_has_is_refused():
    with pytest.raises(ValueError, match=r"fewer than 10000 calls, got ToolCall\.number 10000"):
        yielded(parts.ToolCall(10_000, None, None, ""), object_json)


@pytest.mark.parametrize("part", [part for part, _ in GIVEN])
def test_half_a_character_ends_no_stream(part):
    halved = part._replace(
        **{
            field: "\ud83d"
            for field, value in part._asdict().items()
            if isinstance(value, str) and field in FIELDS.get(type(part), ())
        }
    )
    assert told([halved, "z"], dialect="delta")[-1][0] == "done"


def test_what_may_be_yielded_is_a_part_and_has_its_fields_looked_at():
    for kind in YIELDED:
        assert set(FIELDS.get(kind, ())) <= set(kind._fields)
        check_fields("the source", next(part for part, _ in GIVEN if type(part) is kind))


def test_text_keeps_its_halves_for_the_piece_that_comes_next():
    part = parts.Reasoning("\ud83d")
    assert sendable(part, object_json) is part
