"""Copies that lack what is not the client's."""

from __future__ import annotations

import json
from typing import Any

import pydantic
import pytest

from sse_bridge.adapters.withheld import with_field, without
from sse_bridge.objects import object_json

NAMES = ("secret", "hidden")


class Told(pydantic.BaseModel, extra="allow"):
    word: str = "x"
    secret: str | None = None


class Event(pydantic.BaseModel):
    kind: str
    told: Told


def made(kind: type, **fields: Any) -> Any:
    return kind(**fields)


@pytest.mark.parametrize("kind", [dict, Told])
def test_a_copy_lacks_these_fields_and_the_thing_keeps_them(kind: type):
    thing = made(kind, word="y", secret="s", hidden="h", more=[1])
    before = object_json(thing)
    written = json.loads(object_json(without(thing, NAMES)))
    assert (written.pop("secret", None), written) == (None, {"word": "y", "more": [1]})
    assert object_json(thing) == before


@pytest.mark.parametrize(
    "thing", [None, 3, "secret", [], object(), {"a": 1}, {}, Told(word="y"), Told(more=1)], ids=type
)
def test_what_has_none_of_them_is_itself(thing: Any):
    assert without(thing, NAMES) is thing


def test_another_value_of_a_field_is_in_a_copy():
    told = Told(word="y")
    for thing in ({"kind": "a", "told": 1}, Event(kind="a", told=Told())):
        before = object_json(thing)
        assert json.loads(object_json(with_field(thing, "told", told)))["told"]["word"] == "y"
        assert object_json(thing) == before


def test_the_same_value_of_a_field_needs_none():
    for thing in ({"told": 1}, {}, Event(kind="a", told=Told()), object()):
        told = thing.get("told") if isinstance(thing, dict) else getattr(thing, "told", None)
        assert with_field(thing, "told", told) is thing


def test_what_can_be_no_json_is_left_as_it_is():
    thing = object()
    assert with_field(thing, "told", 1) is thing
