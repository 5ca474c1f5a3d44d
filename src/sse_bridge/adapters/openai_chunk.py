"""One chunk of chat.completions: how to recognize it, what it says, whether OpenAI's own clients can read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..failures import UpstreamError
from ..objects import has_more_than_keys, tells_its_fields
from ..parts import Finish, Origin, Part, Reasoning, ToolCall, inner_of
from ..surrogates import whole
from .answers import ELSEWHERE, Answer, has_words, look_for_more
from .base import get, items, number_of, text_of
from .refusals import error_of_chunk, is_failed_finish, refusal_in, told_failure
from .words import Missed, ignore

CHUNK, WHOLE = "chat.completion.chunk", "chat.completion"

_TELLING = ("base_resp", "error", "x_groq")  # where services report something besides the choices


_NUMBERS, _TEXTS = (int, type(None)), (str, type(None))


def mere_words(chunk: Any) -> str | Reasoning | None:
    """The text, or the reasoning, of a chunk that surely has nothing else in it; None for any other."""
    try:  # asked as what they nearly always are: `get` would look at the kind of each, at twice the cost
        if not isinstance(chunk, dict):
            return _words_of_model(chunk)
        # One that has more than its keys is not surely mere words.
        has_more = type(chunk) is not dict and has_more_than_keys(type(chunk))
        return None if has_more else _words_of_dict(chunk)
    except (AttributeError, LookupError, TypeError, ValueError):
        return None


def _words_of_dict(chunk: dict[str, Any]) -> str | Reasoning | None:
    [choice] = chunk["choices"]
    index, reason = choice.get("index"), choice.get("finish_reason")
    if index or reason or type(index) not in _NUMBERS or type(reason) not in _TEXTS:
        return None
    if (
        chunk.get("usage")
        or chunk["object"] != CHUNK
        or _may_tell(chunk)
        or _choice_may_tell(choice)
    ):
        return None
    return _words_in(choice["delta"])


def _words_of_model(chunk: Any) -> str | Reasoning | None:
    """The same for a pydantic object, which keeps the fields that its class does not name elsewhere."""
    fields, more = chunk.__dict__, chunk.__pydantic_extra__
    [choice] = fields["choices"]
    if fields["object"] != CHUNK or fields.get("usage") or _may_tell(fields):
        return None
    of_choice, more_of_choice = choice.__dict__, choice.__pydantic_extra__
    index, reason = of_choice["index"], of_choice["finish_reason"]
    if index or reason or type(index) not in _NUMBERS or type(reason) not in _TEXTS:
        return None
    if _choice_may_tell(of_choice):
        return None
    if (more and _may_tell(more)) or (more_of_choice and _choice_may_tell(more_of_choice)):
        return None
    delta = of_choice["delta"]
    fields, more = delta.__dict__, delta.__pydantic_extra__
    if more or [*fields.values()].count(None) < len(fields) - 1:
        return _words_in({**fields, **(more or {})})
    text = fields["content"]  # the only field that is anything, or none is
    return text if text and type(text) is str else None


def _may_tell(fields: dict[str, Any]) -> bool:
    """Whether there may be something besides the choices; chained tests, as a set would cost five times as much."""
    return "error" in fields or "x_groq" in fields or "base_resp" in fields


def _choice_may_tell(fields: dict[str, Any]) -> bool:
    return "error" in fields or "usage" in fields or "message" in fields or "text" in fields


def _words_in(delta: dict[str, Any]) -> str | Reasoning | None:
    words: str | Reasoning | None = None
    for name, value in delta.items():
        if not value or name == "role":
            if type(value) not in _TEXTS and name in ("role", "content"):
                return None
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


def told_in_helper(event: Any) -> Any:
    """The chunk within an event of the SDK's helper stream; None if that is none, or has none.

    Such a stream tells each chunk in an event, and what it says again in others: see `HELPERS`.
    """
    chunk = get(event, "chunk") if get(event, "type") == "chunk" else None
    return chunk if chunk is not None and looks_like_openai(chunk) else None


HELPERS = frozenset(
    {
        "content.delta",
        "content.done",
        "logprobs.content.delta",
        "logprobs.content.done",
        "logprobs.refusal.delta",
        "logprobs.refusal.done",
        "refusal.delta",
        "refusal.done",
        "tool_calls.function.arguments.delta",
        "tool_calls.function.arguments.done",
    }
)


def choices_of(chunk: Any) -> Sequence[Any]:
    """Its choices; a dict in place of a list is one."""
    choices = get(chunk, "choices")
    return (choices,) if isinstance(choices, dict) and choices else items(choices)


def failure_of(chunk: Any) -> UpstreamError | None:
    """The failure that a chunk reports; None where it reports none."""
    choices = choices_of(chunk)
    if (error := error_of_chunk(chunk)) is not None:
        return error
    for choice in choices:
        places = (choice, get(choice, "delta"), get(choice, "message"))
        told = next(filter(None, (get(place, "error") for place in places)), None)
        if told is not None or is_failed_finish(get(choice, "finish_reason")):
            return told_failure(told, choice)
    return None if choices else refusal_in(chunk)


# Fields around the choices that say nothing.
_AROUND = frozenset(
    {
        "base_resp",
        "choices",
        "created",
        "error",
        "id",
        "input_sensitive",
        "model",
        "object",
        "obfuscation",
        "output_sensitive",
        "prompt_filter_results",
        "provider",
        "request_id",
        "service_tier",
        "system_fingerprint",
        "timings",
        "usage",
        "x_groq",
    }
)


def look_around(chunk: Any, missed: Missed) -> None:
    """Report the other fields around the choices, which have to be left out."""
    look_for_more(chunk, _AROUND, missed)


class Told(NamedTuple):
    """What a relayed frame's data has in it: whether any words, whether a finish reason, and a failure, if any."""

    speaks: bool
    finishes: bool = False
    failure: UpstreamError | None = None


