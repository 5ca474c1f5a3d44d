"""Checks of the options' values; what each option makes of them is in test_options.py."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from sse_bridge import values


@pytest.mark.parametrize(("value", "expected"), [(None, inf), (0, 0.0), (2, 2.0), (0.5, 0.5)])
def test_seconds_are_a_number_and_none_is_no_limit(value: Any, expected: float):
    assert values.seconds("ping", value) == expected


@pytest.mark.parametrize("value", ["5", True, [], object])
def test_what_is_no_number_is_named_and_shown(value: Any):
    with pytest.raises(TypeError, match="hold must be a number of seconds, got "):
        values.seconds("hold", value)


@pytest.mark.parametrize("value", [-1, -0.1, nan])
def test_time_does_not_run_backwards(value: float):
    with pytest.raises(ValueError, match="hold must not be negative, got "):
        values.seconds("hold", value)


def test_a_patience_of_nothing_is_refused():
    with pytest.raises(
        ValueError, match="stall_timeout must be more than 0, or None for no limit, got 0"
    ):
        values.patience("stall_timeout", 0)
    assert values.patience("stall_timeout", None) == inf


def test_a_cleanup_must_end():
    with pytest.raises(TypeError, match="cleanup_timeout must be a number of seconds, got None"):
        values.cleanup(None)


@pytest.mark.parametrize("value", [1.0, "1", True])
def test_a_count_is_an_int(value: Any):
    with pytest.raises(TypeError, match="retry must be an int or None, got "):
        values.count("retry", value)
    assert values.count("retry", None) is None
    assert values.count("retry", 0) == 0


def test_a_callback_can_be_called():
    assert values.callback("on_end", None) is None
    assert values.callback("on_end", print) is print
    with pytest.raises(TypeError, match="on_end must be callable or None, got 7"):
        values.callback("on_end", 7)


def test_describe_is_called_with_as_much_as_it_takes():
    for describe in (str, lambda error: "a", lambda error, code: "a", lambda *both: "a"):
        made = values.describer(describe)
        assert made is not None
        made(LookupError("x"), "code")
    with pytest.raises(
        TypeError, match="describe must take an exception, or an exception and its code"
    ):
        values.describer(lambda: "a")


@pytest.mark.parametrize("value", ["lines", 1, True])
def test_a_keep_alive_ends_in_one_of_two_ways(value: Any):
    with pytest.raises(ValueError, match='ping_form must be "line", "block" or None, got '):
        values.pinged(value)
    assert values.pinged("line") == "line"
