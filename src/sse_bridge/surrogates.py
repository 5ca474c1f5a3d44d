"""Lone surrogates: halves of a character beyond U+FFFF that a source has split.

In JSON such a character is a pair of surrogates, and services cut their text between tokens: so a chunk may end
with one half, and the next begin with the other. UTF-8 can encode neither.

Rules of this file:

1. Two halves that meet become the character that they are, across chunks too.
2. One that stays alone becomes U+FFFD: a model's text never ends a stream.
3. Each text is joined by itself: a choice's answer, its reasoning, the arguments of each of its calls.
4. Each half is looked at twice, when it comes and when it goes, however many texts there are.
"""

from __future__ import annotations

from typing import cast

from .parts import Choice, Finish, Native, Part, Reasoning, ToolCall

_LONE = "\ufffd"


def whole(text: str) -> str:
    """The text with its halves put together, and U+FFFD for each that is alone."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Pieces:
    """A text that comes in pieces: a half at the end of one waits for the next."""

    def __init__(self, half: str = "") -> None:
        self.half = half  # of a character, that waits

    def add(self, text: str) -> str:
        """The text so far that is whole; a half at its end is kept back."""
        text = self.half + text
        is_cut = "\ud800" <= text[-1:] <= "\udbff"
        self.half = text[-1] if is_cut else ""
        return whole(text[:-1] if is_cut else text)

    def rest(self) -> str:
        """U+FFFD for a half that stayed alone, else nothing."""
        half, self.half = self.half, ""
        return _LONE if half else ""


class Halves:
    """One stream's texts, each of which may have ended with half a character; only such are kept."""

    def __init__(self) -> None:
        # By choice and by place in it: the part that ended so, and its half.
        self._waiting: dict[int, dict[tuple[type, int], tuple[Part, str]]] = {}

    def mend(self, part: Part) -> list[Part]:
        """The part as UTF-8 can encode it, after what has waited for it."""
        choice, inner = (part.number, part.part) if type(part) is Choice else (0, part)
        if type(inner) is bytes or (type(inner) is Native and inner.speaks):
            # Whole, and not its other half.
            return [*self.rest(), part]
        if type(inner) is Finish:
            return [*self.rest(choice), _mended(part, whole(inner.reason))]
        text = _text_of(inner)
        if text is None:
            return [part]
        place = (type(inner), inner.number if type(inner) is ToolCall else 0)
        text = self._put_together(choice, place, part, text)
        says_more = type(inner) is ToolCall and (inner.id or inner.name)
        return [_mended(part, text)] if text or says_more else []

    def rest(self, choice: int | None = None) -> list[Part]:
        """The halves that stayed alone, of one choice or of all, when nothing more will come there."""
        if choice is None:
            places, self._waiting = [*self._waiting.values()], {}
        else:
            places = [self._waiting.pop(choice, {})]
        return [_continued(part) for waiting in places for part, _ in waiting.values()]

    def _put_together(self, choice: int, place: tuple[type, int], part: Part, text: str) -> str:
        waiting = self._waiting.get(choice, {})
        _, half = waiting.pop(place, (part, ""))
        pieces = Pieces(half)
        text = pieces.add(text)
        if pieces.half:
            self._waiting.setdefault(choice, waiting)[place] = (part, pieces.half)
        return text


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
        return part._replace(reason=text)
    if type(part) is ToolCall:
        id_, name = (word and whole(word) for word in (part.id, part.name))
        return ToolCall(part.number, id_, name, text)
    return cast("Part", text)


def _continued(part: Part) -> Part:
    """A part that continues this one, with a half that stayed alone."""
    if type(part) is Choice:
        return part._replace(part=_continued(part.part))
    if type(part) is ToolCall:
        return ToolCall(part.number, None, None, _LONE)
    return _mended(part, _LONE)
