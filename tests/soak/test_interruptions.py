"""A thousand interruptions; `make soak` makes a hundred thousand."""

from __future__ import annotations

from soak.interruptions import interruptions


def test_an_interruption_is_inside_a_read_or_not_at_all():
    figures = interruptions(1000)
    assert figures.faults == [], str(figures)
    assert figures.interrupted >= 1000
