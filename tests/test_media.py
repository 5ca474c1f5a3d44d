"""Media types, of what is answered and of what a client accepts."""

from __future__ import annotations

import pytest

from sse_bridge.media import JSON_LINES, asks_for_events, is_json, media_type


@pytest.mark.parametrize(
    "accept",
    [
        "text/event-stream",
        "text/html, text/event-stream",
        "TEXT/EVENT-STREAM",
        "text/event-stream; q=0.5",
        "text/event-stream;charset=utf-8",
    ],
)
def test_a_client_asks_for_events_by_their_name(accept: str):
    assert asks_for_events(accept)


@pytest.mark.parametrize(
    "accept",
    [
        "",
        "*/*",
        "text/*",
        "text/event-streams",
        "x-text/event-stream",
        "text/event-stream;q=0",
        "text/event-stream; q=0.0",
        "text/html, text/event-stream ; Q=0",
    ],
)
def test_who_does_not_name_them_or_refuses_them_does_not_ask(accept: str):
    assert not asks_for_events(accept)


def test_a_media_type_has_no_parameters_and_no_case():
    assert media_type(" Text/HTML ; charset=x") == "text/html"


def test_lines_of_json_are_known_by_their_names():
    assert all(map(is_json, JSON_LINES))
    assert is_json("application/vnd.x+json")
    assert not is_json("text/plain")
