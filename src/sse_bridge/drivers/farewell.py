"""`on_end`: called once, where the source ran, by whichever side comes first to it."""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable
from typing import Any

from ..showing import report
from ..summary import Summary
from .waiting import Home, run_in


class Farewell:
    """`on_end`, called exactly once, by whichever side claims it first."""

    def __init__(self, on_end: Callable[[Summary], Any] | None) -> None:
        self.on_end = on_end
        self.summary: Summary | None = None
        self._claims = [True]

    def claim(self) -> Callable[[Summary], Any] | None:
        """The callback, for the first who asks; None for any other."""
        try:
            self._claims.pop()  # atomic
        except IndexError:
            return None
        return self.on_end


def call_on_end(
    on_end: Callable[[Summary], Any], summary: Summary, home: Callable[[], Home]
) -> None:
    """Call it on this thread; what it gives to await is awaited in the loop, meanwhile this thread waits."""
    try:
        outcome = on_end(summary)
        if inspect.isawaitable(outcome):
            run_in(home(), outcome, contextvars.copy_context())
    except BaseException as error:
        report(error, "on_end raised")


async def await_on_end(on_end: Callable[[Summary], Any], summary: Summary) -> None:
    try:
        await on_end(summary)
    except BaseException as error:
        report(error, "on_end raised")
