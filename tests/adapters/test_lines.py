"""Bodies of JSON lines, cut anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_bridge.adapters import JsonLines, Plain
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.lines import LINE_LIMIT
from sse_bridge.parts import Broken

VALUES = st.recursive(st.text() | st.integers() | st.booleans(), st.lists, max_leaves=5)


def read(*pieces: bytes) -> list[object]:
    reader = JsonLines(Plain()).reader(Wish(takes_objects=True, lines=True))
    parts = [part for piece in pieces for part in reader.read(piece)]
    return [*parts, *reader.end()]


@given(values=st.lists(VALUES, max_size=4), cut=st.integers(0, 80))
def test_any_cut_gives_the_same_parts(values, cut):
    whole = b"\n".join(json.dumps(value).encode() for value in values)
    assert read(whole[:cut], whole[cut:]) == read(whole)


def test_each_line_is_a_chunk_and_empty_ones_are_none():
    assert read(b'{"a":1}\r\n\n"te', b'xt"\n[2]') == [b'{"a":1}', "text", b"[2]"]


def test_what_is_no_json_is_an_error():
    with pytest.raises(
        ValueError, match="a line of the body is not JSON, but bytes of length 4: Expecting value"
    ):
        read(b"oops\n")


def test_a_line_without_end_is_refused():
    with pytest.raises(ValueError, match="the body is not lines of JSON"):
        read(b"x" * (LINE_LIMIT + 1))


def test_a_line_that_is_too_long_is_refused_where_its_end_has_come_too():
    with pytest.raises(ValueError, match="the body is not lines of JSON"):
        read(b'"' + b"x" * LINE_LIMIT + b'"\n')


def test_what_the_good_lines_of_a_piece_say_is_said_before_the_failure():
    reader = JsonLines(Plain()).reader(Wish(takes_objects=True, lines=True))
    *said, failure = reader.read(b"[1]\n[2]\noops\n[3]\n")
    assert said == [b"[1]", b"[2]"]
    assert type(failure) is Broken


def test_what_is_neither_bytes_nor_text_is_refused_and_not_made_bytes_of():
    with pytest.raises(
        TypeError, match="a body of JSON lines must be bytes or str, got 1000000000000"
    ):
        JsonLines(Plain()).reader(Wish()).read(10**12)
