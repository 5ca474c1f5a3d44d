"""The watch on a client, as whoever waits for it knows it; `hangup` has those for each server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .loops.base import ThreadSignal


class Watch(Protocol):
    """The watch on one client."""

    @property
    def every(self) -> float | None:
        """Seconds after which `check` is to be called, where nobody else calls."""

    @property
    def second_ping(self) -> float | None:
        """Seconds after which a second ping follows each, where only writing tells."""

    @property
    def breaks(self) -> bool:
        """Whether `break_off` can end a write."""

    def start(self, doubt: Callable[[], None], gone: Callable[[], None]) -> None:
        """From now on call `doubt` for a client that may have left, `gone` for one that has."""

    def check(self) -> None:
        """Look now."""

    def is_doubtful(self) -> bool:
        """Whether the client may have left already."""

    def has_left(self, within: float) -> bool:
        """Whether the client has surely left, or does so within so many seconds."""

    def break_off(self) -> None:
        """End the connection: whoever is writing to it fails, and nothing more reaches the client."""

    def stop(self) -> None:
        """Nothing is called any more, and nothing of the connection is held."""


class HandedOn:
    """A watch whose `start` may be called again, by whoever waits for the client next."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._doubt: Callable[[], None] = _nobody
        self._gone: Callable[[], None] = _nobody
        self._started = self._stopped = self._left = False

    @property
    def every(self) -> float | None:
        return self._watch.every

    @property
    def second_ping(self) -> float | None:
        return self._watch.second_ping

    @property
    def breaks(self) -> bool:
        return self._watch.breaks

    def start(self, doubt: Callable[[], None], gone: Callable[[], None]) -> None:
        self._doubt, self._gone = doubt, gone
        if not self._started:
            self._started = True
            self._watch.start(lambda: self._doubt(), self._tell_gone)
        elif self._left:
            gone()

    def check(self) -> None:
        self._watch.check()

    def is_doubtful(self) -> bool:
        return self._watch.is_doubtful()

    def has_left(self, within: float) -> bool:
        return self._watch.has_left(within)

    def break_off(self) -> None:
        self._watch.break_off()

    def stop(self) -> None:
        self._doubt = self._gone = _nobody
        if not self._stopped:
            self._stopped = True
            self._watch.stop()

    def _tell_gone(self) -> None:
        self._left = True
        self._gone()


def sleep(signal: ThreadSignal, watch: Watch | None, now: float, until: float) -> None:
    """Until something comes up; where nobody else watches the client, with a look at it now and then."""
    every = watch.every if watch is not None else None
    signal.wait(until if every is None else min(until, now + every))
    if watch is not None and every is not None:
        watch.check()


def _nobody() -> None:
    """Nobody listens any more."""
