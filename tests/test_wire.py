"""Events, their bytes and their JSON, rule by rule."""

import copy
import dataclasses
import datetime
import enum
import math
import pickle
import re
from collections import OrderedDict

import pydantic
import pytest

from sse_bridge.drivers.plain import drive
from sse_bridge.failures import SerializationError
from sse_bridge.options import Options
from sse_bridge.shapes import shape
from sse_bridge.wire import (
    Decoder,
    ServerSentEvent,
)

NOT_LINE_ENDS = "\x85\u2028\u2029\v\f\x1c\x1d\x1e"


@pytest.mark.parametrize(
    "event, frame",
    [
        (ServerSentEvent("x"), b"data: x\n\n"),
        (ServerSentEvent(" x "), b"data:  x \n\n"),
        (ServerSentEvent(""), b"data: \n\n"),
        (ServerSentEvent("a\nb"), b"data: a\ndata: b\n\n"),
        (ServerSentEvent("a\r\nb\rc\nd"), b"data: a\ndata: b\ndata: c\ndata: d\n\n"),
        (ServerSentEvent("\n"), b"data: \ndata: \n\n"),
        (ServerSentEvent("\n\r"), b"data: \ndata: \ndata: \n\n"),
        (ServerSentEvent("a\n"), b"data: a\ndata: \n\n"),
        (ServerSentEvent("x", event="e"), b"event: e\ndata: x\n\n"),
        (ServerSentEvent("x", event=" e "), b"event:  e \ndata: x\n\n"),
        (ServerSentEvent("x", id="1"), b"id: 1\ndata: x\n\n"),
        (ServerSentEvent("x", id=""), b"id: \ndata: x\n\n"),
        (ServerSentEvent("x", retry=0), b"retry: 0\ndata: x\n\n"),
        (ServerSentEvent("x", comment="c"), b": c\ndata: x\n\n"),
        (ServerSentEvent(comment="a\rdata: b\r\n\nc"), b": a\n: data: b\n: \n: c\n\n"),
        (ServerSentEvent(comment=""), b": \n\n"),
        (ServerSentEvent(event="e"), b"event: e\n\n"),
        (ServerSentEvent(id="1"), b"id: 1\n\n"),
        (ServerSentEvent(retry=5), b"retry: 5\n\n"),
        (ServerSentEvent("d", "e", "i", 5, "c"), b": c\nretry: 5\nevent: e\nid: i\ndata: d\n\n"),
        (ServerSentEvent("é"), "data: é\n\n".encode()),
    ],
)
def test_the_bytes_of_a_frame(event, frame):
    assert event.encode() == frame


@pytest.mark.parametrize("char", NOT_LINE_ENDS + "\0")
def test_data_is_not_split_anywhere_else(char):
    assert ServerSentEvent(f"a{char}b").encode() == f"data: a{char}b\n\n".encode()


@pytest.mark.parametrize("fields", [{"event": "e"}, {"id": "1"}, {"retry": 5}, {"comment": "c"}])
def test_without_data_no_data_line_is_written_and_no_event_comes(fields):
    frame = ServerSentEvent(**fields).encode()
    assert b"data" not in frame
    assert Decoder().feed(b"data: a\n\n" + frame + b"data: b\n\n") == [
        ServerSentEvent("a"),
        ServerSentEvent("b"),
    ]


def test_an_event_without_any_field_is_no_bytes_at_all():
    assert ServerSentEvent().encode() == b""


@pytest.mark.parametrize("field", ["event", "id"])
@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\r\nb", "a\n", "\n", "\ra", "a\0b", "\0"])
def test_what_breaks_out_of_its_line_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} must be a single line") as refused:
        ServerSentEvent("x", **{field: value})
    assert repr(value) in str(refused.value)


@pytest.mark.parametrize("value", [True, False, -1, 1.0, math.nan, "5", "5\ndata: x", b"5", [5]])
def test_a_retry_that_is_no_non_negative_int_is_refused(value):
    with pytest.raises(ValueError, match="retry must be a non-negative int") as refused:
        ServerSentEvent("x", retry=value)
    assert repr(value) in str(refused.value)


