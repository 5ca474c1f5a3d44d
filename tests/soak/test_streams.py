"""A hundred streams on each server; `python -m soak.streams` makes thousands."""

from __future__ import annotations

import pytest

from soak.streams import SERVERS, soak


@pytest.mark.parametrize("server", SERVERS)
def test_a_process_has_afterwards_what_it_had_before_and_each_stream_ended_once_as_drawn(server):
    figures = soak(server, 100, warm_up=100)
    assert figures.faults == [], str(figures)
