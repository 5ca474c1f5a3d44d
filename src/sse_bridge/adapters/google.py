"""The google adapter: what Gemini says, in responses of ``generate_content_stream`` or in events of an interaction.

The format: https://ai.google.dev/api/generate-content. Fields have Python's names in the SDK's objects, and in JSON
those of the wire. The counts of tokens are those so far; citations come again with each chunk, and more of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ..failures import UpstreamError
from ..parts import Part
from .base import count_in, get, items, numbered, shown, text_of
from .google_args import PartialArguments
from .google_steps import StepsReader, looks_like_step, step_goes_on
from .vendor import Vendor, VendorAdapter, said_words, thought
from .withheld import without

_UNSPECIFIED = "_UNSPECIFIED"  # how the names end of what is none
_ADDED = frozenset({"sdk_http_response", "automatic_function_calling_history"})
_RUN = "code_execution"  # the tool of the service's that runs code


class GoogleReader(StepsReader):
    name = "google"
    takes = "responses of Google's Gemini API or events of its Interactions API"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._response = ""  # the id of the one that goes on
        self._over = False  # whether it has told its reason to stop
        self._partial: PartialArguments | None = None  # of a call that comes in pieces
        self._runs = 0  # of code, which may have no ids

    def knows(self, chunk: Any) -> bool:
        return looks_like_google(chunk) or goes_on(chunk)

    def say(self, chunk: Any) -> Iterator[Part]:
        if get(chunk, "event_type") is not None:
            yield from super().say(chunk)
            return
        id_ = text_of(either(chunk, "response_id"))
        self._begin_response(id_)
        yield from self.begin(id_, either(chunk, "model_version"))
        for number, candidate in numbered(get(chunk, "candidates")):
            if number == 0:
                yield from self._candidate(candidate)
            else:
                self.missed("another candidate than the first")
        _refuse_blocked(either(chunk, "prompt_feedback"))
        yield from self.tokens(either(chunk, "usage_metadata"), _COUNTS)

    def sent(self, chunk: Any) -> Any:
        """Without what the SDK has added, headers and what was said before, and what is not the client's."""
        if get(chunk, "event_type") is not None:
            return super().sent(chunk)
        return without(chunk, _ADDED)

    def _begin_response(self, id_: str) -> None:
        # One that is continued, as the SDK does by itself, has told no reason to stop.
        if self._over and id_ and id_ != self._response:
            self._over = self._asks = False
            self.next_call()
        self._response = id_ or self._response

    def _candidate(self, candidate: Any) -> Iterator[Part]:
        for piece in items(get(get(candidate, "content"), "parts")):
            yield from self._piece(piece)
        found = either(candidate, "grounding_metadata")
        for chunk in items(either(found, "grounding_chunks")):
            for place in (get(chunk, "web"), get(chunk, "maps"), get(chunk, "image")):
                url = get(place, "uri") or either(place, "source_uri")
                yield from self.cite(url, get(place, "title"))
            context = either(chunk, "retrieved_context")
            yield from self.cite(get(context, "uri"), get(context, "title"))
        for quoted in items(get(either(candidate, "citation_metadata"), "citations")):
            yield from self.cite(get(quoted, "uri"), get(quoted, "title"))
        reason = text_of(either(candidate, "finish_reason"))
        if reason and not reason.endswith(_UNSPECIFIED):
            self._over = True
            self.finish(reason, asks=self._asks)

    def _piece(self, piece: Any) -> Iterator[Part]:
        is_thought = get(piece, "thought") is True
        yield from (thought if is_thought else said_words)(get(piece, "text"))
        if (call := either(piece, "function_call")) is not None:
            yield from self._call(call)
        if not is_thought:  # images that it thinks of are not its answer
            yield from self._file(either(piece, "inline_data"), either(piece, "file_data"))
        yield from self._run(
            either(piece, "executable_code"), either(piece, "code_execution_result")
        )
        if (call := either(piece, "tool_call")) is not None:
            name = either(call, "tool_type")
            yield self.call(None, id_=get(call, "id"), name=name, arguments=get(call, "args") or {})
        if (answer := either(piece, "tool_response")) is not None:
            yield self.result(get(answer, "id"), get(answer, "response"))

    def _call(self, call: Any) -> Iterator[Part]:
        """A call that is the client's to make: whole, or in pieces where Vertex was asked for these."""
        partial = self._partial or PartialArguments(call)
        for piece in items(either(call, "partial_args")):
            partial.add({name: either(piece, name) for name in PartialArguments.FIELDS})
        if either(call, "will_continue") is True:
            self._partial = partial
            return
        self._partial = None
        if name := text_of(partial.name):
            self._asks = True
            arguments = get(call, "args") or partial.arguments
            yield self.call(None, id_=partial.id, name=name, arguments=arguments)

    def _file(self, inline: Any, stored: Any) -> Iterator[Part]:
        kind, name = either(inline, "mime_type"), either(inline, "display_name")
        yield from self.inline(get(inline, "data"), kind, name)
        url, name = either(stored, "file_uri"), either(stored, "display_name")
        yield from self.file(url, either(stored, "mime_type"), name)

    def _run(self, code: Any, result: Any) -> Iterator[Part]:
        """Code that the service runs, and what came of it, the one behind the other."""
        if code is not None:
            self._runs += 1
            written = {name: get(code, name) for name in ("language", "code")}
            id_ = get(code, "id") or f"{_RUN}_{self._runs}"
            yield self.call(None, id_=id_, name=_RUN, arguments=written)
        if result is not None:
            id_ = get(result, "id") or f"{_RUN}_{self._runs}"
            outcome = text_of(get(result, "outcome"))
            failed = outcome not in ("", "OUTCOME_OK") and not outcome.endswith(_UNSPECIFIED)
            yield self.result(id_, get(result, "output"), outcome if failed else None)