def test_a_retry_that_no_decoder_could_read_back_is_refused():
    largest = ServerSentEvent("x", retry=10**640 - 1)
    assert Decoder().feed(largest.encode()) == [largest]
    for value in (10**640, 10**5000):
        with pytest.raises(ValueError, match="retry must have at most 640 digits, got "):
            ServerSentEvent("x", retry=value)


def test_an_int_that_python_refuses_to_write_out_is_shown_by_its_size():
    with pytest.raises(
        ValueError, match="retry must be a non-negative int, got an int of 16610 bits"
    ):
        ServerSentEvent("x", retry=-(10**5000))


@pytest.mark.parametrize("field", ["data", "event", "id", "comment"])
@pytest.mark.parametrize("value", ["\ud800", "a\udfffb", "\ude00\ud83d"])
def test_a_lone_surrogate_is_refused(field, value):
    with pytest.raises(ValueError, match=f"{field} has a lone surrogate") as refused:
        ServerSentEvent(**{field: value})
    at = 1 if value[0] == "a" else 0
    told = f"cannot encode: {value[at]!r} at {at} in a str of {len(value)} characters"
    assert told in str(refused.value)


@pytest.mark.parametrize("field", ["event", "id", "comment"])
@pytest.mark.parametrize("value", [1, 1.5, True, b"x", {"a": 1}, ["x"]])
def test_what_is_no_text_is_a_type_error(field, value):
    with pytest.raises(TypeError, match=f"{field} must be a str or None") as refused:
        ServerSentEvent(**{field: value})
    assert str(refused.value).endswith(f"got {shape(value)}")


class Wind(pydantic.BaseModel):
    speed: float
    at: datetime.date


@dataclasses.dataclass
class Place:
    name: str


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"a": [1, None], "b": "x\ny"}, '{"a":[1,null],"b":"x\\ny"}'),
        (OrderedDict(a="\u2028é"), '{"a":"\\u2028é"}'),
        ([1, "a"], '[1,"a"]'),
        ((), "[]"),
        (0, "0"),
        (1.5, "1.5"),
        (False, "false"),
        (Place("Bern"), '{"name":"Bern"}'),
        (Wind(speed=7, at=datetime.date(2026, 1, 2)), '{"speed":7.0,"at":"2026-01-02"}'),
        ({"half": "\ud83d"}, '{"half":"\\ud83d"}'),
    ],
    ids=repr,
)
def test_data_that_is_no_text_is_one_line_of_json_as_the_plain_dialect_writes_it(value, line):
    event = ServerSentEvent(value, "note")
    assert event == ServerSentEvent(line, "note")
    assert event.encode() == f"event: note\ndata: {line}\n\n".encode()
    said = list(drive(iter([ServerSentEvent(value)]), Options()))
    assert said == list(drive(iter([ServerSentEvent(line)]), Options()))
    if "half" not in line:  # which plain puts together with what follows
        assert said == list(drive(iter([value]), Options()))


@pytest.mark.parametrize("text", ["", "1", '{"a": 1}', "null", "two\nlines"])
def test_text_is_data_as_it_is(text):
    assert ServerSentEvent(text).data == text


def test_data_is_json_of_what_a_value_was_when_its_event_was_made():
    value = {"a": 1}
    event = ServerSentEvent(value)
    value["a"] = 2
    assert event.json() == {"a": 1}
    assert event == pickle.loads(pickle.dumps(event))


@pytest.mark.parametrize("value", [b"x", object(), math.nan, {"a": {"b": object()}}, [math.inf]])
def test_data_that_json_cannot_say_is_refused(value):
    told = re.escape(
        f"data must be a str, None, or a value that JSON can represent, got {shape(value)}"
    )
    with pytest.raises(SerializationError, match=told):
        ServerSentEvent(value)


