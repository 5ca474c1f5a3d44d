"""Text, bytes, events and objects as they are."""

from __future__ import annotations

import dataclasses
import enum
import subprocess
import sys

import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chunks import read, run, told
from sse_bridge import ServerSentEvent
from sse_bridge.adapters import Auto, Plain
from sse_bridge.adapters.base import Wish
from sse_bridge.objects import object_json
from sse_bridge.parts import Frame, Value

PLAIN = Plain()
NI_HAO = "你好🌍"
NI_HAO_BYTES = NI_HAO.encode()


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Model(pydantic.BaseModel):
    name: str
    more: int | None = None


# -- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["x", " x ", "a\nb", "\n", '{"a": 1}', "[DONE]", "null", "\u2028", "\ufeff", "\0"]
)
def test_a_str_is_content_and_never_parsed(text):
    assert read(PLAIN, text) == [text]


@pytest.mark.parametrize("nothing", ["", None, b"", bytearray()])
def test_none_and_empty_text_say_nothing(nothing):
    assert read(PLAIN, nothing) == []


def test_a_kind_of_str_is_text_of_its_own_characters():
    class Word(enum.StrEnum):
        YES = "yes"

        def __str__(self):
            return "no"

    [part] = read(PLAIN, Word.YES)
    assert (part, type(part)) == ("yes", str)


# -- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("cut", range(len(NI_HAO_BYTES) + 1))
def test_bytes_may_be_cut_anywhere(cut, kind):
    pieces = [kind(NI_HAO_BYTES[:cut]), kind(NI_HAO_BYTES[cut:])]
    assert "".join(read(PLAIN, *pieces)) == NI_HAO


def test_a_character_that_comes_byte_by_byte_comes_once_and_whole():
    pieces = [NI_HAO_BYTES[at : at + 1] for at in range(len(NI_HAO_BYTES))]
    assert read(PLAIN, *pieces) == ["你", "好", "🌍"]


@settings(deadline=None, max_examples=100)
@given(st.text(st.characters(exclude_categories=["Cs"])), st.data())
def test_any_text_in_any_pieces_is_the_same_text(text, data):
    encoded = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(encoded)), max_size=6)))
    bounds = zip([0, *cuts], [*cuts, len(encoded)], strict=True)
    assert "".join(read(PLAIN, *(encoded[start:end] for start, end in bounds))) == text


def test_bytes_that_are_no_utf8_become_replacement_characters():
    assert read(PLAIN, b"a\xffb") == ["a\ufffdb"]


def test_half_a_character_at_the_end_is_one_replacement_character():
    assert read(PLAIN, NI_HAO_BYTES[:-1]) == ["你好", "\ufffd"]


def test_two_streams_share_no_half_character():
    one, other = PLAIN.reader(Wish()), PLAIN.reader(Wish())
    one.read(b"\xe4\xbd")
    assert other.read(b"a") == ("a",)
    assert one.read(b"\xa0") == ("你",)


# -- events and objects ---------------------------------------------------------------------------


def test_an_event_is_sent_as_given():
    event = ServerSentEvent("a\nb", event="tick", id="7", retry=5, comment="c")
    assert read(PLAIN, event) == [Frame(event.encode())]
    assert run([event]).startswith(event.encode())


@pytest.mark.parametrize(
    "chunk, line",
    [
        ({"a": 1, "b": [None, True]}, '{"a":1,"b":[null,true]}'),
        ({}, "{}"),
        (Point(1), '{"x":1,"y":0}'),
        (Model(name="n"), '{"name":"n","more":null}'),
        ([1, "two"], '[1,"two"]'),
        ((1, 2), "[1,2]"),
        (3, "3"),
        (0.5, "0.5"),
        (True, "true"),
        ("你", None),
        ({"text": "你好"}, '{"text":"你好"}'),
    ],
)
def test_an_object_is_one_line_of_json(chunk, line):
    assert read(PLAIN, chunk) == ([chunk] if line is None else [Value(line.encode())])


@pytest.mark.parametrize("adapter", [PLAIN, Auto()])
@pytest.mark.parametrize("chunk", [{"a": 1}, [{"a": 1}], Point(1), Model(name="n"), 0.5])
def test_an_object_is_its_json_alone_where_that_is_wished(adapter, chunk):
    [value] = read(adapter, chunk, takes_objects=True)
    assert read(adapter, chunk, takes_objects=True, lines=True) == [value.json]
    assert read(adapter, chunk, lines=True) == [value]


