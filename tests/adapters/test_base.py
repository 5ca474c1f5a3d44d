"""What the readers of chunks share, and how adapters are named."""

from __future__ import annotations

import types

import pytest

from sse_bridge import adapters
from sse_bridge.adapters.base import get, read_usage, real_reason
from sse_bridge.parts import Usage


class OldDashScope(dict):
    """As the objects of dashscope 1.24.6 and older: getattr with a default raises KeyError."""

    def __getattr__(self, name):
        return self[name]


# -- fields ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [dict, OldDashScope, types.SimpleNamespace])
def test_a_field_is_got_from_mapping_and_object_alike(kind):
    thing = kind(a=1)
    assert get(thing, "a") == 1
    assert get(thing, "b") is None


def test_a_mapping_is_asked_by_key_even_where_it_has_the_attribute():
    assert get({"items": 1}, "items") == 1
    assert get({}, "items") is None


def test_nothing_has_no_fields():
    assert get(None, "a") is None


# -- usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "usage, read",
    [
        ({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}, Usage(7, 3, 10)),
        ({"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}, Usage(7, 3, 10)),
        (types.SimpleNamespace(prompt_tokens=7, completion_tokens=3), Usage(7, 3, 10)),
        ({"output_tokens": 3}, Usage(0, 3, 3)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0, 0)),
        ({}, None),
        (None, None),
        ({"prompt_tokens": None, "completion_tokens": "3"}, Usage(0, 3, 3)),
        ({"total_tokens": 5}, None),
    ],
)
def test_counts_are_read_under_either_name(usage, read):
    assert read_usage(usage) == read


def test_counts_are_read_off_an_old_dashscope_chunk():
    assert read_usage(OldDashScope(output_tokens=3)) == Usage(0, 3, 3)


def test_a_count_is_final_unless_said_otherwise():
    usage = {"input_tokens": 1, "output_tokens": 1}
    assert read_usage(usage).final
    assert not read_usage(usage, final=False).final


# -- reasons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["null", "", None, 0, 3])
def test_the_word_null_is_no_reason(reason):
    assert real_reason(reason) is None


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", "content_filter", "NULL"])
def test_any_other_word_is(reason):
    assert real_reason(reason) == reason


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["auto", "plain", "openai", "frames"])
def test_an_adapter_is_found_by_its_name(name):
    assert adapters.by_name(name).name == name


def test_dashscope_cannot_be_named_without_saying_how_it_was_asked():
    with pytest.raises(ValueError, match=r"DashScope\(incremental_output=True\)") as raised:
        adapters.by_name("dashscope")
    assert "DashScope(incremental_output=False)" in str(raised.value)


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(ValueError, match=r"'auto', 'plain', 'openai', 'frames'.* got 'opnai'"):
        adapters.by_name("opnai")


@pytest.mark.parametrize("name", adapters.__all__)
def test_all_that_adapters_announces_is_there(name):
    assert hasattr(adapters, name)
