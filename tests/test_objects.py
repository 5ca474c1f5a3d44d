"""Any object as one line of JSON, or refused."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import gc
import json
import math
import pathlib
import types
import uuid
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import flask
import httpx
import pydantic
import pytest
import starlette.responses
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge.failures import SerializationError
from sse_bridge.objects import ObjectWriter, object_json, tells_its_fields
from sse_bridge.payload import escape_separators

BREAKS = "a\u2028b\u2029c\x85d"
ESCAPED = "a\\u2028b\\u2029c\\u0085d"


class Model(pydantic.BaseModel):
    x: float = 0
    any: Any = None


@dataclasses.dataclass
class Pair:
    left: Any
    right: Any = None


@dataclasses.dataclass(repr=False)
class Attributed(dict):
    """A dict that is a dataclass too, as Hugging Face's chunks and DashScope's are."""

    shown: str = "never"


@dataclasses.dataclass(eq=False)
class Read(Mapping):
    """The same without being a dict."""

    shown: str = "never"

    def __getitem__(self, key):
        return {"a": 1}[key]

    def __iter__(self):
        return iter(["a"])

    def __len__(self):
        return 1


class OldDashScope(dict):
    """As the objects of dashscope 1.24.6 and older."""

    def __getattr__(self, name):
        return self[name]


class Color(enum.Enum):
    RED = "red"


class Place(NamedTuple):
    x: int
    y: int


# -- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "chunk, line",
    [
        (Model(x=1), '{"x":1.0,"any":null}'),
        (Model(any=Model(x=2)), '{"x":0.0,"any":{"x":2.0,"any":null}}'),
        (Pair(1, [Pair(2)]), '{"left":1,"right":[{"left":2,"right":null}]}'),
        (Pair(Model(x=1)), '{"left":{"x":1.0,"any":null},"right":null}'),
        (
            {"m": Model(x=1), "p": Pair(1)},
            '{"m":{"x":1.0,"any":null},"p":{"left":1,"right":null}}',
        ),
        (OrderedDict(b=1, a=2), '{"b":1,"a":2}'),
        (types.MappingProxyType({"a": 1}), '{"a":1}'),
        (Place(1, 2), "[1,2]"),
        ({2: "a", None: "b", True: "c"}, '{"2":"a","null":"b","true":"c"}'),
        ({"c": Color.RED}, '{"c":"red"}'),
        (
            [datetime.date(2026, 1, 2), datetime.datetime(2026, 1, 2, 3, tzinfo=datetime.UTC)],
            '["2026-01-02","2026-01-02T03:00:00+00:00"]',
        ),
        ([decimal.Decimal("1.50"), uuid.UUID(int=0)], f'["1.50","{uuid.UUID(int=0)}"]'),
        (pathlib.PurePosixPath("a/b"), '"a/b"'),
        (None, "null"),
    ],
)
def test_it_is_compact_json_on_one_line(chunk, line):
    assert object_json(chunk) == line.encode()


def test_a_set_is_a_list():
    assert object_json({"s": {1}, "f": frozenset("a")}) == b'{"s":[1],"f":["a"]}'


def test_a_pydantic_object_writes_itself_and_has_null_for_nan():
    assert object_json(Model(x=math.nan, any=math.inf)) == b'{"x":null,"any":null}'


@pytest.mark.parametrize("both", [Attributed(), Read()])
def test_a_mapping_comes_before_a_dataclass(both):
    if isinstance(both, dict):
        both["a"] = 1
    assert object_json(both) == b'{"a":1}'
    assert object_json([both]) == b'[{"a":1}]'


def test_what_is_within_such_a_dict_is_written_with_what_its_class_does_not_name():
    outer, inner = Attributed(), Attributed()
    outer.update(one={"shown": "x"}, several=[{"shown": "x"}], mine=1)
    inner["more"] = 1
    outer.one, outer.several = inner, [inner]
    assert object_json(outer) == b'{"one":{"more":1},"several":[{"more":1}],"mine":1}'


def test_a_dict_comes_before_what_writes_itself():
    class Both(dict):
        def model_dump_json(self, **_):
            return '"never"'

    assert object_json(Both(a=1)) == b'{"a":1}'


def test_old_chunks_whose_getattr_raises_keyerror_are_written():
    with pytest.raises(KeyError):
        OldDashScope().nothing  # noqa: B018 - the trap itself
    chunk = OldDashScope(output=OldDashScope(text="x"))
    assert object_json(chunk) == b'{"output":{"text":"x"}}'


@pytest.mark.parametrize(
    "wrap", [lambda s: s, lambda s: {"t": s}, lambda s: {s: 1}, Pair, lambda s: Model(any=s)]
)
def test_what_old_readers_split_lines_at_is_escaped(wrap):
    line = object_json(wrap(BREAKS)).decode()
    assert ESCAPED in line
    assert len(line.splitlines()) == 1


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("\n\r\x85\u2028\u2029")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)


@settings(deadline=None, max_examples=100)
@given(json_values)
def test_any_json_value_is_one_line_that_reads_back_the_same(value):
    for line in object_json(value), object_json(Model.model_construct(any=value)):
        assert len(line.decode().splitlines()) == 1
    assert json.loads(object_json(value)) == value


def test_a_shared_list_that_is_changed_later_was_written_already():
    shared = ["a"]
    line = object_json({"content": shared})
    shared.append("b")
    assert line == b'{"content":["a"]}'


# -- pydantic objects -----------------------------------------------------------------------------


class Aliased(pydantic.BaseModel):
    text: str = pydantic.Field("", serialization_alias="said")


class ByAlias(Aliased):
    model_config = pydantic.ConfigDict(serialize_by_alias=True)


class Serialized(pydantic.BaseModel):
    when: int = 0

    @pydantic.field_serializer("when")
    def _when(self, when):
        return f"at {when}"


class Wrapped(pydantic.BaseModel):
    x: int = 0

    @pydantic.model_serializer(mode="wrap")
    def _whole(self, handler):
        return {"inside": handler(self)}


class Computed(Model):
    @pydantic.computed_field
    @property
    def twice(self) -> float:
        return self.x * 2


class Extra(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


class Deferred(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(defer_build=True)
    inner: Model | None = None


class Token(pydantic.BaseModel):
    type: Literal["token"] = "token"
    text: str


class Tokens(pydantic.BaseModel):
    type: Literal["tokens"] = "tokens"
    tokens: list[Token]


class Root(pydantic.RootModel[list[int]]):
    pass


def openai_chunks():
    from openai.types.chat import ChatCompletionChunk

    delta = {"content": BREAKS, "reasoning_content": "beyond the schema"}
    call = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}
    for choices in (
        [],
        [{"index": 0, "delta": delta, "finish_reason": None}],
        [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}],
        [{"index": "none", "delta": 5}],
        None,
    ):
        chunk = {"id": "x", "choices": choices, "created": 1, "model": "m"}
        yield ChatCompletionChunk.construct(**chunk, object="chat.completion.chunk", new={"a": 1})
    yield ChatCompletionChunk.construct(usage={"prompt_tokens": 1}, model=None)


@pytest.mark.parametrize(
    "chunk",
    [
        *(Aliased(text="t"), ByAlias(text="t"), Serialized(when=1), Wrapped(x=1), Computed(x=2)),
        *(Extra(a=math.nan, b=[Model(x=1)]), Deferred(inner=Model(any=BREAKS)), Root([1])),
        *(Model(any=1e16), Model(any={1: 2}), Model.model_construct(x="not a number")),
        *(Token(text="a"), Tokens(tokens=[Token(text="a")])),
    ],
    ids=lambda chunk: type(chunk).__name__,
)
def test_an_apps_own_pydantic_object_goes_out_whole_as_its_own_method_writes_it(chunk):
    own = chunk.model_dump_json(warnings=False)
    assert object_json(chunk) == escape_separators(own).encode()
    inside = json.loads(object_json({"nested": [chunk]}))
    if type(chunk) is not Extra:  # which has NaN, null only where an object writes itself
        assert inside == {"nested": [json.loads(own)]}


@pytest.mark.parametrize("chunk", [*openai_chunks()])
def test_an_sdks_object_is_written_as_it_came_over_the_wire(chunk):
    own = chunk.model_dump_json(exclude_unset=True, warnings=False)
    assert object_json(chunk) == escape_separators(own).encode()
    assert json.loads(object_json({"nested": chunk})) == {"nested": json.loads(own)}


def test_a_method_of_its_own_is_asked():
    class Own(Model):
        def model_dump_json(self, **how):
            return json.dumps(how)

    class Child(Own):
        pass

    class NoModel:
        model_dump_json = Own.model_dump_json

    for chunk in Own(), Child(), NoModel():
        assert object_json(chunk) == b"{}"


def test_a_method_of_an_sdks_own_is_asked_for_what_came_over_the_wire():
    class Own(Model):
        def model_dump_json(self, **how):
            return json.dumps(how)

    Own.__module__ = "openai.types"
    assert object_json(Own()) == b'{"exclude_unset": true, "warnings": false}'


def test_what_its_own_method_spreads_over_lines_is_one_line():
    class Spread(Model):
        def model_dump_json(self, **_):
            return json.dumps({"a": [1, BREAKS]}, indent=2, ensure_ascii=False).replace("[", "\r[")

    line = object_json(Spread())
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == {"a": [1, BREAKS]}


def test_a_model_that_is_built_anew_is_written_anew():
    class Late(pydantic.BaseModel):
        x: int = 0

    assert object_json(Late(x=1)) == b'{"x":1}'
    Late.model_fields["x"].serialization_alias = "y"
    Late.model_config["serialize_by_alias"] = True
    Late.model_rebuild(force=True)
    chunk = Late(x=1)
    assert object_json(chunk) == chunk.model_dump_json().encode()


def test_types_made_at_run_time_are_not_kept_for_ever():
    def made():
        kind = type("Made", (), {"model_dump_json": lambda self, **_: "1"})
        assert object_json(kind()) == b"1"
        assert tells_its_fields(kind)
        return weakref.ref(kind)

    kinds = [made() for _ in range(2_000)]
    gc.collect()
    assert sum(kind() is not None for kind in kinds) < 1_000


# -- what is refused ------------------------------------------------------------------------------


def loop():
    chunk: dict[str, Any] = {}
    chunk["self"] = [chunk]
    return chunk


def deep():
    chunk: list[Any] = []
    for _ in range(100_000):
        chunk = [chunk]
    return chunk


def looped_dataclass():
    pair = Pair(None)
    pair.right = pair
    return pair


def looped_model():
    model = Model.model_construct(any=None)
    model.any = model
    return model


class Mute:
    def __repr__(self):
        raise RuntimeError("cannot even be shown")


@pytest.mark.parametrize(
    "make",
    [
        lambda: math.nan,
        lambda: [math.inf],
        lambda: {"x": -math.inf},
        lambda: {math.nan: 1},
        lambda: Pair(math.nan),
        lambda: {"m": Model(x=math.nan)},
        object,
        lambda: {"x": b"bytes"},
        lambda: {(1, 2): 3},
        lambda: Pair,
        loop,
        looped_dataclass,
        looped_model,
        deep,
        lambda: {"x": Mute()},
    ],
)
def test_what_has_no_json_form_is_a_serialization_error(make):
    with pytest.raises(SerializationError):
        object_json(make())


HALVES = [
    {"x": "\ud83d"},
    {"x": ["\ude00", "你好"]},
    Pair("\ud83d"),
    Model.model_construct(x=0.0, any="\ud83d"),
    {"inside": Model.model_construct(x=0.0, any="\ud83d")},
]


@pytest.mark.parametrize("chunk", HALVES)
def test_half_a_character_is_written_as_jsons_own_escape_of_it(chunk):
    line = object_json(chunk)
    assert b"\\ud83d" in line or b"\\ude00" in line
    assert json.dumps(json.loads(line), separators=(",", ":")).encode() == line


@pytest.mark.parametrize("chunk", HALVES)
def test_half_a_character_is_refused_where_only_whole_ones_are_of_use(chunk):
    with pytest.raises(SerializationError):
        ObjectWriter().write_whole(chunk)


# -- json_default ---------------------------------------------------------------------------------


class Lazy:
    """As a string of Babel's that is translated when it is shown."""

    def __str__(self):
        return "später"


