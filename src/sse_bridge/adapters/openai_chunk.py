"""One chunk of chat.completions: what it says, whether it is one, and whether OpenAI's own clients can read it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..failures import UpstreamError
from ..parts import Choice, Finish, Origin, Part, Reasoning, ToolCall
from ..surrogates import whole
from .base import get, items, number_of, real_reason, text_of
from .calls import Calls
from .refusals import error_in, refusal_in, told_failure
from .words import ignore, say_content, say_reasoning

CHUNK, WHOLE = "chat.completion.chunk", "chat.completion"

# Beside the words, these may tell something more.
_TELLING = frozenset({"error", "x_groq"})
_TELLING_OF_CHOICE = frozenset({"error", "usage", "message", "text"})


def mere_words(chunk: Any) -> str | Reasoning | None:
    """The text, or the thinking, of a chunk that surely says and tells nothing else; None for any other."""
    try:  # asked as what they nearly always are: `get` would look at the kind of each, at twice the cost
        return _words_of_dict(chunk) if isinstance(chunk, dict) else _words_of_model(chunk)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _words_of_dict(chunk: dict[str, Any]) -> str | Reasoning | None:
    [choice] = chunk["choices"]
    told = chunk.get("usage") or choice.get("index") or choice.get("finish_reason")
    if told or chunk["object"] != CHUNK or not _TELLING.isdisjoint(chunk):
        return None
    return _words_in(choice["delta"]) if _TELLING_OF_CHOICE.isdisjoint(choice) else None


def _words_of_model(chunk: Any) -> str | Reasoning | None:
    """The same of a pydantic object, which keeps apart the fields that its class does not name."""
    [choice] = chunk.choices
    delta = choice.delta
    if choice.index or choice.finish_reason or chunk.__dict__.get("usage") or chunk.object != CHUNK:
        return None
    more, more_of_choice = chunk.__pydantic_extra__, choice.__pydantic_extra__
    if (more and not _TELLING.isdisjoint(more)) or (
        more_of_choice and not _TELLING_OF_CHOICE.isdisjoint(more_of_choice)
    ):
        return None
    fields, more = delta.__dict__, delta.__pydantic_extra__
    if more:
        return _words_in({**fields, **more})
    text = fields["content"]
    if fields["tool_calls"] or fields["refusal"] or fields["function_call"] or fields.get("audio"):
        return None
    return text if text and type(text) is str else None


def _words_in(delta: dict[str, Any]) -> str | Reasoning | None:
    words: str | Reasoning | None = None
    for name, value in delta.items():
        if not value or name == "role":
            continue
        if words is not None or type(value) is not str:
            return None
        if name == "content":
            words = value
        elif name == "reasoning_content":
            words = Reasoning(value)
        else:
            return None
    return words


def say_choice(choice: Any, calls: Calls, missed: Callable[[str], None]) -> Iterator[Part]:
    """What one choice says, its reason to finish last."""
    message = get(choice, "delta")
    if message is None:
        message = get(choice, "message")
    if text := text_of(message):
        yield text
    yield from say_reasoning(message)
    # A refusal is what the user is told instead of an answer; legacy completions have their text here.
    for content in (get(message, "content"), get(message, "refusal"), get(choice, "text")):
        yield from say_content(content, missed)
    yield from say_content(get(get(message, "audio"), "transcript"), missed)
    yield from calls.say(get(message, "tool_calls"))
    yield from calls.say_legacy(get(message, "function_call"))
    _look_for_more(message, missed)
    reason = real_reason(get(choice, "finish_reason"))
    if reason and reason != "error":
        yield Finish(reason)


# What is read, what says nothing to a client, and what only repeats other fields.
_READ = frozenset(
    {
        "annotations",
        "audio",
        "content",
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


def _look_for_more(message: Any, missed: Callable[[str], None]) -> None:
    fields = message if isinstance(message, dict) else getattr(message, "__pydantic_extra__", None)
    for name, value in (fields or {}).items():
        if value and name not in _READ:
            missed(f"the field {name!r:.40}")
    if get(get(message, "audio"), "data"):
        missed("the audio")


def failure_of(chunk: Any) -> UpstreamError | None:
    """The failure that a chunk tells; None where it tells none."""
    if (error := error_in(chunk)) is not None:
        return error
    choices = items(get(chunk, "choices"))
    for choice in choices:
        if get(choice, "finish_reason") == "error":
            return told_failure(get(choice, "error"))
    return None if choices else refusal_in(chunk)


class Told(NamedTuple):
    """What a relayed frame's data tells: whether a word, whether a reason to finish, and a failure, if any."""

    speaks: bool
    finishes: bool = False
    failure: UpstreamError | None = None