def test_two_dicts_of_one_type_are_each_read_for_themselves():
    assert read(PLAIN, {"a": 1}, {"b": 2}) == [Value(b'{"a":1}'), Value(b'{"b":2}')]


def looped():
    """A list within itself."""
    outer: list[object] = [[]]
    outer[0] = [outer]
    return outer


@pytest.mark.parametrize(
    "chunk",
    [
        float("nan"),
        {"x": float("inf")},
        looped(),
        object(),
        {"x": object()},
        {"x": b"bytes"},
        {object()},
    ],
)
def test_what_cannot_be_written_ends_the_stream_once(chunk):
    *before, (name, error) = told(["before", chunk, "never"])
    assert before == [(None, "before")]
    assert (name, error["code"], error["retryable"]) == ("error", "serialization_error", False)


# -- what is probably meant otherwise -------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["data: x\n\n", "event: e\ndata: x\n\n", "id: 1\ndata: x\n\n", "data: x\r\n\r\n"]
)
@pytest.mark.parametrize("encode", [str, str.encode])
def test_text_that_looks_framed_is_still_text_with_one_warning(text, encode, caplog):
    assert read(PLAIN, *[encode(text)] * 3) == [text] * 3
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert 'adapter="frames"' in record.getMessage()


def test_the_next_stream_is_warned_of_frames_again(caplog):
    run(["data: x\n\n"])
    run(["data: x\n\n"])
    assert len(caplog.records) == 2


REFUSALS = [({"error": "no credit"}, 402), ("no credit", 402), ({}, 500, {"X-A": "b"})]


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_body_with_a_status_is_json_with_one_warning_that_says_how_to_refuse(refusal, caplog):
    assert read(PLAIN, *[refusal] * 3) == [Value(object_json(refusal))] * 3
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "raise or abort before the first chunk" in record.getMessage()
    assert "no credit" not in record.getMessage()


@pytest.mark.parametrize("pair", [("a", 200), ("a", True), (402, 402), ("a", "402"), ("a", 402.0)])
def test_other_tuples_are_not_warned_of(pair, caplog):
    assert read(PLAIN, pair) == [Value(object_json(pair))]
    assert not caplog.records


def test_after_the_first_chunk_it_may_be_anything(caplog):
    read(PLAIN, ("a", 17), ("b", 404))
    assert not caplog.records


@pytest.mark.parametrize("text", ["data: x", "data: x\n", "the data: x\n\n", "x\n\n"])
def test_text_that_does_not_look_framed_is_not_warned_of(text, caplog):
    read(PLAIN, text)
    assert not caplog.records


LOOKS_LIKE_AN_EVENT = """
import logging
from sse_bridge.drivers.plain import drive
from sse_bridge.options import Options

logging.basicConfig(format="%(levelname)s %(name)s %(message)s")
for chunk in [{}, {"a": 1, "data": 2}, {"id": 1}], [{"event": "e", "data": "d"}, {"data": "again"}], [{"id": 1}]:
    print(b"".join(drive(chunk, Options())).decode())
"""


def test_a_mapping_that_looks_like_an_event_is_json_with_one_warning_a_process():
    ran = subprocess.run(
        [sys.executable, "-c", LOOKS_LIKE_AN_EVENT],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert 'data: {"event":"e","data":"d"}\n\ndata: {"data":"again"}\n\n' in ran.stdout
    assert 'data: {"id":1}\n\n' in ran.stdout
    [warning] = ran.stderr.splitlines()
    assert warning.startswith("WARNING sse_bridge ")
    assert "ServerSentEvent(**chunk)" in warning
    assert "a dict with the fields 'event', 'data' is sent as JSON" in warning


def test_the_fields_of_a_whole_answer_ask_about_stream_true():
    for reader in (PLAIN, Auto()):
        with pytest.raises(TypeError, match="did you forget stream=True"):
            read(reader, ("id", "x-123"))


def test_any_other_pair_is_json():
    assert read(PLAIN, ("id", 7)) == [Value(b'["id",7]')]


def test_a_stream_as_a_chunk_asks_about_yield_from():
    with pytest.raises(TypeError, match="did you forget `yield from`"):
        read(PLAIN, iter(["a"]))
