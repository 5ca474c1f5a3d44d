"""What happened on one stream, told once it has ended."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from .parts import Finish, Native, Origin, Part, Reasoning, ToolCall, Usage
from .surrogates import whole

COLLECT_LIMIT = 1_000_000  # characters of text, reasoning and tool calls that a Summary gathers
CALL_COST = 100  # characters that a tool call counts for, besides its own
REASON_LIMIT = 1000  # characters of a finish reason
_TOGETHER = 1000  # so many pieces are kept apart, for a piece takes more memory than its characters


class Ending(enum.StrEnum):
    """Why a stream ended."""

    FINISHED = "finished"  # the source ended without an error
    FAILED = "failed"  # the source raised, or reported a failure in one of its chunks
    STALLED = "stalled"  # the source was silent for too long
    EXPIRED = "expired"  # the stream lasted for too long
    GONE = "gone"  # the client disconnected
    SLOW = "slow"  # the client stopped reading
    SHUTDOWN = "shutdown"  # the server stops


class Summary(NamedTuple):
    """What happened on one stream, for logs, bills and databases; times are in seconds.

    `truncated`, whether more was said than is kept here; `held`, whether no byte of the stream was sent: then the
    framework answers, with the failure's status, or the client disconnected before there was a response. `model`
    and `upstream_id` are the model's name and the service's id of the answer, `cached_tokens` those of the input
    that came from a cache, `reasoning_tokens` those of the output that were thoughts: None where nobody told.
    """

    ending: Ending
    chunks: int = 0
    events: int = 0
    bytes: int = 0
    pings: int = 0
    time_to_first_chunk: float | None = None
    duration: float = 0.0
    usage: dict[str, int] | None = None
    finish_reason: str | None = None
    text: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, str | None]] | None = None
    error: BaseException | None = None
    truncated: bool = False
    held: bool = False
    model: str | None = None
    upstream_id: str | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class Tally:
    """Gathers the Summary of a running stream; `collect`, whether it also keeps what was said."""

    __slots__ = (
        "_collected",
        "_is_cut",
        "bytes",
        "chunks",
        "events",
        "finish_reason",
        "origin",
        "pings",
        "usage",
    )

    def __init__(self, collect: bool) -> None:
        self.chunks = self.events = self.bytes = self.pings = 0
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.origin: Origin | None = None
        self._is_cut = False  # that reason
        self._collected = Collected() if collect else None

    def note(self, kind: type, parts: list[Any]) -> None:
        """Note what parts of one kind add to the Summary."""
        if kind is bytes:
            return
        if kind is Native:
            for part in parts:
                self.usage = part.usage or self.usage
                self._keep_reason(part.finish_reason)
        elif kind is Usage:
            self.usage = parts[-1]
        elif kind is Finish:
            self._keep_reason(parts[-1].reason)
        elif kind is Origin:
            self.origin = parts[-1]
        if self._collected:
            for part in parts:
                self._collected.add(part)

    def _keep_reason(self, reason: str | None) -> None:
        if reason:
            self.finish_reason, self._is_cut = reason[:REASON_LIMIT], len(reason) > REASON_LIMIT

    def summary(
        self,
        ending: Ending,
        time_to_first_chunk: float | None,
        duration: float,
        error: BaseException | None,
        *,
        held: bool,
    ) -> Summary:
        summary = Summary(
            ending,
            chunks=self.chunks,
            events=self.events,
            bytes=self.bytes,
            pings=self.pings,
            time_to_first_chunk=time_to_first_chunk,
            duration=duration,
            usage=_usage_dict(self.usage),
            finish_reason=self.finish_reason and whole(self.finish_reason),
            error=error,
            truncated=self._is_cut,
            held=held,
            model=(self.origin and self.origin.model) or None,
            upstream_id=(self.origin and self.origin.id) or None,
            cached_tokens=self.usage and self.usage.cached_tokens,
            reasoning_tokens=self.usage and self.usage.reasoning_tokens,
        )
        return self._collected.added_to(summary) if self._collected else summary


def _usage_dict(usage: Usage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


class Collected:
    """What was said in the first choice, up to a limit: all of it, or only the beginning."""

    def __init__(self) -> None:
        self.text, self.reasoning = Text(), Text()
        self.tool_calls: dict[int, Call] = {}
        self.room = COLLECT_LIMIT
        self.truncated = False

    def add(self, part: Part) -> None:
        if isinstance(part, str):
            self._keep(self.text, part)
        elif isinstance(part, Reasoning):
            self._keep(self.reasoning, part.text)
        elif isinstance(part, ToolCall):
            self._add_call(part)
        elif isinstance(part, Native):
            for inner in part.parts:
                self.add(inner)

    def _add_call(self, part: ToolCall) -> None:
        call = self.tool_calls.get(part.number)
        if call is None:
            if not self._has_room(CALL_COST):
                return
            call = self.tool_calls[part.number] = Call()
        # Half an id would be the id of something else: it is kept whole, or not at all.
        if part.id and not call.id and self._has_room(len(part.id)):
            call.id = part.id
        if part.name and not call.name and self._has_room(len(part.name)):
            call.name = part.name
        self._keep(call.arguments, part.arguments)

    def _keep(self, kept: Text, text: str) -> None:
        if not text or self.truncated:
            return
        kept.add(text[: self.room])
        self.truncated = len(text) > self.room
        self.room -= min(len(text), self.room)

    def _has_room(self, size: int) -> bool:
        """Take room for something that is kept whole; once there is none, nothing more is kept."""
        self.truncated = self.truncated or size > self.room
        if not self.truncated:
            self.room -= size
        return not self.truncated

    def added_to(self, summary: Summary) -> Summary:
        calls = sorted(self.tool_calls.items())
        return summary._replace(
            text=self.text.joined(),
            reasoning=self.reasoning.joined(),
            tool_calls=[call.told() for _, call in calls],
            truncated=summary.truncated or self.truncated,
        )


class Call:
    """A tool call, as far as it was said."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name: str | None = None
        self.arguments = Text()

    def told(self) -> dict[str, str | None]:
        return {
            "id": self.id and whole(self.id),
            "name": self.name and whole(self.name),
            "arguments": self.arguments.joined(),
        }


class Text:
    """A text that comes in pieces."""

    __slots__ = ("_blocks", "_pieces")

    def __init__(self) -> None:
        self._blocks: list[str] = []  # many pieces each, put together
        self._pieces: list[str] = []

    def add(self, piece: str) -> None:
        self._pieces.append(piece)
        if len(self._pieces) == _TOGETHER:
            self._blocks.append("".join(self._pieces))
            self._pieces.clear()

    def joined(self) -> str:
        """All of it, with split characters joined."""
        return whole("".join((*self._blocks, *self._pieces)))
