"""Halves of characters: a character beyond U+FFFF that a source cut in two.

In JSON such a character is a pair of surrogates, and services cut their text between tokens: so a chunk may end
with one half, and the next begin with the other. UTF-8 can carry neither.

Rules of this file:

1. Two halves that meet become the character that they are, across chunks too.
2. One that stays alone becomes U+FFFD: a model's text never ends a stream.
3. Each text goes its own way: a choice's answer, its reasoning, the arguments of each of its calls.
"""

from __future__ import annotations

from typing import cast

from .parts import Choice, Finish, Part, Reasoning, ToolCall

_LONE = "\ufffd"


def whole(text: str) -> str:
    """The text with its halves put together, and U+FFFD for each that is alone."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Halves:
    """The halves that one stream's texts have ended with, each waiting for the other."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[int, type, int], tuple[Part, str]] = {}

    def __bool__(self) -> bool:
        """Whether any is waiting: then every part is to be mended."""
        return bool(self._waiting)

    def mend(self, part: Part) -> list[Part]:
        """The part as UTF-8 can carry it, behind what has waited for it."""
        choice, inner = (part.number, part.part) if type(part) is Choice else (0, part)
        if type(inner) is Finish:
            return [*self.rest(choice), _mended(part, whole(inner.reason))]
        text = _text_of(inner)
        if text is None:
            return [part]
        place = (choice, type(inner), inner.number if type(inner) is ToolCall else 0)
        _, half = self._waiting.pop(place, (None, ""))
        text = half + text
        if "\ud800" <= text[-1:] <= "\udbff":
            self._waiting[place] = part, text[-1]
            text = text[:-1]
        says_more = type(inner) is ToolCall and (inner.id or inner.name)
        return [_mended(part, whole(text))] if text or says_more else []

    def rest(self, choice: int | None = None) -> list[Part]:
        """What stayed alone, of one choice or of all: nothing more will come there."""
        places = [place for place in self._waiting if choice is None or place[0] == choice]
        return [_continued(self._waiting.pop(place)[0]) for place in places]


def _text_of(part: Part) -> str | None:
    if type(part) is str:
        return part
    if type(part) is Reasoning:
        return part.text
    return part.arguments if type(part) is ToolCall else None


def _mended(part: Part, text: str) -> Part:
    """The same part with this text."""
    if type(part) is Choice:
        return part._replace(part=_mended(part.part, text))
    if type(part) is Reasoning:
        return Reasoning(text)
    if type(part) is Finish:
        return Finish(text)
    if type(part) is ToolCall:
        id_, name = (word and whole(word) for word in (part.id, part.name))
        return ToolCall(part.number, id_, name, text)
    return cast("Part", text)


def _continued(part: Part) -> Part:
    """What follows on this part: a half that stayed alone."""
    if type(part) is Choice:
        return part._replace(part=_continued(part.part))
    if type(part) is ToolCall:
        return ToolCall(part.number, None, None, _LONE)
    return _mended(part, _LONE)
