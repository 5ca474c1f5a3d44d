"""A stream's times: its limits, when it last wrote and last got a chunk, and what is due when.

Deadlines are derived from when something happened, so a chunk costs only two assignments.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

NEVER = inf

# A WSGI server sends the headers with the first bytes of the body. So a stream that is open and has
# nothing to send yet does not wait a whole `ping` for them.
FIRST_PING = 0.25


class Limits(NamedTuple):
    """The times of a Stream, in seconds; ``inf`` is never."""

    ping: float = 15.0
    hold: float = 5.0
    first_chunk_timeout: float = inf
    stall_timeout: float = inf
    max_duration: float = inf


class Times:
    """When one stream began, spoke (wrote bytes) and heard (got a chunk), and its deadlines."""

    __slots__ = (
        "_limits",
        "_silence",
        "ends_at",
        "first_heard_at",
        "heard_at",
        "opens_at",
        "spoke_at",
        "started_at",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._silence = inf  # how long the source may be silent
        self.started_at = self.heard_at = 0.0
        self.first_heard_at: float | None = None
        self.spoke_at = self.opens_at = self.ends_at = inf

    @property
    def holds(self) -> bool:
        """Whether the status line may wait."""
        return self._limits.hold > 0

    @property
    def pings(self) -> bool:
        """Whether a silence on the wire is ended by keep-alives."""
        return self._limits.ping != inf

    def start(self, now: float) -> None:
        """The source is about to be asked for its first chunk: the clocks start."""
        limits = self._limits
        self.started_at = self.heard_at = now
        self._silence = limits.first_chunk_timeout
        self.opens_at, self.ends_at = now + limits.hold, now + limits.max_duration
        if not self.holds:
            # As if it had written a while ago, where its first ping is to come sooner than the others.
            self.spoke_at = now - max(0.0, limits.ping - FIRST_PING) if self.pings else now

    def advance(self, seconds: float) -> None:
        """Move all that has happened further into the past, by so many seconds."""
        self.started_at -= seconds
        self.heard_at -= seconds
        self.spoke_at -= seconds
        self.opens_at -= seconds
        self.ends_at -= seconds
        if self.first_heard_at is not None:
            self.first_heard_at -= seconds

    def hear(self, now: float) -> None:
        """A chunk came."""
        self.heard_at = now
        if self.first_heard_at is None:
            self.first_heard_at, self._silence = now, self._limits.stall_timeout

    def deadline(self, *, held: bool) -> float:
        """When the next thing is due, of a stream that is held or open; ``inf`` for never."""
        word = self.opens_at if held else self.spoke_at + self._limits.ping
        return min(word, self.heard_at + self._silence, self.ends_at)

    def is_over(self, now: float) -> bool:
        return now >= self.ends_at

    def is_stalled(self, now: float) -> bool:
        return now >= self.heard_at + self._silence

    def wants_ping(self, now: float) -> bool:
        return now >= self.spoke_at + self._limits.ping
