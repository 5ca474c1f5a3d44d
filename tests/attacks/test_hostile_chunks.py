"""An upstream puts what it likes into each field of its chunks: the client's frames stay those of its protocol.

Each frame must be JSON as strict readers take it, with the fields of its protocol and their types; and no line may
break out of its frame. A stream may fail over what it cannot say: then it says so, in a frame of the same kind.
"""

from __future__ import annotations

import copy
import json
import re
import types
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionChunk

from chunks import (
    CUMULATIVE,
    INCREMENTAL,
    dashscope_choice,
    dashscope_chunk,
    dashscope_text,
    openai_chunk,
)
from hostile_values import HOSTILE, INJECT
from odd_chunks import GOOD
from sse_bridge import Decoder
from sse_bridge.adapters import Adapter, OpenAI
from sse_bridge.adapters.base import NUMBERS, Wish, read_usage
from sse_bridge.drivers.plain import drive
from sse_bridge.failures import CutShort
from sse_bridge.options import Options
from sse_bridge.parts import Choice, Finish, Native, Origin, Reasoning, ToolCall, Usage, Value

# -- what a client may be told ---------------------------------------------------------------------


def strict(text: str) -> Any:
    """The value of JSON that has no NaN, and no name twice in an object."""

    def no_constant(name: str) -> Any:
        raise AssertionError(f"{name} is no JSON: {text[:200]}")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), f"a name twice: {text[:200]}"
        return dict(pairs)

    def number(digits: str) -> int:  # JSON knows no longest one, but Python does
        return int(digits[:4000])

    return json.loads(text, parse_constant=no_constant, parse_int=number, object_pairs_hook=once)


_LINE = re.compile(rb"(data|event|id|retry|): .*|data:|")


def assert_framed(body: bytes) -> None:
    assert body == b"" or body.endswith(b"\n\n")
    assert b"\r" not in body
    for line in body.split(b"\n"):
        assert _LINE.fullmatch(line), line[:200]
    body.decode()


Fields = dict[str, Callable[[Any], bool]]


def is_text(value: Any) -> bool:
    return type(value) is str


def is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value < NUMBERS


def is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**53


def is_flag(value: Any) -> bool:
    return type(value) is bool


FAILURE: Fields = {"code": is_text, "message": is_text, "retryable": is_flag}
CHOICE: Fields = {"choice": is_number}
DELTA: dict[str, tuple[Fields, Fields]] = {
    "delta": ({"text": is_text}, CHOICE),
    "reasoning": ({"text": is_text}, CHOICE),
    "tool_call": (
        {"index": is_number, "arguments": is_text},
        {"id": is_text, "name": is_text, **CHOICE},
    ),
    "finish": ({"reason": is_text}, CHOICE),
    "usage": ({"input_tokens": is_count, "output_tokens": is_count, "total_tokens": is_count}, {}),
    "error": (FAILURE, {}),
}


def assert_fields(value: Any, wanted: Fields, may: Fields) -> None:
    assert type(value) is dict
    assert wanted.keys() <= value.keys() <= wanted.keys() | may.keys(), value
    for name, field in value.items():
        assert {**wanted, **may}[name](field), (name, field)


def check_delta(event: str | None, data: str) -> None:
    if event == "done":
        assert data == "[DONE]"
    elif event == "chunk":  # an app's own object
        strict(data)
    else:
        assert event is not None
        assert_fields(strict(data), *DELTA[event])


def check_plain(event: str | None, data: str) -> None:
    assert event in (None, "done", "error")
    if event == "error":
        assert_fields(strict(data), FAILURE, {})


# What of our own making is said around a delta, and of an upstream's chunks the fields that clients put together.
OURS: Fields = {"id": is_text, "object": is_text, "created": is_count, "model": is_text}


