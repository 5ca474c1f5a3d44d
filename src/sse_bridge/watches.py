"""The watch for a client's disconnect, as an interface; `hangup` has one for each kind of server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .loops.base import ThreadSignal


class Watch(Protocol):
    """Watches whether one client has disconnected."""

    @property
    def every(self) -> float | None:
        """Seconds after which the driver has to call `check`; None where the watch calls by itself."""

    @property
    def second_ping(self) -> float | None:
        """Seconds after which each ping is followed by a second one, where only writing shows a disconnect."""

    @property
    def breaks(self) -> bool:
        """Whether `break_off` can end a write."""

    def start(self, doubt: Callable[[], None], gone: Callable[[], None]) -> None:
        """From now on call `doubt` for a client that may have disconnected, `gone` for one that has."""

    def check(self) -> None:
        """Look at the client now."""

    def is_doubtful(self) -> bool:
        """Whether the client may have disconnected already."""

    def has_left(self, within: float) -> bool:
        """Whether the client has surely disconnected, or does so within so many seconds."""

    def break_off(self) -> None:
        """End the connection: a write that is under way fails, and nothing more reaches the client."""

    def stop(self) -> None:
        """Call nothing any more, and release the connection."""


class HandedOn:
    """A watch whose `start` may be called again, by the next one who waits for the client."""

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
    """Sleep until woken, or until a time; look at the client now and then where the watch needs that."""
    every = watch.every if watch is not None else None
    signal.wait(until if every is None else min(until, now + every))
    if watch is not None and every is not None:
        watch.check()


def _nobody() -> None:
    """Stands for a callback that is not needed any more."""
