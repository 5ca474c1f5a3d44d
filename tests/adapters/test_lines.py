"""Bodies of JSON lines, cut anywhere."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sse_bridge.adapters import JsonLines, Plain
from sse_bridge.adapters.base import Wish
from sse_bridge.adapters.lines import LINE_LIMIT

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
        ValueError, match="a line of the body is no JSON, but bytes of length 4: Expecting value"
    ):
        read(b"oops\n")


def test_a_line_without_end_is_refused():
    with pytest.raises(ValueError, match="no lines of JSON"):
        read(b"x" * (LINE_LIMIT + 1))
