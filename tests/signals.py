"""Signals in tests: what a test installs is gone after it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

KEPT = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@contextmanager
def kept() -> Iterator[None]:
    """Handlers and the wakeup descriptor are afterwards what they were before; none is written to meanwhile."""
    handlers = {number: signal.getsignal(number) for number in KEPT}
    descriptor = signal.set_wakeup_fd(-1)
    try:
        yield
    finally:
        signal.set_wakeup_fd(descriptor)
        for number, handler in handlers.items():
            signal.signal(number, handler)
