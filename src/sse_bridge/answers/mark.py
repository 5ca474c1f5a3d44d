"""Marks a request that gets a stream of ours, for middlewares; and the headers of the answer to its reconnect."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

MARK = "sse_bridge.middleware"  # where a request's Mark is, in its scope or environ


class Mark:
    """Whether a stream of ours answers a request, for our middlewares around it; copies of the scope share it."""

    taken = False


def take(request: MutableMapping[str, Any]) -> None:
    """Mark this request, a scope or an environ, as answered by a stream of ours, for our middlewares around it."""
    if MARK in request:
        request[MARK].taken = True


# The headers of the response to a reconnect after the end.
OVER = [("Vary", "Accept, Last-Event-ID")]