def check_openai(event: str | None, data: str) -> None:
    assert event is None
    if data == "[DONE]":
        return
    value = strict(data)
    if "error" in value and "choices" not in value:
        assert value.keys() == {"error"}
        assert value["error"].keys() == {"message", "type", "param", "code"}
        return
    for choice in value["choices"] or ():
        assert is_number(choice.get("index", 0))
        assert type(choice.get("finish_reason")) in (str, type(None))
        delta = choice["delta"]
        assert type(delta) is dict
        assert type(delta.get("content")) in (str, type(None))
        assert type(delta.get("role")) in (str, type(None))
        for call in delta.get("tool_calls") or ():
            assert is_number(call["index"])
            assert type(call.get("id")) in (str, type(None))
            function = call.get("function") or {}
            assert {type(function.get(name)) for name in ("name", "arguments")} <= {str, type(None)}


CHECKS = {"plain": check_plain, "delta": check_delta, "openai": check_openai}


def said(chunks: list[Any], adapter: Any, dialect: str) -> bytes:
    """What the client reads; a failure before the first byte is told by a status, and a cut one by its end."""
    body = b""
    try:
        for piece in drive(iter(chunks), Options(adapter=adapter, dialect=dialect)):
            body += piece
    except CutShort:
        raise AssertionError("a failure could not be told") from None
    except Exception:
        assert body == b""
    return body


def check(chunks: list[Any], adapter: Any, dialect: str) -> None:
    body = said(chunks, adapter, dialect)
    assert_framed(body)
    for event in Decoder().feed(body):
        CHECKS[dialect](event.event, event.data or "")


# -- any value in any place ------------------------------------------------------------------------

