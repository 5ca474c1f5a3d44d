"""Who has said that a stream of ours answers a request."""

from __future__ import annotations

from typing import Any

from sse_bridge.answers.mark import MARK, Mark, take


def test_a_mark_is_taken_through_a_copy_of_the_request():
    request: dict[str, Any] = {MARK: Mark()}
    take(dict(request))
    assert request[MARK].taken


def test_another_requests_mark_is_not_taken():
    request, other = {MARK: Mark()}, {MARK: Mark()}
    take(request)
    assert not other[MARK].taken


def test_without_a_middleware_around_nothing_is_said():
    request: dict[str, Any] = {}
    take(request)
    assert request == {}
