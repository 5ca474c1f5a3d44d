"""Whose stream it is: the keys that `max_streams_per` gives, and what it must be itself."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

Key = str | int  # the same for the same user, on any process and at any time


def key_maker(maker: Any, max_streams: int | None) -> Callable[[Any], Any] | None:
    """What was given as `max_streams_per`; raises `TypeError` for what is async, or without a number."""
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
    """What `max_streams_per` gave; raises `TypeError` for what is no key.

    An object is none: its hash may be its address, another for each request, or change before it is given back.
    """
    kind = type(key)  # its `__class__` may be another's: Flask's proxies say so
    if key is None or (issubclass(kind, (str, int)) and kind is not bool):
        made: Key | None = key
        return made
    if inspect.iscoroutine(key):
        key.close()
    raise TypeError(f"max_streams_per must give a str, an int or None, got a {kind.__name__}")
