"""`on_end`: called once, where the source ran, by whichever side comes first to it."""

from __future__ import annotations

import contextvars
import inspect
import os
from collections.abc import Callable
from typing import Any

from ..loops.base import Home, run_in
from ..showing import report
from ..summary import Summary


class Farewell:
    """`on_end`, called exactly once, by whichever side claims it first, in the process that owns the stream."""

    __slots__ = (
        "_claims",
        "_process",
        "on_end",
        "summary",
    )

    def __init__(self, on_end: Callable[[Summary], Any] | None) -> None:
        self.on_end = on_end
        self.summary: Summary | None = None
        self._claims: list[int] = []
        self._process = os.getpid()

    @property
    def is_ours(self) -> bool:
        """Whether the stream belongs to this process: a forked child has a copy of it that it must leave alone."""
        return os.getpid() == self._process

    @property
    def is_due(self) -> bool:
        """Whether there is anything to be called here."""
        return self.on_end is not None and self.is_ours

    def claim(self, by: object) -> Callable[[Summary], Any] | None:
        """The callback, for the first caller, even if it asks again; None for any other caller."""
        if not self.is_ours:
            return None
        self._claims.append(id(by))  # atomic; the object itself would make a reference cycle
        return self.on_end if self._claims[0] == id(by) else None


def call_on_end(
    on_end: Callable[[Summary], Any], summary: Summary, home: Callable[[], Home]
) -> None:
    """Call it on this thread; an awaitable that it returns is awaited in the loop, while this thread waits."""
    try:
        outcome = on_end(summary)
        if inspect.isawaitable(outcome):
            run_in(home(), outcome, contextvars.copy_context())
    except BaseException as error:
        report(error, "on_end raised")


async def call_in_loop(on_end: Callable[[Summary], Any], summary: Summary, home: Home) -> None:
    """Await it in this task; one that is not async may block, and is called in a thread next to the loop."""
    if inspect.iscoroutinefunction(on_end):
        await _await_on_end(on_end, summary)
    else:
        await home.in_thread(lambda: call_on_end(on_end, summary, lambda: home))


async def _await_on_end(on_end: Callable[[Summary], Any], summary: Summary) -> None:
    try:
        await on_end(summary)
    except BaseException as error:
        report(error, "on_end raised")
