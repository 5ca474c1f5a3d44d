"""JSON that fits one line, for every reader."""

import dataclasses
import datetime
import enum
import json
import math
import os
import threading
import uuid
from collections import OrderedDict, namedtuple

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge import fast, payload
from sse_bridge.payload import encode_json, encoder, escape_line, escape_separators, quote

NOT_LINE_ENDS = "\x85\u2028\u2029\v\f\x1c\x1d\x1e"
some = settings(deadline=None, max_examples=int(os.environ.get("EXAMPLES", "150")))
text = st.text()


@pytest.mark.parametrize("char", NOT_LINE_ENDS + '\r\n\0"\\\x7f/')
def test_json_stays_on_one_line_for_every_reader(char):
    text = f"a{char}é"
    for line in (quote(text), encode_json(text), encode_json([text])[1:-1]):
        assert json.loads(line) == text
        assert line.splitlines() == [line]


def test_separators_are_escaped_by_name():
    assert quote("\u2028\u2029\x85\v\f") == r'"\u2028\u2029\u0085\u000b\f"'
    assert encode_json({"\u2028": "\x85"}) == r'{"\u2028":"\u0085"}'
    assert escape_separators('"a\u2029é"') == r'"a\u2029é"'


@some
@given(text | st.text("\x85\u2028\u2029\u2027\u202a\x84é\U0001f30d"))
def test_a_line_is_escaped_as_text_is(anything):
    assert escape_line(anything.encode()) == escape_separators(anything).encode()


def test_json_is_compact_and_leaves_other_text_readable():
    assert encode_json({"a": [1, "你好"], "b": None}) == '{"a":[1,"你好"],"b":null}'


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf]])
def test_json_has_no_nan(value):
    with pytest.raises(ValueError, match="JSON"):
        encode_json(value)


def test_json_asks_default_about_what_it_does_not_know():
    with pytest.raises(TypeError):
        encode_json({1, 2})
    assert encode_json({"s": {1}}, default=list) == '{"s":[1]}'


@some
@given(text)
def test_json_of_any_text_is_one_line_and_comes_back(anything):
    for each in (quote(anything), encode_json({anything: anything})):
        assert len(each.splitlines()) == 1
    assert json.loads(quote(anything)) == anything
    assert json.loads(encode_json({anything: anything})) == {anything: anything}


# -- the ways to write ----------------------------------------------------------------------------


def public(value, default=None):
    """What the standard library's own interface writes."""
    return escape_separators(
        json.dumps(
            value, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=default
        )
    ).encode()


def without_orjson(default=None):
    return payload._standard(default)


@pytest.fixture
def _in_pure_python(monkeypatch):
    """As on PyPy: new encoders find no C."""
    monkeypatch.setattr(json.encoder, "c_make_encoder", None)


class Text(str):
    __slots__ = ()


class Number(int):
    def __repr__(self):
        return "never"


class Mood(str, enum.Enum):  # noqa: UP042 - a StrEnum's value is its text
    """Its text and its value differ."""

    def __new__(cls, text, value):
        member = str.__new__(cls, text)
        member._value_ = value
        return member

    GLAD = ("text", "value")


class Level(enum.IntEnum):
    LOW = 1


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Pair:
    left: int = 1


Place = namedtuple("Place", "x y")
UTC, PLUS_5 = datetime.UTC, datetime.timezone(datetime.timedelta(hours=5))


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def cycle():
    value = {"a": 1}
    value["b"] = [value]
    return value


DIFFERENT = [
    *(math.nan, math.inf, -math.inf, 1e16, -1e22, 1e-05, 1.5e-05, 1e-7, 5e-324, -0.0),
    *(2**53, 2**63, 2**64, -(2**63) - 1, 10**400, True, Number(3), Level.LOW),
    *(Text("t"), Mood.GLAD, Color.RED, "\ud800", "\ud83d\ude00", "\x7f\x00\x1f\u2028"),
    *(Pair(), Place(1, 2), (1, (2,)), OrderedDict(a=1), {1, 2}, b"x", bytearray(b"x")),
    *(uuid.UUID(int=5), orjson.Fragment(b"never"), datetime.date(2026, 1, 2)),
    *(datetime.datetime(2026, 1, 2, 3, 4, 5, 6, UTC), datetime.datetime(2026, 1, 2, tzinfo=PLUS_5)),
    *(datetime.time(1, 2, 3, 4), object(), Pair, nested(100), nested(300), cycle()),
]
DIFFERENT_KEYS = [1, 1.5, 1e16, None, True, Text("t"), Mood.GLAD, (1,), "\ud800", math.nan, 2**70]


