"""The pytest fixture that fails a test which leaves a stream open."""

from __future__ import annotations

import time
from collections.abc import Iterator

from .. import stopping
from ..registry import streams
from .answer import held

try:
    import pytest
except ImportError as error:
    raise ImportError("no_open_streams is a pytest fixture, and pytest is not installed") from error

PATIENCE = 1.0  # seconds for streams that are about to end


@pytest.fixture(autouse=True)
def no_open_streams() -> Iterator[None]:
    """Fail a test that leaves a stream open, or the source of one running."""
    open_before, held_before, running_before = streams.open, len(held), streams.stragglers
    yield
    stopping.forget()  # what a test shut down is open for the next one
    until = time.monotonic() + PATIENCE
    while left := _left(
        max(streams.open - open_before, len(held) - held_before),
        streams.stragglers - running_before,
    ):
        if time.monotonic() >= until:
            pytest.fail(f"the test is over, and {left}", pytrace=False)
        time.sleep(0.005)


def _left(still_open: int, still_running: int) -> str:
    """What is left, as the rest of a sentence; empty for nothing."""
    said = []
    if still_open > 0:
        said.append(f"{_count(still_open, 'stream')} {'is' if still_open == 1 else 'are'} open")
    if still_running > 0:
        runs = "runs though its stream is" if still_running == 1 else "run though their streams are"
        said.append(f"{_count(still_running, 'source')} still {runs} over")
    return " and ".join(said)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
