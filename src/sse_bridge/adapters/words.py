"""What a message says, in all the places and forms in which services put it.

``content`` is text, or a list of typed pieces, of which some are text and some are reasoning (as Mistral and
Anthropic do it). Reasoning is in one of several fields. What a message has in two places is said once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from ..parts import Reasoning
from ..shapes import named
from .base import get, items, text_of

Missed = Callable[[str], None]  # called for something in a message that has to be left out


def ignore(what: str) -> None:
    """Report nothing."""


_THINKING = re.compile("think|thought|reason", re.IGNORECASE)
_TEXTS = ("text", "output_text", "refusal")
# Where a piece has its words, the likeliest first; the ``value`` of a piece of a kind of its own is not text.
_FIELDS = ("text", "thinking", "reasoning", "summary", "refusal", "content", "transcript", "value")


def say_content(content: Any, missed: Missed) -> Iterator[str | Reasoning]:
    """The text and the reasoning in a message's content."""
    if text := text_of(content):
        yield text
    elif isinstance(content, dict) or _is_piece(content):
        yield from _say_piece(content, missed)
    else:
        for piece in items(content):
            yield from say_content(piece, missed)


def say_reasoning(message: Any) -> Iterator[Reasoning]:
    """The reasoning besides the content; services send it twice, for clients of both kinds."""
    for field in (
        "reasoning_content",
        "reasoning",
        "thinking",
        "reasoning_details",
        "thinking_blocks",
    ):
        if words := _all_text(get(message, field)):
            yield Reasoning(words)
            return


def _is_piece(content: Any) -> bool:
    return not isinstance(content, (str, list, tuple)) and isinstance(get(content, "type"), str)


def _say_piece(piece: Any, missed: Missed) -> Iterator[str | Reasoning]:
    kind = text_of(get(piece, "type"))
    is_thinking = _THINKING.search(kind) is not None
    is_known = is_thinking or kind in _TEXTS
    if words := _all_text(piece, _FIELDS if is_known else _FIELDS[:-1]):
        yield Reasoning(words) if is_thinking else words
    elif not is_known:  # the known may be empty
        first = next(iter(piece), None) if isinstance(piece, dict) else None
        missed(f"content of type {named(kind or first)}")


def _all_text(thing: Any, fields: tuple[str, ...] = _FIELDS) -> str:
    """The text in a text, a piece of content, or a list of such."""
    if text := text_of(thing):
        return text
    if isinstance(thing, (list, tuple)):
        return "".join(map(_all_text, thing))
    for field in fields if thing is not None else ():
        if words := _all_text(get(thing, field)):
            return words
    return ""
