"""What happened on one stream, told once it has ended."""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from .parts import Finish, Native, Part, Reasoning, ToolCall, Usage
from .surrogates import whole

COLLECT_LIMIT = 1_000_000  # characters of text, reasoning and arguments that a Summary gathers


class Ending(enum.StrEnum):
    """Why a stream ended."""

    FINISHED = "finished"  # the source ran dry
    FAILED = "failed"  # the source raised, or told of a failure in band
    STALLED = "stalled"  # the source was silent for too long
    EXPIRED = "expired"  # the stream lasted for too long
    GONE = "gone"  # the client left
    SLOW = "slow"  # the client stopped reading
    SHUTDOWN = "shutdown"  # the server stops


class Summary(NamedTuple):
    """What happened on one stream, for logs, bills and databases; times are in seconds."""

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


class Tally:
    """What the Summary of a running stream will tell; `collect`, whether that is also what was said."""

    __slots__ = ("_collected", "bytes", "chunks", "events", "finish_reason", "pings", "usage")

    def __init__(self, collect: bool) -> None:
        self.chunks = self.events = self.bytes = self.pings = 0
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self._collected = Collected() if collect else None

    def note(self, kind: type, parts: list[Any]) -> None:
        """Read off parts of one kind what they have to tell."""
        if kind is bytes:
            return
        if kind is Native:
            for part in parts:
                self.usage = part.usage or self.usage
                self.finish_reason = part.finish_reason or self.finish_reason
        elif kind is Usage:
            self.usage = parts[-1]
        elif kind is Finish:
            self.finish_reason = parts[-1].reason
        if self._collected:
            for part in parts:
                self._collected.add(part)

    def summary(
        self,
        ending: Ending,
        time_to_first_chunk: float | None,
        duration: float,
        error: BaseException | None,
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
    """What was said in the first choice, gathered up to a bound."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.reasoning: list[str] = []
        self.tool_calls: dict[int, dict[str, Any]] = {}
        self.room = COLLECT_LIMIT

    def add(self, part: Part) -> None:
        if isinstance(part, str):
            self._keep(self.text, part)
        elif isinstance(part, Reasoning):
            self._keep(self.reasoning, part.text)
        elif isinstance(part, ToolCall):
            call = self.tool_calls.setdefault(
                part.number, {"id": None, "name": None, "arguments": []}
            )
            call["id"], call["name"] = call["id"] or part.id, call["name"] or part.name
            self._keep(call["arguments"], part.arguments)
        elif isinstance(part, Native):
            for inner in part.parts:
                self.add(inner)

    def _keep(self, pieces: list[str], text: str) -> None:
        if self.room:
            pieces.append(text[: self.room])
            self.room -= len(pieces[-1])

    def added_to(self, summary: Summary) -> Summary:
        calls = sorted(self.tool_calls.items())
        return summary._replace(
            text=whole("".join(self.text)),
            reasoning=whole("".join(self.reasoning)),
            tool_calls=[_whole_call(**call) for _, call in calls],
        )


def _whole_call(id: str | None, name: str | None, arguments: list[str]) -> dict[str, str | None]:
    return {
        "id": id and whole(id),
        "name": name and whole(name),
        "arguments": whole("".join(arguments)),
    }
