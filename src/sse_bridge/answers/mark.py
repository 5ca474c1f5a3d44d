"""Whose answer a request gets: the mark of a stream of ours, and what is said once that stream was over."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

MARK = "sse_bridge.middleware"  # where a request's Mark is, in its scope or environ


class Mark:
    """Whether a stream of ours answers a request, for middlewares of ours around; copies of the scope share it."""

    taken = False


def take(request: MutableMapping[str, Any]) -> None:
    """Say that a stream of ours answers this request, a scope or an environ, for a middleware of ours around."""
    if MARK in request:
        request[MARK].taken = True


# The headers of the answer to a reconnect after the end.
OVER = [("Vary", "Accept, Last-Event-ID")]
