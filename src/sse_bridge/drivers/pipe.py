"""The pipe for parts from one source to one writer: bounded, and without a lock.

Rules of this file:

1. There is one source, which only appends to `_ready`, and one writer, which copies it and deletes what it copied:
   each of these is atomic.
2. A side that is about to sleep marks that first and then checks once more; the other side makes its change
   first and then checks whether somebody sleeps. So no wake-up is lost.
3. `ended` is read before what is ready is taken, or the last parts could be missed.
4. After `close` there is no room: the source learns of it at its next chunk.
5. Each side counts bytes in a number of its own. The writer may take a chunk before its bytes are counted, and so
   seem to have taken too little; but when nothing waits there is always room.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from ..parts import Choice, Frame, Native, Part, Reasoning, ToolCall, Value

# How much may wait for the writer; a source that is further ahead has to wait. Waiting and being woken again costs
# as much as a hundred chunks of text: with room for 64, that was most of the cost of a backlog.
ROOM = 256  # chunks
ROOM_BYTES = 256 * 1024

# The field with the bulk of a part's bytes; parts that are not listed have hardly any.
_BULK = {Value: 0, Native: 1, Frame: 0, Reasoning: 0, ToolCall: 3}


class Ended(NamedTuple):
    """How the source ended: what it raised, or None, and what its reader had left over."""

    error: BaseException | None
    rest: Sequence[Part]


class Pipe:
    """Passes the parts of chunks on; `wake_writer` and `wake_source` are called from the other side's thread."""

    __slots__ = (
        "_put_bytes",
        "_ready",
        "_room",
        "_source_sleeps",
        "_taken_bytes",
        "doubted",
        "ended",
        "gone",
        "others_may_write",
        "pokes",
        "shutting_down",
        "skipped",
        "slow",
        "wake_source",
        "wake_writer",
    )

    def __init__(self, wake_writer: Callable[[], object]) -> None:
        self.wake_writer = wake_writer
        self.wake_source: Callable[[], object] = nobody
        self.ended: Ended | None = None
        self.gone = False
        self.slow = False
        self.doubted = False
        self.shutting_down = False
        self.skipped = 0.0  # seconds that a test pretends to have passed
        self._ready: list[Sequence[Part]] = []  # a deque takes 600 bytes more in each idle stream
        self._put_bytes = self._taken_bytes = 0
        self._room = ROOM
        self.others_may_write = False  # the writer sleeps, and nobody has called for it
        self._source_sleeps = False
        # Whether each chunk wakes the writer; if not, the source does when it is about to wait.
        self.pokes = True

    # -- the source's side ------------------------------------------------------------------------

    def put(self, parts: Sequence[Part]) -> bool:
        """Hand over the parts of one chunk; False when there is no room for another."""
        ready = self._ready
        ready.append(parts)
        put_bytes = self._put_bytes
        for part in parts:
            kind = type(part)
            put_bytes += len(part) if kind is str or kind is bytes else _size(part)
        self._put_bytes = put_bytes
        if self.others_may_write and self.pokes:
            self.poke_writer()
        return len(ready) < self._room and put_bytes - self._taken_bytes < ROOM_BYTES

    def full(self) -> bool:
        """Mark that the source is about to sleep until woken; False if there is room after all, or never again."""
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
        """Whether the writer takes nothing more."""
        return self._room == 0

    # -- the writer's side ------------------------------------------------------------------------

    def take(self) -> list[Sequence[Part]]:
        """All that is ready, chunk by chunk."""
        put_bytes = self._put_bytes
        taken = self._ready[:]
        del self._ready[: len(taken)]
        self._taken_bytes = put_bytes
        if self._source_sleeps:
            self._poke_source()
        return taken

    def take_lone(self) -> Part | None:
        """All that is ready, if that is one chunk of one part; it stays where it is if not."""
        ready = self._ready
        if len(ready) != 1 or len(ready[0]) != 1:
            return None
        put_bytes = self._put_bytes
        [part] = ready.pop(0)
        self._taken_bytes = put_bytes
        if self._source_sleeps:
            self._poke_source()
        return part

    def others_may_write_chunks(self) -> bool:
        """Take back that the writer was called, if only chunks wait for it; whether that is so."""
        self.others_may_write = True
        if self.closed or self.ended is not None or self._is_called():
            self.others_may_write = False
            return False
        return True

    def idle(self) -> bool:
        """Mark that the writer is about to sleep; False if there is something for it after all."""
        self.others_may_write = True
        if self._ready or self.ended is not None or self._is_called():
            self.others_may_write = False
            return False
        return True

    def wake(self) -> None:
        """Mark that the writer is awake, whoever woke it."""
        self.others_may_write = False

    def close(self) -> None:
        """The writer takes nothing more."""
        self._room = 0
        self._ready.clear()
        self._poke_source()

    # -- anybody's --------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """The client disconnected."""
        self.gone = True
        self.poke_writer()

    def give_up(self) -> None:
        """The client does not read what it is sent: it counts as gone."""
        self.slow = True
        self.hang_up()

    def doubt(self) -> None:
        """The client may have disconnected: only writing to it can show that."""
        self.doubted = True
        self.poke_writer()

    def shut_down(self) -> None:
        """The server stops: the stream is to end now."""
        self.shutting_down = True
        self.poke_writer()

    def skip(self, seconds: float) -> None:
        """Pretend, for a test, that so much more time has passed."""
        self.skipped += seconds
        self.poke_writer()

    def take_skipped(self) -> float:
        """The time skipped since the last call; for the writer."""
        seconds, self.skipped = self.skipped, 0.0
        return seconds

    def poke_writer(self) -> None:
        """Wake the writer, asleep or not."""
        self.others_may_write = False
        self.wake_writer()

    def _is_called(self) -> bool:
        return self.gone or self.doubted or self.shutting_down or self.skipped > 0

    def _has_room(self) -> bool:
        waiting = len(self._ready)
        return waiting < self._room and (
            not waiting or self._put_bytes - self._taken_bytes < ROOM_BYTES
        )

    def _poke_source(self) -> None:
        self._source_sleeps = False
        self.wake_source()


def _size(part: Part) -> int:
    """About how many bytes these parts will be."""
    kind = type(part)
    if kind is str or kind is bytes:
        return len(cast("str", part))
    if kind is Choice:
        return _size(cast(Choice, part).part)
    bulk = _BULK.get(kind)
    return 0 if bulk is None else len(cast("str", cast("tuple[object, ...]", part)[bulk]))


def nobody(*_: object) -> None:
    """Stands for a wake-up where nobody waits on the other side."""
