"""orjson writes only what json would write the same, and only where it may."""

from __future__ import annotations

import enum
import json
import math
import os
import subprocess
import sys
import uuid
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sse_bridge
from sse_bridge import fast

SOURCE = Path(sse_bridge.__file__).parent.parent
some = settings(deadline=None, max_examples=int(os.environ.get("EXAMPLES", "200")))

# The edges of what needs no exponent, and what is just beyond them.
EDGES = [
    near
    for edge in (1e-4, 1e-5, 1e-6, 1e-7, 1e15, 1e16, 1e17, 1e21, 1e22, 2.0**53, 2.0**63)
    for near in (edge, math.nextafter(edge, 0), math.nextafter(edge, math.inf), -edge)
]


class Color(enum.Enum):
    RED = "red"


def with_json(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@some
@given(st.floats() | st.sampled_from(EDGES) | st.floats(-1e16, 1e16) | st.floats(-1, 1))
def test_a_float_that_agrees_is_written_alike(number):
    if fast.agrees([number]):
        assert orjson.dumps(number).decode() == with_json(number)


@pytest.mark.parametrize("number", [0.0, -0.0, 0.375, 1e-4, -0.0001, 1e15, -123456.789])
def test_an_ordinary_float_agrees(number):
    assert fast.agrees([number])


@pytest.mark.parametrize(
    "value",
    [
        *(math.nan, math.inf, -math.inf, 1e16, 1e-5, -1e-5, 5e-324),
        *(Color.RED, uuid.UUID(int=1), orjson.Fragment(b"x"), {1}, object()),
    ],
)
@pytest.mark.parametrize(
    "wrap", [lambda v: v, lambda v: [1, v], lambda v: (v,), lambda v: {"a": {"b": [v]}}]
)
def test_what_orjson_writes_in_its_own_way_does_not_agree(value, wrap):
    assert not fast.agrees([wrap(value)])


def test_every_character_that_orjson_takes_is_written_alike():
    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    assert orjson.dumps(every).decode() == with_json(every)


LOADED = """
import sys, sse_bridge
from sse_bridge.payload import encode_json
print("orjson" in sys.modules)
assert encode_json({"a": 1.5}) == '{"a":1.5}'
print("orjson" in sys.modules)
"""


@pytest.mark.parametrize("switch, after", [(None, "True"), ("1", "True"), ("0", "False")])
def test_it_is_loaded_with_the_first_object_unless_switched_off(switch, after):
    environ = {name: value for name, value in os.environ.items() if name != "SSE_BRIDGE_ORJSON"}
    if switch is not None:
        environ["SSE_BRIDGE_ORJSON"] = switch
    environ["PYTHONPATH"] = str(SOURCE)
    ran = subprocess.run(
        [sys.executable, "-c", LOADED],
        env=environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ran.stdout.split() == ["False", after]


def test_without_it_there_is_nothing_to_load(monkeypatch):
    monkeypatch.setitem(sys.modules, "orjson", None)  # an import of it fails
    assert fast.load() is None