def told_in(data: bytes) -> Told:
    """What the data of a frame tells that may be a chunk of OpenAI's."""
    try:
        chunk = json.loads(data)
    except ValueError:
        return Told(speaks=data not in (b"", b"[DONE]"))
    if not looks_like_openai(chunk):
        return Told(speaks=chunk != {}, failure=refusal_in(chunk))
    choices = items(get(chunk, "choices"))
    said = [part for choice in choices for part in say_choice(choice, Calls(), ignore)]
    finishes = any(type(part) is Finish for part in said)
    return Told(bool(said) or bool(get(chunk, "usage")), finishes, failure_of(chunk))


def origin_of(chunk: Any) -> Iterator[Origin]:
    """Whose chunk it is, if it tells."""
    id_, created, model = (get(chunk, field) for field in ("id", "created", "model"))
    if isinstance(id_, str) and isinstance(created, int) and isinstance(model, str):
        yield Origin(whole(id_), int(created), whole(model))


def speaks_protocol(chunk: Any, said: list[Part]) -> bool:
    """Whether a client of OpenAI's can read this chunk, of which `said` is what it says."""
    fragments: list[Any] = []
    for choice in items(get(chunk, "choices")):
        delta = get(choice, "delta")
        text, reason = get(delta, "content"), get(choice, "finish_reason")
        if delta is None or isinstance(delta, (str, int, float, list, tuple)):
            return False
        if not isinstance(text, str | None) or not isinstance(reason, str | None):
            return False
        if number_of(get(choice, "index")) != get(choice, "index"):
            return False
        calls = get(delta, "tool_calls")
        if calls is not None and not isinstance(calls, (list, tuple)):
            return False
        fragments += items(calls)
    inner = (part.part if type(part) is Choice else part for part in said)
    told = [part for part in inner if type(part) is ToolCall]
    return len(told) >= len(fragments) and all(map(_is_fragment, fragments, told))


def _is_fragment(fragment: Any, call: ToolCall) -> bool:
    """Whether this is a fragment of that call, as OpenAI numbers and writes them."""
    index, function = get(fragment, "index"), get(fragment, "function")
    is_numbered = isinstance(index, int) and index == call.number
    return is_numbered and isinstance(get(function, "arguments"), str | None)


def without_error(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk's fields, less the service's words for its failure."""
    kept = {name: value for name, value in chunk.items() if name not in ("error", "x_groq")}
    if isinstance(choices := kept.get("choices"), list):
        kept["choices"] = [without_error(c) if isinstance(c, dict) else c for c in choices]
    return kept


def looks_like_openai(chunk: Any) -> bool:
    """Whether this has the shape of a chunk of completions, or of an error that came as one."""
    if get(chunk, "object") in (CHUNK, WHOLE, "text_completion"):
        return True
    if isinstance(chunk, dict):
        is_error = chunk.get("object") == "error"
        return "choices" in chunk and (is_error or _are_choices(chunk["choices"], chunk))
    choices = getattr(chunk, "choices", _MISSING)
    if isinstance(choices, list):  # Azure's first chunk has none, and names no object
        return hasattr(choices[0], "delta") if choices else hasattr(chunk, "model")
    return choices is None and get(chunk, "object") == "error"


def _are_choices(choices: Any, chunk: dict[str, Any]) -> bool:
    """Whether a dict that does not say so is a chunk: an app's own dict may have choices, too."""
    if not choices:
        return not _OF_CHUNKS.isdisjoint(chunk)
    first = items(choices)[0] if items(choices) else None
    if not isinstance(first, dict):
        return False
    messages = (first.get("delta"), first.get("message"))
    return any(isinstance(message, dict) for message in messages) or (
        "text" in first and "finish_reason" in first
    )


def has_choices(chunk: Any) -> bool:
    """Whether it has a place for them, filled or not."""
    return "choices" in chunk if isinstance(chunk, dict) else hasattr(chunk, "choices")


_OF_CHUNKS = frozenset({"created", "error", "id", "model", "usage"})
_MISSING = object()
