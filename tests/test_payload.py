"""JSON that fits one line, for every reader."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sse_bridge.payload import encode_json, escape_separators, quote

NOT_LINE_ENDS = "\x85\u2028\u2029\v\f\x1c\x1d\x1e"
some = settings(deadline=None, max_examples=150)
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