def test_no_data_is_no_json_null():
    assert ServerSentEvent(event="x", data=None).encode() == b"event: x\n\n"
    assert ServerSentEvent("null").json() is None


@pytest.mark.parametrize("value", [{"a": [1.5, "ü"]}, [None], 3, True, {}])
def test_a_decoded_event_gives_its_json(value):
    (event,) = Decoder().feed(ServerSentEvent(value).encode())
    assert event.json() == value


def test_json_over_several_lines_is_read_as_well():
    (event,) = Decoder().feed(b'data: {"a":\ndata: 1}\n\n')
    assert event.json() == {"a": 1}


@pytest.mark.parametrize("data", ["[DONE]", "", "{", "[" * 100_000, "9" * 5000])
def test_data_that_is_no_json_is_told_with_its_event(data):
    told = f"data of the event 'done' is not JSON, got {shape(data)}: "
    with pytest.raises(ValueError, match=told):
        ServerSentEvent(data, "done").json()


def test_an_event_of_no_name_is_told_as_a_message():
    with pytest.raises(ValueError, match="data of the event 'message' is not JSON"):
        ServerSentEvent("Hel").json()


def test_an_event_without_data_has_no_json():
    with pytest.raises(ValueError, match="data is None"):
        ServerSentEvent(comment="x").json()


def test_a_huge_value_is_shown_in_part():
    with pytest.raises(ValueError, match="id must") as refused:
        ServerSentEvent(id="\n" * 1_000_000)
    assert len(str(refused.value)) < 300


def test_200_characters_of_a_value_are_shown_and_no_more():
    for size, shown in ((196, repr("\n" + "x" * 196)), (197, repr("\n" + "x" * 197)[:200] + "...")):
        with pytest.raises(ValueError, match="id must") as refused:
            ServerSentEvent(id="\n" + "x" * size)
        assert str(refused.value).endswith(f", got {shown}")


class Colour(str, enum.Enum):  # noqa: UP042 - its format is the trap
    RED = "red"


class Level(int, enum.Enum):
    HIGH = 3


def test_enums_are_written_as_their_values():
    event = ServerSentEvent(Colour.RED, Colour.RED, Colour.RED, Level.HIGH, Colour.RED)
    assert event.encode() == b": red\nretry: 3\nevent: red\nid: red\ndata: red\n\n"
    assert type(event.data) is str
    assert type(event.retry) is int


# The value


def test_an_event_is_a_value():
    event = ServerSentEvent("x", "e", id="1", retry=5, comment="c")
    same = ServerSentEvent(data="x", event="e", id="1", retry=5, comment="c")
    assert event == same
    assert hash(event) == hash(same)
    assert event != ServerSentEvent("x")
    assert ServerSentEvent("x") != ServerSentEvent(None)
    assert ServerSentEvent(None) != ServerSentEvent("")
    assert ServerSentEvent("x") != "x"
    assert ServerSentEvent("x").__eq__("x") is NotImplemented
    assert repr(event) == "ServerSentEvent(data='x', event='e', id='1', retry=5, comment='c')"
    assert repr(ServerSentEvent(id="")) == "ServerSentEvent(id='')"
    assert not hasattr(event, "__dict__")


def test_an_event_cannot_be_changed():
    event = ServerSentEvent("x")
    told = "^a ServerSentEvent cannot be changed: {} stays as it is$"
    with pytest.raises(AttributeError, match=told.format("id")):
        event.id = "other"
    with pytest.raises(AttributeError, match=told.format("data")):
        del event.data
    with pytest.raises(AttributeError):
        event.more = 1


def test_an_event_can_be_copied_and_pickled():
    for event in (
        ServerSentEvent("x", id="1"),
        *Decoder().feed(b"event: a\0\nretry: 1\ndata: x\n\n"),
    ):
        assert copy.deepcopy(event) == event
        assert pickle.loads(pickle.dumps(event)) == event


# JSON on one line
