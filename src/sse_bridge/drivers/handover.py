"""The way of parts from one source to one writer: bounded, and without a lock.

Rules of this file:

1. There is one source and one writer. Both touch `_ready` by append and popleft only, which are atomic.
2. A side that is about to sleep says so first and then looks once more; the other side makes its change
   first and then looks whether somebody sleeps. So no wake-up is lost.
3. `ended` is read before what is ready is taken, or the last parts could be missed.
4. After `close` there is no room: the source hears it at its next chunk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..parts import Part

# What may wait for the writer; a source that is further ahead waits.
ROOM = 64  # chunks
ROOM_BYTES = 256 * 1024


class Ended(NamedTuple):
    """The source's last word: what it raised, or None where it ran dry, and what its reader had left over."""

    error: BaseException | None
    rest: Sequence[Part]


class Handover:
    """Chunks' parts on their way; `wake_writer` and `wake_source` are callable from the other side's thread."""

    __slots__ = (
        "_put_bytes",
        "_ready",
        "_room",
        "_source_sleeps",
        "_taken_bytes",
        "_writer_sleeps",
        "doubted",
        "ended",
        "gone",
        "wake_source",
        "wake_writer",
    )

    def __init__(self, wake_writer: Callable[[], None]) -> None:
        self.wake_writer = wake_writer
        self.wake_source: Callable[[], None] = nobody
        self.ended: Ended | None = None
        self.gone = False
        self.doubted = False
        self._ready: deque[tuple[Sequence[Part], int]] = deque()
        self._put_bytes = self._taken_bytes = (
            0  # each counted by one side, so that neither loses a count
        )
        self._room = ROOM
        self._writer_sleeps = False
        self._source_sleeps = False

    # -- the source's side ------------------------------------------------------------------------

    def put(self, parts: Sequence[Part]) -> bool:
        """Hand over what one chunk says; False when there is no room for another."""
        size = _size(parts)
        self._put_bytes += size
        self._ready.append((parts, size))
        if self._writer_sleeps:
            self.poke_writer()
        return self._has_room()

    def full(self) -> bool:
        """Say that the source is about to sleep until woken; False when there is room after all, or never again."""
        self._source_sleeps = True
        if self._has_room() or self.closed:
            self._source_sleeps = False
            return False
        return True

    def end(self, error: BaseException | None, rest: Sequence[Part] = ()) -> None:
        """Nothing more will come."""
        self.ended = Ended(error, rest)
        self.poke_writer()

    @property
    def closed(self) -> bool:
        """Whether the writer wants no more."""
        return self._room == 0

    # -- the writer's side ------------------------------------------------------------------------

    def take(self) -> list[Sequence[Part]]:
        """All that is ready, chunk by chunk."""
        ready = self._ready
        taken = [ready.popleft() for _ in range(len(ready))]
        self._taken_bytes += sum(size for _, size in taken)
        if self._source_sleeps:
            self._poke_source()
        return [parts for parts, _ in taken]

    def idle(self) -> bool:
        """Say that the writer is about to sleep; False when there is something for it after all."""
        self._writer_sleeps = True
        if self._ready or self.ended is not None or self.gone or self.doubted:
            self._writer_sleeps = False
            return False
        return True

    def close(self) -> None:
        """The writer wants no more."""
        self._room = 0
        self._ready.clear()
        self._poke_source()

    # -- anybody's --------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """The client left."""
        self.gone = True
        self.poke_writer()

    def doubt(self) -> None:
        """The client may have left: only writing to it can tell."""
        self.doubted = True
        self.poke_writer()

    def poke_writer(self) -> None:
        """Wake the writer, asleep or not."""
        self._writer_sleeps = False
        self.wake_writer()

    def _has_room(self) -> bool:
        return len(self._ready) < self._room and self._put_bytes - self._taken_bytes < ROOM_BYTES

    def _poke_source(self) -> None:
        self._source_sleeps = False
        self.wake_source()


def _size(parts: Sequence[Part]) -> int:
    """About how many bytes these will be."""
    size = 0
    for part in parts:
        if type(part) is str:
            size += len(part)
        else:
            size += sum(len(field) for field in part if isinstance(field, (str, bytes)))
    return size


def nobody(*_: object) -> None:
    """Nobody waits on the other side."""
