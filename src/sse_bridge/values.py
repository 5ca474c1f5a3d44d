"""Checks of the options' values: what is wrong is named, and shown."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from math import inf
from typing import Any, Literal

PingForm = Literal["line", "block"] | None


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, got {value!r}")
    if math.isnan(value) or value < 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return float(value)


def seconds(name: str, value: Any) -> float:
    """Seconds; ``inf`` for None."""
    return inf if value is None else _number(name, value)


def patience(name: str, value: Any) -> float:
    """A timeout in seconds; ``inf`` for None; 0 is refused."""
    limit = seconds(name, value)
    if limit == 0:
        raise ValueError(f"{name} must be more than 0, or None for no limit, got {value!r}")
    return limit


def cleanup(value: Any) -> float:
    """The seconds of `cleanup_timeout`, which must end at some time."""
    if value is None:
        raise TypeError("cleanup_timeout must be a number of seconds, got None")
    return _number("cleanup_timeout", value)


def count(name: str, value: Any) -> int | None:
    """A number of things, or of milliseconds; None stays."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an int or None, got {value!r}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    return value


def callback(name: str, value: Any) -> Callable[..., Any] | None:
    """What is called later; None stays."""
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")
    made: Callable[..., Any] | None = value
    return made


def describer(value: Any) -> Callable[[BaseException, str], Any] | None:
    """`describe`, to be called with exception and code, also where it takes the exception only."""
    describe = callback("describe", value)
    if describe is None:
        return None
    takes = _takes(describe)
    if takes == 0:
        raise TypeError(
            f"describe must take an exception, or an exception and its code, got {value!r}"
        )
    return describe if takes == 2 else lambda error, _: describe(error)


def _takes(describe: Callable[..., Any]) -> int:
    """With how many arguments it can be called, 1 or 2; 0 for neither."""
    try:
        signature = inspect.signature(describe)
    except (TypeError, ValueError):  # a builtin's
        return 1
    # A second parameter with a default is often a value that a lambda has bound, not a place for the code.
    for number in (1, 2):
        try:
            signature.bind(*range(number))
            return number
        except TypeError:
            pass
    return 0


def pinged(value: Any) -> PingForm:
    """How a keep-alive ends."""
    if value not in (None, "line", "block"):
        raise ValueError(f'ping_form must be "line", "block" or None, got {value!r}')
    form: PingForm = value
    return form
