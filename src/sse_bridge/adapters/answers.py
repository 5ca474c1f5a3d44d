"""One choice of a model's answer: what a chunk adds to it.

Rules of this file:

1. Words come in ``delta``; where a service has none there, in ``message``, or in the choice itself.
2. A ``message`` behind deltas is the whole answer again: of that, only what goes on where the deltas ended is news.
3. What is said in two places of one chunk is said once, and so is a reason to finish by chunks of one id.
4. Behind a reason to finish, words of another id are of another call of the model, within the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..objects import OBJECTS, ObjectWriter
from ..parts import Finish, Part, Reasoning
from ..shapes import named
from .base import Numbering, get, real_reason, text_of
from .calls import Calls
from .refusals import is_failed_finish
from .words import Missed, ignore, say_content, say_reasoning

ELSEWHERE = ("message", "text", "content", "messages")  # where a choice may have its words instead


class Answer:
    """One choice, as far as it has come; `objects` writes arguments that are not text."""

    __slots__ = (
        "_calls",
        "_finish",
        "_has_deltas",
        "_length",
        "_thought",
        "spoke",
        "turn",
    )

    def __init__(self, objects: ObjectWriter = OBJECTS, numbering: Numbering | None = None) -> None:
        self.spoke = False
        self.turn = 0  # which call of the model speaks
        self._calls = Calls(objects, numbering)
        self._has_deltas = False
        self._length = 0  # characters of text
        self._thought = False
        self._finish: tuple[str, str] | None = None

    @property
    def is_finished(self) -> bool:
        """Whether it gave a finish reason, or said nothing at all."""
        return self._finish is not None or not self.spoke

    @property
    def waits(self) -> bool:
        """Whether it told a reason to finish: what comes now may be of another call of the model."""
        return self._finish is not None

    def hear(self, words: str | Reasoning) -> None:
        """Note the text of a delta that has nothing else."""
        self.spoke = self._has_deltas = True
        if type(words) is str:
            self._length += len(words)
        else:
            self._thought = True

    def say(self, choice: Any, id_: Any, missed: Missed) -> Iterator[Part]:
        """What a choice of the chunk with this id says that is news, its reason to finish last."""
        if self._is_another(text_of(id_), choice):
            self._begin_another()
        yield from self._noted(self._news(choice, missed))
        reason = real_reason(get(choice, "finish_reason"))
        if reason and not is_failed_finish(reason) and self._finish != (text_of(id_), reason):
            self._finish = (text_of(id_), reason)
            self.spoke = True
            yield Finish(reason)

    def _is_another(self, id_: str, choice: Any) -> bool:
        """Whether this is of another call of the model, within the same answer."""
        if self._finish is None or (id_ and id_ == self._finish[0]):
            return False
        delta = get(choice, "delta")
        return any(get(delta, field) for field in _WORDS)

    def _begin_another(self) -> None:
        """The model was called once more: what it says is news, and its calls come behind the others."""
        self.turn += 1
        self._has_deltas = self._thought = False
        self._length, self._finish = 0, None
        self._calls = self._calls.others()

    def _news(self, choice: Any, missed: Missed) -> Iterator[Part]:
        delta, message = get(choice, "delta"), get(choice, "message")
        if has_words(delta):
            self._has_deltas = True
            return self._message(delta, choice, missed)
        if self._has_deltas and message is not None:
            return self._more(message)
        return self._message(delta if message is None else message, choice, missed)

    def _message(self, message: Any, choice: Any, missed: Missed) -> Iterator[Part]:
        said = False
        for part in self._of_message(message, missed):
            said = True
            yield part
        # Legacy completions have their text here, and some gateways the content.
        for field in () if said else ELSEWHERE[1:]:
            yield from say_content(get(choice, field), missed)

    def _of_message(self, message: Any, missed: Missed) -> Iterator[Part]:
        yield from say_words(message, missed)
        calls = get(message, "tool_calls")
        yield from self._calls.say(calls)
        if not calls:
            yield from self._calls.say_legacy(get(message, "function_call"))

    def _more(self, message: Any) -> Iterator[Part]:
        """The part of the whole answer that was not said yet."""
        words = [*say_content(_content(message), ignore)]
        thoughts = [part for part in words if type(part) is Reasoning]
        if not self._thought:
            yield from thoughts or say_reasoning(message)
        text = "".join(part for part in words if isinstance(part, str))
        if len(text) > self._length:
            yield text[self._length :]
        yield from self._calls.say_others(get(message, "tool_calls"))

    def _noted(self, parts: Iterator[Part]) -> Iterator[Part]:
        for part in parts:
            self.spoke = True
            if isinstance(part, str):
                self._length += len(part)
            elif type(part) is Reasoning:
                self._thought = True
            yield part


def say_words(message: Any, missed: Missed) -> Iterator[str | Reasoning]:
    """What a message says besides its calls; reports what has to be left out."""
    yield from say_reasoning(message)
    # A refusal is what the user is told instead of an answer.
    for content in (_content(message), get(message, "refusal")):
        yield from say_content(content, missed)
    yield from say_content(get(get(message, "audio"), "transcript"), missed)
    _look_at_message(message, missed)


def has_words(delta: Any) -> bool:
    """Whether there is anything in a delta besides the role."""
    if delta is None or isinstance(delta, (str, list, tuple)):
        return bool(delta)
    return any(value and name not in ("role", "error") for name, value in fields_of(delta))


def _content(message: Any) -> Any:
    """A message's content; some services send the content in place of a message."""
    return message if isinstance(message, (str, list, tuple)) else get(message, "content")


def fields_of(thing: Any) -> Iterator[tuple[str, Any]]:
    """The fields of a dict or an object, including those that a pydantic class does not name."""
    if isinstance(thing, dict):
        yield from thing.items()
        return
    yield from getattr(thing, "__dict__", {}).items()
    yield from (getattr(thing, "__pydantic_extra__", None) or {}).items()


# Those of a delta that say something.
_WORDS = (
    *("content", "reasoning_content", "reasoning", "thinking"),
    *("tool_calls", "function_call", "refusal", "audio"),
)

# The fields that are read, that mean nothing to a client, or that only repeat other fields.
_READ = frozenset(
    {
        "annotations",
        "audio",
        "content",
        "error",
        "function_call",
        "obfuscation",
        "provider_specific_fields",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "refusal",
        "role",
        "thinking",
        "thinking_blocks",
        "tool_calls",
    }
)


def look_for_more(thing: Any, known: frozenset[str], missed: Missed) -> None:
    """Report the fields that say something and are none of those."""
    for name, value in fields_of(thing):
        if value and name not in known and not name.startswith("_"):
            missed(f"the field {named(name)}")


def _look_at_message(message: Any, missed: Missed) -> None:
    look_for_more(message, _READ, missed)
    if get(get(message, "audio"), "data"):
        missed("the audio")