FULL = openai_chunk(
    {
        "role": "assistant",
        "content": "x",
        "reasoning_content": "h",
        "refusal": None,
        "tool_calls": [
            {
                "index": 0,
                "id": "a",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
            },
            {
                "index": 1,
                "id": "b",
                "type": "function",
                "function": {"name": "g", "arguments": {"a": 1}},
            },
        ],
    },
    "stop",
    index=1,
    usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
)
SPEAKS = openai_chunk({"content": "x"})
ERROR = {"error": {"message": "m", "code": "c", "type": "t", "status": 429}}
OF_OPENAI = [
    FULL,
    SPEAKS,
    {**SPEAKS, **ERROR},
    openai_chunk(
        {"content": [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "x"}]}
    ),
    openai_chunk({"function_call": {"name": "f", "arguments": "{}"}}),
    {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}],
    },
    *(chunk for chunks, _ in GOOD.values() for chunk in chunks),
]
OF_DASHSCOPE = [
    dashscope_text("Hello", "stop"),
    dashscope_chunk(dashscope_choice([{"text": "Hello"}, {"image": "x"}], "stop")),
    dashscope_chunk(
        {
            "index": 1,
            **dashscope_choice(
                "x",
                tool_calls=[{"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}],
            ),
        }
    ),
    {**dashscope_text("Hello"), "status_code": 429, "code": "c", "message": "m"},
]
SOURCES: dict[str, tuple[Any, list[Any]]] = {
    "auto": ("auto", OF_OPENAI + OF_DASHSCOPE),
    "plain": ("plain", OF_OPENAI),
    "openai": ("openai", OF_OPENAI),
    "strict": (OpenAI(must_finish=True), OF_OPENAI),
    "cumulative": (CUMULATIVE, OF_DASHSCOPE),
    "incremental": (INCREMENTAL, OF_DASHSCOPE),
}


DEPTH = 8  # of a chunk; what was put into it may go round in a circle


def places(thing: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside: Any = ()
    if len(path) == DEPTH:
        pass
    elif isinstance(thing, dict):
        inside = thing.items()
    elif isinstance(thing, list):
        inside = enumerate(thing)
    return [path, *(place for key, value in inside for place in places(value, (*path, key)))]


def with_value(thing: Any, place: tuple[Any, ...], value: Any) -> Any:
    """The same chunk with another value in this place."""
    if not place:
        return value
    changed, (key, *rest) = copy.copy(thing), place
    changed[key] = with_value(thing[key], tuple(rest), value)
    return changed


def as_objects(value: Any) -> Any:
    """The same chunk as an SDK of another kind gives it."""
    if any(
        value is given for given in HOSTILE.values()
    ):  # as it is: some of them go round in a circle
        return value
    if isinstance(value, list):
        return [as_objects(each) for each in value]
    if type(value) is dict and all(isinstance(name, str) for name in value):
        return types.SimpleNamespace(**{name: as_objects(each) for name, each in value.items()})
    return value


def as_model(value: Any) -> Any:
    try:
        return ChatCompletionChunk.construct(**value) if "choices" in value else value
    except Exception:  # its SDK would not have given it
        return value


FORMS: dict[str, Callable[[Any], Any]] = {
    "dict": lambda chunk: chunk,
    "object": as_objects,
    "model": as_model,
}


@pytest.mark.parametrize("source", SOURCES)
@settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_value_in_any_place_of_a_chunk_leaves_the_frames_whole(
    source: str, data: st.DataObject, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL")
    adapter, chunks = SOURCES[source]
    dialect = data.draw(st.sampled_from(sorted(CHECKS)))
    form = FORMS[data.draw(st.sampled_from(sorted(FORMS)))]
    given_: list[Any] = []
    for _ in range(data.draw(st.integers(1, 3))):
        chunk = data.draw(st.sampled_from(chunks))
        for _ in range(data.draw(st.integers(0, 3))):
            place = data.draw(st.sampled_from(places(chunk)))
            chunk = with_value(chunk, place, HOSTILE[data.draw(st.sampled_from(sorted(HOSTILE)))])
        given_.append(form(chunk))
    check(given_, adapter, dialect)


@pytest.mark.parametrize("dialect", CHECKS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_value_in_each_place_in_turn_leaves_the_frames_whole(
    value: str, form: str, dialect: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL")
    for place in places(FULL)[1:]:
        check(
            [SPEAKS, FORMS[form](with_value(FULL, place, HOSTILE[value])), SPEAKS], "auto", dialect
        )


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("adapter", [CUMULATIVE, INCREMENTAL], ids=["cumulative", "incremental"])
def test_a_hostile_value_in_each_place_of_a_dashscope_chunk_leaves_the_frames_whole(
    adapter: Any, value: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL")
    for dialect in CHECKS:
        for chunk in OF_DASHSCOPE:
            for place in places(chunk)[1:]:
                check([OF_DASHSCOPE[0], with_value(chunk, place, HOSTILE[value])], adapter, dialect)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("field", ["data", "event", "id", "retry", "comment"])
def test_a_hostile_value_in_an_event_of_another_library_leaves_the_frames_whole(
    field: str, value: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL")
    fields = {"data": "x", "event": "e", "id": "1", "retry": 5, "comment": None}
    event = types.SimpleNamespace(**{**fields, field: HOSTILE[value]})
    for dialect in CHECKS:
        assert_framed(said([{"a": 1} if dialect == "plain" else SPEAKS, event], "auto", dialect))


# -- what is read is typed -------------------------------------------------------------------------


def assert_typed(part: Any) -> None:
    """What a part holds is of the very types that it names: no subclass, which could show itself in another way."""
    match part:
        case str():
            assert type(part) is str
        case Reasoning(text):
            assert type(text) is str
        case ToolCall(number, id_, name, arguments):
            assert is_number(number)
            assert {type(id_), type(name)} <= {str, type(None)}
            assert type(arguments) is str
        case Finish(reason):
            assert type(reason) is str
        case Usage():
            assert all(map(is_count, part[:3]))
        case Origin(id_, created, model):
            assert type(id_) is type(model) is str
            assert type(created) is int
            assert abs(created) < 2**53
        case Choice(number, inner):
            assert is_number(number)
            assert_typed(inner)
        case Native(_, line, reason, usage, parts):
            assert type(line) is bytes
            assert type(reason) in (str, type(None))
            for inner in [*parts, *([usage] if usage else [])]:
                assert_typed(inner)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "wish", [Wish(), Wish(passes="openai", collect=True), Wish(takes_objects=True)]
)
def test_what_a_part_holds_is_of_the_very_type_that_it_names(
    value: str, wish: Wish, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL")
    for name in ("openai", "cumulative", "incremental"):
        adapter, _ = SOURCES[name]
        reader = (OpenAI() if name == "openai" else adapter).reader(wish)
        for chunk in [FULL] if name == "openai" else OF_DASHSCOPE[1:]:
            for place in places(chunk)[1:]:
                for form in FORMS.values() if name == "openai" else [FORMS["dict"]]:
                    try:
                        parts = reader.read(form(with_value(chunk, place, HOSTILE[value])))
                    except Exception:
                        continue
                    for part in parts:
                        assert_typed(part)


def test_an_index_that_is_a_text_adds_no_field_to_a_frame():
    for dialect in CHECKS:
        for index in (INJECT, True, 1.0, float("nan"), -1, 10**400, {"evil": 1}):
            check(
                [{**SPEAKS, "choices": [{**SPEAKS["choices"][0], "index": index}]}], "auto", dialect
            )


def test_a_number_of_a_call_that_is_true_or_a_fraction_is_not_passed_on():
    for index in (True, 1.0, 1.5):
        calls = [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]
        calls += [{"index": index, "id": "b", "function": {"name": "g", "arguments": ""}}]
        check([openai_chunk({"tool_calls": calls})], "openai", "openai")


@pytest.mark.parametrize(
    "count", [float("nan"), 1e308, 10**400, 2**53, -1, True, "9" * 400, [1], Ellipsis]
)
def test_a_count_of_tokens_that_none_can_be_is_none(count: Any):
    assert (
        read_usage({"prompt_tokens": count, "completion_tokens": count, "total_tokens": count})
        is None
    )
    assert read_usage({"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": count}) == Usage(
        1, 2, 3
    )


# -- an adapter of an app's own that passes on what it was given -----------------------------------


class Trusting(Adapter):
    """It makes a part of whatever it is given."""

    name = "trusting"

    def __init__(self, make: Callable[[Any], Any]) -> None:
        self._make = make

    def reader(self, wish: Wish) -> Any:
        make = self._make

        class Reader:
            def read(self, chunk: Any) -> Any:
                return (make(chunk),)

            def end(self) -> Any:
                return ()

        return Reader()


PARTS: dict[str, Callable[[Any], Any]] = {
    "a text": lambda value: value,
    "thinking": Reasoning,
    "the number of a choice": lambda value: Choice(value, "x"),
    "the part of a choice": lambda value: Choice(1, value),
    "the number of a call": lambda value: ToolCall(value, "a", "f", "{}"),
    "the id of a call": lambda value: ToolCall(0, value, "f", "{}"),
    "the name of a call": lambda value: ToolCall(0, "a", value, "{}"),
    "the arguments of a call": lambda value: ToolCall(0, "a", "f", value),
    "a reason": Finish,
    "a count": lambda value: Usage(1, value, 2),
    "an id of an answer": lambda value: Origin(value, 1, "m"),
    "a birth time": lambda value: Origin("i", value, "m"),
    "JSON": Value,
    "JSON of two lines": lambda value: Value(b'{}\n\ndata: {"evil":1}'),
    "JSON of a chunk": lambda value: Native("openai", b'{}\r\rdata: {"evil":1}', None, None),
    "a reason of a chunk": lambda value: Native("openai", b"{}", value, None),
}


@pytest.mark.parametrize("dialect", CHECKS)
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("part", PARTS)
def test_an_apps_own_adapter_that_trusts_its_upstream_is_held_to_its_word(
    part: str, value: str, dialect: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("CRITICAL")
    body = said([HOSTILE[value]], Trusting(PARTS[part]), dialect)
    assert_framed(body)
    for event in Decoder().feed(body):
        assert "evil" not in (event.event or "")
        if dialect != "plain":
            assert event.data == "[DONE]" or "evil" not in strict(event.data or "")