def _refuse_blocked(feedback: Any) -> None:
    """Raise `UpstreamError` for a prompt that the service does not answer."""
    reason = text_of(either(feedback, "block_reason"))
    if reason and not reason.endswith(_UNSPECIFIED):
        message = either(feedback, "block_reason_message")
        words = f"the prompt was blocked: {reason}{f' ({shown(message)})' if message else ''}"
        raise UpstreamError(words, status_code=400, code="content_filtered")


def either(thing: Any, name: str) -> Any:
    """A field by its name in Python, or by that in the JSON of the wire."""
    value = get(thing, name)
    return thing.get(_camel(name)) if value is None and isinstance(thing, dict) else value


@lru_cache(maxsize=64)
def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


# As those of an interaction.
_COUNTS = tuple(
    (name, _camel(name))
    for name in (
        *("prompt_token_count", "tool_use_prompt_token_count", "candidates_token_count"),
        *("thoughts_token_count", "cached_content_token_count", "total_token_count"),
    )
)


def looks_like_google(chunk: Any) -> bool:
    """Whether this surely is a response, or an event of an interaction."""
    if get(chunk, "event_type") is not None:
        return looks_like_step(chunk)
    candidates = get(chunk, "candidates")
    if not isinstance(chunk, dict):
        has_all = all(hasattr(chunk, name) for name in ("prompt_feedback", "usage_metadata"))
        return has_all and hasattr(chunk, "candidates") and isinstance(candidates, (list, _NONE))
    if isinstance(candidates, list) and candidates:
        names = ("usage_metadata", "model_version", "response_id")
        is_whole = any(either(chunk, name) is not None for name in names)
        return _speaks(candidates[0]) or (is_whole and _stops(candidates[0]))
    blocked = text_of(either(either(chunk, "prompt_feedback"), "block_reason"))
    return bool(blocked) or _counts(chunk)


_NONE = type(None)


def _speaks(candidate: Any) -> bool:
    return isinstance(get(get(candidate, "content"), "parts"), list)


def _stops(candidate: Any) -> bool:
    return isinstance(either(candidate, "finish_reason"), str)


def _counts(chunk: dict[Any, Any]) -> bool:
    name = "prompt_token_count"
    return count_in(either(chunk, "usage_metadata"), name, _camel(name)) is not None


def goes_on(chunk: Any) -> bool:
    """Whether this may be another chunk of an answer that has begun."""
    candidates = get(chunk, "candidates")
    is_candidate = isinstance(candidates, list) and bool(candidates) and _stops(candidates[0])
    return is_candidate or step_goes_on(chunk)


class Google(VendorAdapter):
    """Responses of ``generate_content_stream()``, events of ``interactions.create(stream=True)``, or their JSON."""

    reads_with = GoogleReader


VENDOR = Vendor(
    looks_like_google,
    GoogleReader,
    frozenset(
        {
            *("candidates", "event_type"),
            *("prompt_feedback", "promptFeedback", "usage_metadata", "usageMetadata"),
        }
    ),
    goes_on,
)
