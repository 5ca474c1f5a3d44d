"""Whose stream it is: checks of `max_streams_per`, and of the keys that it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Key = str | int  # the same for the same user, on any process and at any time


def key_maker(maker: Any, max_streams: int | None) -> Callable[[Any], Any] | None:
    """The callable given as `max_streams_per`; raises `TypeError` if it is async, or `max_streams` is missing."""
    if maker is None:
        return None
    if not callable(maker):
        raise TypeError(f"max_streams_per must be callable or None, got {maker!r}")
    if inspect.iscoroutinefunction(maker) or inspect.iscoroutinefunction(type(maker).__call__):
        raise TypeError(f"max_streams_per must not be async, got {maker!r}")
    if max_streams is None:
        raise TypeError("max_streams_per needs max_streams, the number for each key, got None")
    made: Callable[[Any], Any] = maker
    return made


def checked_key(key: Any) -> Key | None:
    """The key that `max_streams_per` returned; raises `TypeError` for what is not a valid key.

    An object is not: its hash may be its address, different for each request, or change before it is released.
    """
    kind = type(key)  # its `__class__` may be another's: Flask's proxies say so
    if key is None or (issubclass(kind, (str, int)) and kind is not bool):
        made: Key | None = key
        return made
    if inspect.iscoroutine(key):
        key.close()
    raise TypeError(f"max_streams_per must return a str, an int or None, got a {kind.__name__}")