def of_lazy(value):
    if isinstance(value, Lazy):
        return str(value)
    raise KeyError("a hook's own error")


class Holder(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    lazy: Lazy


@pytest.mark.parametrize(
    "chunk, line",
    [
        (Lazy(), '"später"'),
        ({"a": [Lazy()]}, '{"a":["später"]}'),
        (Pair(Lazy(), datetime.date(2026, 1, 2)), '{"left":"später","right":"2026-01-02"}'),
        (Holder(lazy=Lazy()), '{"lazy":"später"}'),
        ({"holder": Holder(lazy=Lazy())}, '{"holder":{"lazy":"später"}}'),
        ({"half": "\ud83d", "lazy": Lazy()}, '{"half":"\\ud83d","lazy":"sp\\u00e4ter"}'),
    ],
)
def test_json_default_is_asked_for_what_json_does_not_know(chunk, line):
    assert ObjectWriter(of_lazy).write(chunk).decode() == line


@pytest.mark.parametrize("chunk", [object(), {"x": object()}, Pair(object())])
def test_what_json_default_raises_is_a_serialization_error(chunk):
    with pytest.raises(SerializationError, match="a hook's own error"):
        ObjectWriter(of_lazy).write(chunk)


def test_what_json_default_gives_must_be_json_in_turn():
    with pytest.raises(SerializationError):
        ObjectWriter(lambda value: math.nan).write({"x": Lazy()})
    assert (
        ObjectWriter(lambda value: [datetime.date(2026, 1, 2)]).write(Lazy()) == b'["2026-01-02"]'
    )


def test_without_it_the_error_names_it():
    with pytest.raises(SerializationError, match="json_default"):
        object_json({"x": Lazy()})


RESPONSES = [
    flask.Response("no credit", 402),
    starlette.responses.JSONResponse({"error": "no credit"}, 402),
    httpx.Response(402),
]


@pytest.mark.parametrize("response", RESPONSES, ids=lambda response: type(response).__module__)
def test_a_response_is_no_chunk_and_the_error_says_how_to_refuse(response):
    for chunk in (response, (response, 402), {"answer": response}):
        with pytest.raises(SerializationError, match="abort before the first chunk"):
            object_json(chunk)


def test_a_response_may_have_a_json_of_its_own():
    writer = ObjectWriter(lambda response: response.status_code)
    assert writer.write(RESPONSES[0]) == b"402"


# -- errors ---------------------------------------------------------------------------------------


def test_the_error_tells_one_cause_and_no_encoders_before_it():
    with pytest.raises(SerializationError) as raised:
        object_json({"x": object()})
    assert isinstance(cause := raised.value.__cause__, TypeError)
    assert cause.__cause__ is None
    assert cause.__context__ is None


def test_the_error_shows_the_chunks_shape_and_quotes_none_of_it():
    with pytest.raises(
        SerializationError, match=r"cannot write a dict with the fields 'answer', 'x'"
    ) as raised:
        object_json({"answer": "a secret", "x": object()})
    assert "not JSON serializable" in str(raised.value)
    assert "secret" not in str(raised.value)
    with pytest.raises(SerializationError, match="cannot write a list of length 2"):
        object_json(["x" * 10_000, math.nan])


# -- what can be written at all -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [dict, OldDashScope, Read, Model, Attributed])
def test_what_tells_its_own_fields_can_be_written(kind):
    assert tells_its_fields(type(kind()))


def test_what_has_attributes_only_cannot():
    assert not tells_its_fields(type(types.SimpleNamespace(a=1)))
