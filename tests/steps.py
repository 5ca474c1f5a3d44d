"""What a piece of work costs, counted and not timed: the same on every machine, however busy.

Two things are counted, for each sees what the other does not: the bytecodes that our own package runs, of which a
loop over all that has come so far makes many; and the bytes that are taken anew in each call, as copies are.
"""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, NamedTuple

Take = Callable[[Any], object]


class Cost(NamedTuple):
    """Of one kind of work."""

    bytecodes: int
    allocated: int  # bytes


def cost(make: Callable[[], Take], things: Iterable[Any]) -> Cost:
    """What it costs to give these, one by one, to what `make` makes."""
    given = list(things)
    return Cost(_bytecodes(make(), given), _allocated(make(), given))


def _bytecodes(take: Take, things: list[Any]) -> int:
    count = 0

    def on_call(frame: FrameType, _event: str, _arg: Any) -> Any:
        if not frame.f_globals.get("__name__", "").startswith("sse_bridge"):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        return on_opcode

    def on_opcode(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "opcode"
        return on_opcode

    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        for thing in things:
            take(thing)
    finally:
        sys.settrace(before)
    return count


def _allocated(take: Take, things: list[Any]) -> int:
    total = 0
    tracemalloc.start()
    try:
        for thing in things:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            take(thing)
            _, peak = tracemalloc.get_traced_memory()
            total += peak - before
    finally:
        tracemalloc.stop()
    return total


def assert_linear(
    make: Callable[[], Take], things: Callable[[int], Iterable[Any]], few: int
) -> None:
    """Four times as many things cost about four times as much, and not sixteen times."""
    some, many = cost(make, things(few)), cost(make, things(4 * few))
    assert many.bytecodes <= 6 * some.bytecodes, f"{some} for {few}, {many} for {4 * few}"
    # Where hardly anything is kept, a single block that grows would be most of it.
    assert many.allocated <= 6 * some.allocated + 100_000, f"{some} for {few}, {many} for {4 * few}"
