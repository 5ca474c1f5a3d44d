"""The arguments of a call that Vertex AI sends in pieces, each with the place in them where it belongs."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any, ClassVar

from .base import get, text_of

# One step of a place: a field, or a place in a list.
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d{1,9})\]|\[['\"]([^'\"]*)['\"]\]")
_DEPTH = 32  # steps of a place, and of no more


class _Pieces:
    """Text that comes in pieces: joined once, when the call is whole."""

    def __init__(self, first: str) -> None:
        self.pieces = [first]


class PartialArguments:
    """What is known of one call; `add` takes the value of each of `FIELDS` that a piece has."""

    FIELDS: ClassVar = ("json_path", "string_value", "number_value", "bool_value", "null_value")

    def __init__(self, call: Any) -> None:
        self.name, self.id = get(call, "name"), get(call, "id")
        self._arguments: dict[str, Any] = {}

    @property
    def arguments(self) -> Any:
        return _joined(self._arguments)

    def add(self, piece: dict[str, Any]) -> None:
        """Put a value in its place: text is more of the text that stands there."""
        path = [
            int(place) if place else name or quoted
            for name, place, quoted in _STEP.findall(text_of(piece["json_path"]))
        ]
        told = (piece[name] for name in self.FIELDS[1:4])
        value = next((value for value in told if value is not None), None)
        if not path or len(path) > _DEPTH or not isinstance(value, (str, int, float, _NONE)):
            return
        within: Any = self._arguments
        for step, following in pairwise(path):
            within = _put(within, step, [] if isinstance(following, int) else {})
        if isinstance(value, str):
            value = _Pieces(value)
            before = _put(within, path[-1], value)
            if isinstance(before, _Pieces) and before is not value:
                before.pieces += value.pieces
                return
        _put(within, path[-1], value, anew=True)


_NONE = type(None)


def _joined(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _joined(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_joined(inner) for inner in value]
    return "".join(value.pieces) if isinstance(value, _Pieces) else value


def _put(within: Any, step: str | int, value: Any, *, anew: bool = False) -> Any:
    """What stands there, or else `value`, which stands there then; `anew`, whatever stood there."""
    if isinstance(within, dict) and isinstance(step, str):
        within[step] = value if anew else within.get(step, value)
        return within[step]
    if not isinstance(within, list) or not isinstance(step, int) or step > len(within):
        return None  # no such place: nothing is made up to fill a list
    if step == len(within):
        within.append(value)
    elif anew:
        within[step] = value
    return within[step]
