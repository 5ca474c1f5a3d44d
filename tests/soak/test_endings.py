"""A hundred streams on each server; `make soak` makes thousands."""

from __future__ import annotations

import pytest

from soak.endings import SERVERS, soak


@pytest.mark.parametrize("server", SERVERS)
def test_a_process_has_open_what_it_had_before_its_streams(server: str) -> None:
    figures = soak(server, 120, warm_up=60)
    assert figures.faults == [], str(figures)