def outcome(write, value):
    """What it writes, or the kind of error that it raises."""
    try:
        return write(value)
    except (TypeError, ValueError, RecursionError) as error:
        return type(error)


@pytest.mark.parametrize("default", [None, str, lambda value: [str(value)]])
@pytest.mark.parametrize("value", DIFFERENT, ids=lambda value: f"{value!r:.30}".encode())
def test_the_bytes_are_those_of_the_public_interface(value, default):
    for wrapped in (value, [value], {"a": {"b": [1, value]}}, (value,)):
        expected = outcome(lambda each: public(each, default), wrapped)
        assert outcome(encoder(default), wrapped) == expected
        assert outcome(without_orjson(default), wrapped) == expected


@pytest.mark.parametrize("key", DIFFERENT_KEYS, ids=lambda key: f"{key!r:.30}".encode())
def test_a_key_is_written_as_the_public_interface_does(key):
    expected = outcome(public, [{key: 1}])
    assert outcome(encoder(), [{key: 1}]) == expected
    assert outcome(without_orjson(), [{key: 1}]) == expected


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.floats(-1e17, 1e17)
    | st.floats(-1, 1)
    | st.text(st.characters())
    | st.sampled_from(DIFFERENT[:32]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(st.text(max_size=4) | st.integers() | st.floats() | st.none(), inner)
        | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)


@some
@given(anything)
def test_any_value_is_written_as_the_public_interface_does(value):
    expected = outcome(public, value)
    assert outcome(encoder(), value) == expected
    assert outcome(without_orjson(), value) == expected


ORDINARY = [
    {"index": 3, "delta": " token3", "score": 0.375, "last": False},
    {"choices": [{"delta": {"content": "\u4f60\u597d"}, "finish_reason": None}], "usage": None},
    [0.1, -2.5, 0.0, 1e15, 0.0001],
    ("a", 2**62),
]


@pytest.mark.skipif(fast.load() is None, reason="switched off")
@pytest.mark.parametrize("value", ORDINARY)
def test_ordinary_values_never_come_to_json_where_orjson_is(value):
    def never(value):
        raise AssertionError("this came to json")

    loaded = fast.load()
    assert loaded is not None
    assert payload._with_orjson(*loaded, never)(value) == public(value)


@pytest.mark.usefixtures("_in_pure_python")
@pytest.mark.parametrize("value", [{"a": [1.5, "\u2028"]}, "t", cycle(), {1, 2}, math.nan])
def test_without_c_the_bytes_and_the_errors_are_the_same(value):
    assert outcome(without_orjson(), value) == outcome(public, value)


# -- one encoder for many -------------------------------------------------------------------------


@pytest.mark.parametrize("make", [encoder, without_orjson])
def test_a_failure_leaves_nothing_behind(make):
    write = make(None)
    value = {"a": [{"b": object()}]}
    with pytest.raises(TypeError):
        write(value)
    value["a"][0]["b"] = 1
    assert write(value) == b'{"a":[{"b":1}]}'


@pytest.mark.parametrize("make", [encoder, without_orjson])
def test_a_cycle_is_refused_each_time(make):
    for _ in range(3):
        with pytest.raises(ValueError, match="Circular"):
            make(None)(cycle())


@pytest.mark.parametrize("make", [encoder, without_orjson])
def test_a_default_may_itself_write(make):
    shared = ["s"]

    def default(value):
        return write([*value, shared]).decode()

    write = make(default)
    assert json.loads(write({"a": {1}, "b": shared})) == {"a": '[1,["s"]]', "b": ["s"]}
    open_here = {"a": {1}}  # written within its own writing, though not as a part of itself
    write = make(lambda value: make(list)(open_here).decode())
    assert json.loads(write(open_here)) == {"a": '{"a":[1]}'}


def test_threads_write_the_same_value_at_the_same_time():
    meet = threading.Barrier(2, timeout=10)
    written = []

    def default(value):
        meet.wait()  # both are in the middle of the same list
        return list(value)

    write, value = encoder(default), [{1}]
    threads = [threading.Thread(target=lambda: written.append(write(value))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert written == [b"[[1]]"] * 2
