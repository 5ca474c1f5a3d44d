"""Connections whose workers do what the test says."""

from __future__ import annotations

import contextvars
from typing import Any

from sse_bridge.drivers.connection import Connection
from sse_bridge.loops.background import background_home
from sse_bridge.loops.base import ThreadSignal
from sse_bridge.options import Options


class ByHand:
    """A worker that does what the test says."""

    def __init__(self) -> None:
        self.done = self.cleaning = False
        self.calls: list[str] = []

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def conclude(self) -> None:
        self.calls.append("conclude")


def unopened(source: Any = (), how: dict[str, Any] | None = None, **options: Any) -> Connection:
    """One that is not open yet; `how`, the connection's own arguments."""
    return Connection(
        source,
        Options(**options),
        contextvars.copy_context(),
        ThreadSignal().set,
        background_home,
        **how or {},
    )


def connection(**options: Any) -> tuple[Connection, ByHand]:
    """One that has begun, at the time 0."""
    worker = ByHand()
    made = unopened([], {"worker": lambda _: worker}, **options)
    made.open(0.0)
    made.begin()
    return made, worker


def close(made: Connection, worker: ByHand) -> None:
    """Its request is over, and its source has ended."""
    worker.done = True
    made.release(0.0)
