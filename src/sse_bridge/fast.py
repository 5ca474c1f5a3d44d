"""orjson, for the values that it writes byte for byte as json does: what the extra `[fast]` brings.

1. It is not loaded before the first object is written, and never with ``SSE_BRIDGE_ORJSON=0``.
2. What it refuses, json writes or refuses: so it is configured to refuse as much as it can.
3. What it would write differently is found by `agrees`, which looks at every value after orjson has.
   Cycles, great depth and keys that are not strings do not get that far: orjson refuses them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

_ALLOWED = os.environ.get("SSE_BRIDGE_ORJSON") != "0"
_SAME = frozenset({str, int, bool, type(None)})

Dumps = Callable[[Any, None, int], bytes]


def load() -> tuple[Dumps, int] | None:
    """Return orjson's ``dumps`` and the options to call it with, or None where it is not available.

    Its output then ends with a line feed, which is to be cut off.
    """
    if not _ALLOWED:
        return None
    try:
        import orjson
    except ImportError:
        return None
    options = (
        orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS
        | orjson.OPT_APPEND_NEWLINE
    )
    return orjson.dumps, options


def agrees(values: Iterable[Any]) -> bool:
    """Whether json would write these values as orjson did.

    The two differ on NaN, on infinity, on floats that need an exponent, and on the types that orjson adds.
    """
    for value in values:
        kind = type(value)
        if kind in _SAME:
            continue
        if kind is float:
            if not (1e-4 <= value < 1e16 or -1e16 < value <= -1e-4 or value == 0):
                return False
        elif kind is dict:
            if not agrees(value.values()):
                return False
        elif kind is list or kind is tuple:
            if not agrees(value):
                return False
        else:
            return False
    return True
