"""What a value is, in words that quote no text of it."""

from __future__ import annotations

import logging
from collections import UserDict
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge.parts import Finish
from sse_bridge.shapes import named, noted, shape

SECRET = "the patient's name"


class Answer:
    def __repr__(self) -> str:
        return SECRET


class Word(str):
    __slots__ = ()


@pytest.mark.parametrize(
    "value, wanted",
    [
        (None, "None"),
        (True, "True"),
        (7, "7"),
        (-1.5, "-1.5"),
        pytest.param(10**5000, "an int of 16610 bits", id="huge"),
        (SECRET, "a str of 18 characters"),
        (Word(SECRET), "a Word of 18 characters"),
        (SECRET.encode(), "bytes of length 18"),
        (bytearray(3), "bytearray of length 3"),
        (memoryview(b"abc"), "memoryview of length 3"),
        ([SECRET], "a list of length 1"),
        ((SECRET, 1), "a tuple of length 2"),
        ({SECRET}, "a set of length 1"),
        ({}, "a dict without fields"),
        ({"data": SECRET, "id": 1}, "a dict with the fields 'data', 'id'"),
        ({SECRET: 1, 5: 2}, "a dict with the fields a name of 18 characters, 5"),
        (UserDict(a=SECRET), "a UserDict with the fields 'a'"),
        (MappingProxyType({"a": 1}), "a mappingproxy with the fields 'a'"),
        (Finish(SECRET), "an object of the type sse_bridge.parts.Finish"),
        (Decimal(1), "an object of the type decimal.Decimal"),
        (int, "the class int"),
    ],
)
def test_it_is_told_by_its_kind_and_size(value: Any, wanted: str):
    assert shape(value) == wanted


def test_of_many_fields_the_first_are_named():
    told = shape({f"field_{number}": SECRET for number in range(13)})
    assert told.endswith("'field_9', 3 more")
    assert told.count("field_") == 10


def test_an_object_is_told_by_its_type_and_not_by_its_repr():
    assert shape(Answer()).endswith(".Answer")
    assert SECRET not in shape(Answer())


@pytest.mark.parametrize("word", ["content", "image_url", "response.failed", "x-own", "a/b", "a:b"])
def test_a_name_is_shown(word: str):
    assert named(word) == repr(word)


@pytest.mark.parametrize(
    "word", ["", "two words", "a\nb", "ein Schlüssel", "你好", "x" * 41, "1", "a'b"]
)
def test_what_may_be_anybodys_words_is_told_by_its_length(word: str):
    assert named(word) == f"a name of {len(word)} characters"


def test_what_is_no_name_at_all_is_told_by_its_shape():
    assert named(None) == "None"
    assert named([SECRET]) == "a list of length 1"


anything = st.recursive(
    st.none() | st.text() | st.binary() | st.integers() | st.floats(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(value=anything)
def test_any_value_has_a_shape_of_one_short_line(value: Any):
    told = shape(value)
    assert told.isprintable()
    assert len(told) < 600


def test_the_value_itself_goes_to_the_log_at_debug_and_no_further(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    assert noted(SECRET) == shape(SECRET)
    assert not caplog.records
    caplog.set_level(logging.DEBUG)
    assert noted({"a": SECRET}) == "a dict with the fields 'a'"
    [record] = caplog.records
    assert record.levelno == logging.DEBUG
    assert SECRET in record.getMessage()


def test_a_whole_book_is_quoted_in_part(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    noted("x" * 1_000_000)
    assert len(caplog.text) < 1000


def test_a_value_that_cannot_be_quoted_is_told_all_the_same(caplog: pytest.LogCaptureFixture):
    class Deep:
        def __repr__(self) -> str:
            raise RecursionError

    caplog.set_level(logging.DEBUG)
    assert noted(Deep()) == shape(Deep())
    assert "whose repr raised RecursionError" in caplog.text
