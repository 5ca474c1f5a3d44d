"""Checks of the user's own adapters and dialects against their protocols: an error names what is wrong.

The package's own are trusted, and pay nothing for it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar, get_args

from .adapters.base import Adapter, Parts, Reader
from .adapters.given import YIELDED, check_fields, sendable
from .dialects.base import Dialect
from .objects import object_json
from .parts import Choice, Native, Origin, Part
from .shapes import noted

_PARTS = get_args(Part)
_OF_A_DIALECT = ("name", "headers", "passes", "takes_objects")
_ADAPTER = "adapter must be a name or an Adapter"
_DIALECT = "dialect must be a name or a Dialect"


def check_adapter(adapter: Any) -> Adapter:
    """The adapter; raises `TypeError` for what is not an Adapter."""
    if isinstance(adapter, type):
        raise TypeError(f"{_ADAPTER}, got the class itself: did you mean {adapter.__name__}(...)?")
    if not callable(getattr(adapter, "reader", None)):
        raise TypeError(f"{_ADAPTER}, with a method `reader`, got {adapter!r}")
    made: Adapter = adapter
    return made


def check_dialect(dialect: Any) -> Dialect:
    """The dialect; raises `TypeError` for what is not a Dialect."""
    if isinstance(dialect, type):
        raise TypeError(f"{_DIALECT}, got the class itself: did you mean {dialect.__name__}(...)?")
    if not callable(getattr(dialect, "voice", None)):
        raise TypeError(f"{_DIALECT}, with a method `voice`, got {dialect!r}")
    for name in _OF_A_DIALECT:
        if not hasattr(dialect, name):
            raise TypeError(f"{_DIALECT}, with an attribute `{name}`, got {dialect!r}")
    made: Dialect = dialect
    return made


def checked_reader(adapter: Adapter, reader: Any) -> Reader:
    """The reader that this adapter has made; raises `TypeError` for what is not a Reader."""
    if _is_ours(reader):
        made: Reader = reader
        return made
    for name in ("read", "end"):
        if not callable(getattr(reader, name, None)):
            raise TypeError(
                f"{adapter!r}.reader() must return a Reader, with a method `{name}`, got {reader!r}"
            )
    return _CheckedReader(reader)


def checked_voice(dialect: Dialect, voice: Any) -> Any:
    """The voice that this dialect has made; raises `TypeError` for what cannot be called."""
    if _is_ours(voice):
        return voice
    if not callable(voice):
        raise TypeError(f"{dialect!r}.voice() must return a callable, got {voice!r}")
    return _CheckedVoice(voice)


def _is_ours(thing: Any) -> bool:
    return _is_one_of_ours(type(thing))  # type: ignore[arg-type] # a type can be hashed, whatever mypy thinks


@lru_cache(maxsize=64)
def _is_one_of_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] == __package__


class _CheckedReader:
    """Wraps a user's Reader: what it returns are parts, or an error says what they are instead."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def read(self, chunk: Any) -> Parts:
        return _parts(self._reader.read, self._reader.read(chunk))

    def end(self) -> Parts:
        return _parts(self._reader.end, self._reader.end())


def _parts(method: Callable[..., Any], given: Any) -> Parts:
    is_sequence = isinstance(given, (tuple, list)) and not isinstance(given, _PARTS)
    if not is_sequence or not all(isinstance(part, _PARTS) for part in given):
        raise TypeError(f"{_named(method)} must return a tuple of parts, got {noted(given)}")
    for part in given:
        _check(method, part)
    return tuple(
        sendable(part, object_json) if isinstance(part, YIELDED) else part for part in given
    )


def _check(method: Callable[..., Any], part: Any) -> None:
    """Raise for a part that dialects cannot say."""
    check_fields(_named(method), part)
    _check_line(method, part if type(part) is bytes else getattr(part, "json", b""))
    for inner in _inside(part):
        if not isinstance(inner, _PARTS):
            raise TypeError(
                f"{_named(method)}: a part is within {type(part).__name__}, got {noted(inner)}"
            )
        _check(method, inner)


def _check_line(method: Callable[..., Any], line: bytes) -> None:
    if b"\n" in line or b"\r" in line:
        raise ValueError(f"{_named(method)} must return JSON of one line, got {noted(line)}")


def _inside(part: Any) -> tuple[Any, ...]:
    """The parts within a part."""
    if type(part) is Choice:
        return (part.part,)
    return part.parts if type(part) is Native else ()


class _CheckedVoice:
    """Wraps a user's voice: what it returns are bytes, or an error says what it is instead."""

    # A voice's own `one_frame` would bypass the checks.
    one_frame: ClassVar[dict[type, Any]] = {}

    def __init__(self, voice: Callable[[Part], bytes]) -> None:
        self._voice = voice

    def __call__(self, part: Part) -> bytes:
        if type(part) is Origin and not hasattr(self._voice, "origin"):
            return b""  # not everybody asks whose answer it is
        said = self._voice(part)
        if not isinstance(said, (bytes, bytearray)):
            raise TypeError(
                f"{_named(self._voice)} must return bytes for {noted(part)}, got {noted(said)}"
            )
        return bytes(said)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._voice, name)


def _named(method: Callable[..., Any]) -> str:
    return getattr(method, "__qualname__", None) or repr(method)
