"""Copies of a vendor's dicts and objects that lack some fields, which are not the client's to see."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ..objects import is_pydantic
from .base import get


def without(thing: Any, names: Collection[str]) -> Any:
    """A copy without these fields; the thing itself, where it has none of them."""
    if isinstance(thing, dict):
        is_free = thing.keys().isdisjoint(names)
        return thing if is_free else {name: thing[name] for name in thing if name not in names}
    if not is_pydantic(type(thing)) or all(get(thing, name) is None for name in names):
        return thing
    if not hasattr(thing, "model_copy"):  # pydantic 1
        return thing.copy(exclude={*names})
    copy = thing.model_copy(update=dict.fromkeys(name for name in names if name in vars(thing)))
    copy.model_fields_set.difference_update(names)
    for name in names:
        (copy.model_extra or {}).pop(name, None)
    return copy


def with_field(thing: Any, name: str, value: Any) -> Any:
    """A copy of which this field has another value; the thing itself, where it is that value."""
    if get(thing, name) is value:
        return thing
    if isinstance(thing, dict):
        return {**thing, name: value}
    if not is_pydantic(type(thing)):
        return thing
    copy = getattr(thing, "model_copy", None) or thing.copy  # pydantic 1's
    return copy(update={name: value})
