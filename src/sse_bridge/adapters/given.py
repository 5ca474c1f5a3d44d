"""Parts that somebody else has made: a source among its chunks, or an adapter of a user's own.

Rules of this file:

1. Each field is looked at: dialects write numbers and lines as they are.
2. A value that may be anything becomes one line of JSON here, where it was given: it may change later.
3. Half a character cannot be sent. In text it waits for its other half, elsewhere it becomes U+FFFD.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..parts import (
    Approval,
    Choice,
    Data,
    File,
    Finish,
    Frame,
    Metadata,
    Native,
    Origin,
    Raw,
    Reasoning,
    Source,
    Step,
    ToolCall,
    ToolResult,
    Usage,
    Value,
)
from ..shapes import noted
from ..surrogates import whole
from .base import NUMBERS

YIELDED = (
    *(Reasoning, ToolCall, ToolResult, Approval, Source, File, Data, Step, Metadata),
    *(Finish, Usage),
)
_COUNT = int | None

FIELDS: dict[type, dict[str, Any]] = {
    Origin: {"id": str, "created": _COUNT, "model": str},
    Reasoning: {"text": str},
    ToolCall: {"number": int, "id": str | None, "name": str | None, "arguments": str},
    ToolResult: {"id": str, "error": str | None, "preliminary": bool},
    Approval: {"id": str, "call_id": str},
    Source: {"url": str, "title": str | None, "id": str | None},
    File: {"url": str, "media_type": str, "name": str | None},
    Data: {"name": str, "id": str | None, "transient": bool},
    Step: {"name": str | None},
    Finish: {"reason": str, "final": bool},
    Usage: {
        "input_tokens": int,
        "output_tokens": int,
        "total_tokens": int,
        "final": bool,
        "cached_tokens": _COUNT,
        "reasoning_tokens": _COUNT,
    },
    Value: {"json": bytes},
    Native: {"json": bytes, "finish_reason": str | None, "usage": Usage | None, "parts": tuple},
    Choice: {"number": int},
    Frame: {"data": bytes},
    Raw: {"data": bytes},
}
# What may be any JSON value.
_VALUES: dict[type, str] = {ToolResult: "output", Data: "value", Metadata: "value"}
_PIECES = (Reasoning, ToolCall)  # whose text may end with half a character


def yielded(part: Any, write: Callable[[Any], bytes]) -> Any:
    """The part that a source has yielded, as it can be sent; `write` makes one line of JSON.

    Raises `TypeError` for a field of another type, `ValueError` for a number that no call has, and what `write`
    raises.
    """
    check_fields("the source", part)
    if type(part) is ToolCall and part.number >= NUMBERS:
        raise ValueError(
            f"an answer has fewer than {NUMBERS} calls, got ToolCall.number {part.number}"
        )
    return sendable(part, write)


def sendable(part: Any, write: Callable[[Any], bytes]) -> Any:
    """The part with its value as one line of JSON, and without halves of characters but in text."""
    if type(part) in _PIECES:
        return part
    if (field := _VALUES.get(type(part))) is not None:
        part = part._replace(**{field: write(getattr(part, field))})
    texts = {field: whole(text) for field, text in part._asdict().items() if isinstance(text, str)}
    return part._replace(**texts)


def check_fields(giver: str, part: Any) -> None:
    """Raise `TypeError` for a field of another type than it is to have."""
    for name, kinds in FIELDS.get(type(part), {}).items():
        value = getattr(part, name)
        if not _is_right(value, kinds):
            named = "an int of 0 or more" if kinds is int else kinds
            raise TypeError(
                f"{giver}: {type(part).__name__}.{name} must be {named}, got {noted(value)}"
            )


def _is_right(value: Any, kinds: Any) -> bool:
    if kinds is int or (kinds is _COUNT and value is not None):
        return type(value) is int and value >= 0
    return isinstance(value, kinds)