def told_in(data: bytes) -> Told:
    """What the data of a frame, which may be a chunk of OpenAI's, has in it."""
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):  # of no JSON, and of one that is too deep
        return Told(speaks=data not in (b"", b"[DONE]"))
    if not looks_like_openai(chunk):
        return Told(speaks=chunk != {}, failure=refusal_in(chunk))
    said = [part for choice in choices_of(chunk) for part in Answer().say(choice, None, ignore)]
    finishes = any(type(part) is Finish for part in said)
    return Told(bool(said) or bool(get(chunk, "usage")), finishes, failure_of(chunk))


def origin_of(chunk: Any) -> Iterator[Origin]:
    """The chunk's origin, if it has one."""
    id_, created, model = (get(chunk, field) for field in ("id", "created", "model"))
    if not (isinstance(id_, str) and isinstance(model, str)):
        return
    yield Origin(whole(text_of(id_)), _born(created), whole(text_of(model)))


def _born(created: Any) -> int | None:
    if not isinstance(created, int) or isinstance(created, bool):
        return None
    seconds = int.__int__(created)
    return seconds if 0 <= seconds < _END_OF_TIME else None


_END_OF_TIME = 2**53  # seconds since 1970; JavaScript knows no later one


def speaks_protocol(chunk: Any, said: list[Part]) -> bool:
    """Whether a client of OpenAI's can read this chunk, of which `said` is what it says."""
    fragments: list[Any] = []
    choices = get(chunk, "choices")
    if not isinstance(choices, (list, tuple, type(None))):
        return False
    for choice in items(choices):
        delta = get(choice, "delta")
        if not tells_its_fields(type(delta)):
            return False
        texts = (get(delta, "content"), get(delta, "role"), get(choice, "finish_reason"))
        if not all(isinstance(text, str | None) for text in texts):
            return False
        if not has_words(delta) and any(get(choice, field) for field in ELSEWHERE):
            return False
        if not _is_number(get(choice, "index")):
            return False
        calls = get(delta, "tool_calls")
        if calls is not None and not isinstance(calls, (list, tuple)):
            return False
        fragments += items(calls)
    told = [part for part in map(inner_of, said) if type(part) is ToolCall]
    return len(told) >= len(fragments) and all(map(_is_fragment, fragments, told))


def _is_fragment(fragment: Any, call: ToolCall) -> bool:
    """Whether this is a fragment of that call, as OpenAI numbers and writes them."""
    index, function = get(fragment, "index"), get(fragment, "function")
    if not _is_number(index) or index != call.number:
        return False
    if function is not None and not tells_its_fields(type(function)):
        return False
    texts = (get(fragment, "id"), get(function, "name"), get(function, "arguments"))
    return all(isinstance(text, str | None) for text in texts)


def _is_number(index: Any) -> bool:
    """Whether it is an index as OpenAI sends it; some services send none."""
    return index is None or (type(index) is int and number_of(index) is not None)


def without_error(chunk: dict[str, Any]) -> dict[str, Any]:
    """A chunk's fields, without the service's own error message."""
    return {name: _without_error(value) for name, value in chunk.items() if name not in _TELLING}


def _without_error(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_without_error, value))
    return without_error(value) if isinstance(value, dict) else value


def looks_like_openai(chunk: Any) -> bool:
    """Whether this has the shape of a chunk of completions, or of an error that came as one."""
    if get(chunk, "object") in (CHUNK, WHOLE, "text_completion"):
        return True
    if isinstance(chunk, dict):
        is_error = chunk.get("object") == "error"
        return "choices" in chunk and (is_error or _are_choices(choices_of(chunk), chunk))
    choices = getattr(chunk, "choices", _MISSING)
    if isinstance(choices, list):  # Azure's first chunk has none, and names no object
        return hasattr(choices[0], "delta") if choices else hasattr(chunk, "model")
    return choices is None and get(chunk, "object") == "error"


def _are_choices(choices: Sequence[Any], chunk: dict[str, Any]) -> bool:
    """Whether a dict without ``object`` is a chunk, by its choices: an app's own dict may have choices, too."""
    if not choices:
        return not chunk["choices"] and not _OF_CHUNKS.isdisjoint(chunk)
    first = choices[0]
    if not isinstance(first, dict):
        return False
    messages = (first.get("delta"), first.get("message"))
    return any(isinstance(message, dict) for message in messages) or (
        "text" in first and "finish_reason" in first
    )


def has_choices(chunk: Any) -> bool:
    """Whether it has a field for choices, filled or not."""
    return "choices" in chunk if isinstance(chunk, dict) else hasattr(chunk, "choices")


_OF_CHUNKS = frozenset({"created", "error", "id", "model", "usage"})
_MISSING = object()
