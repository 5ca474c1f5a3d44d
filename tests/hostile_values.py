"""Values that somebody may put where a text, a number or a list should be."""

from __future__ import annotations

import datetime
import decimal
import enum
import types
from typing import Any

from hostile_errors import Endless, Number, Words, fail, raising

BREAK_OUT = 'x"}\r\n\r\nevent: evil\ndata: {"evil":1}\n\n'
INJECT = '0,"evil":1'


class Colour(enum.Enum):
    RED = "red\n\ndata: evil\n\n"


class Level(enum.IntEnum):
    ONE = 1


class Text(enum.StrEnum):
    INJECTED = INJECT


class Real(float):
    """A number that shows itself as something else."""

    def __repr__(self) -> str:
        return INJECT

    __str__ = __repr__

    def is_integer(self) -> bool:
        return True

    def __int__(self) -> Any:
        raise RuntimeError("no number")


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


def circle() -> Any:
    value: dict[str, Any] = {}
    value["text"] = value
    return value


def hostile_object() -> Any:
    """Whose every field raises, and whose text is another's."""
    fields = dict.fromkeys(
        ("text", "content", "function", "index", "id", "type"), raising(LookupError("x"))
    )
    return type(
        "Hostile",
        (),
        {**fields, "__str__": lambda self: BREAK_OUT, "__eq__": fail(LookupError("x"))},
    )()


HOSTILE: dict[str, Any] = {
    **{repr(value): value for value in (None, True, False, 0, 1, -1, 5, 1.0, 1.5, -0.0)},
    **{repr(value): value for value in (float("nan"), float("inf"), float("-inf"), 1e308)},
    **{
        repr(value)[:40]: value
        for value in ("", "0", "1", "٣", "²", "true", "null", "error", "NaN", "1e400")
    },
    **{
        repr(value)[:40]: value
        for value in ("\0", "\r", "\n\n", "\u2028", "\x85", "\ud83d", "\udc00x", "\x1b[2J")
    },
    "2**53": 2**53,
    "400 digits": 10**400,
    "5000 digits": 10**5000,
    "a text that breaks out": BREAK_OUT,
    "a text that injects": INJECT,
    "a long text": "x" * 20_000,
    "bytes": b"x\n\ndata: evil\n\n",
    "a decimal": decimal.Decimal("NaN"),
    "a date": datetime.date(2030, 1, 1),
    "an enum": Colour.RED,
    "an enum of numbers": Level.ONE,
    "an enum of texts": Text.INJECTED,
    "a hostile text": Words(INJECT),
    "a hostile number": Number(1),
    "a hostile real": Real(1),
    "a list": [INJECT],
    "a list of nothing": [None],
    "an empty list": [],
    "a tuple": (INJECT, 1),
    "a dict": {"text": INJECT, "evil": 1},
    "a dict of odd keys": {None: 1, 2: 3, INJECT: 4, True: 5, 1.5: 6},
    "an empty dict": {},
    "a set": {1},
    "a deep list": nested(300),
    "a circle": circle(),
    "an object": object(),
    "a namespace": types.SimpleNamespace(text=BREAK_OUT, evil=1),
    "a hostile object": hostile_object(),
    "an endless object": Endless(),
    "an error": RuntimeError(BREAK_OUT),
    "a function": print,
    "a type": int,
}
