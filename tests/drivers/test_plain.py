"""The reference driver, with a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator

from sse_bridge.drivers import plain
from sse_bridge.options import Options


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_time_demands_comes_with_the_next_chunk():
    clock = Clock()

    def source() -> Iterator[str | None]:
        yield "a"
        clock.now = 20.0
        yield None
        yield "b"

    pieces = list(plain.drive(source(), Options(), clock))
    assert pieces[1:4] == [b"data: a\n\n", b": ping\n\n", b"data: b\n\n"]


def test_a_stream_that_expired_stops_asking_its_source():
    clock, asked = Clock(), []

    def source() -> Iterator[str]:
        for number in range(10):
            asked.append(number)
            clock.now += 1.0
            yield "x"

    written = b"".join(plain.drive(source(), Options(max_duration=3), clock))
    assert b"max_duration" in written
    assert asked == [0, 1, 2]
