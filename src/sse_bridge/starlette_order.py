"""Warns about decorators in the wrong order: an endpoint that got its route before `event_stream` decorated it.

FastAPI's route decorators return the endpoint unchanged: so the route serves that, and what `event_stream` made is
unused. At a request none of our code would run. So it is found where the decorators are: there the app, or the
router, mostly has a name.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from types import FrameType
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Router

_log = logging.getLogger("sse_bridge")


def warn_of_a_route(endpoint: Callable[..., Any]) -> None:
    """Warn if an app or router that has a name where this endpoint is decorated has a route for it already."""
    routed = False
    with suppress(Exception):  # raised by whatever else has a name there
        routed = any(other is endpoint for other in _routed(_caller()))
    if routed:
        _log.warning(
            "the endpoint %r got its route before event_stream, so the route serves it without event_stream: put "
            "the route's decorator on top, and event_stream last, right above the endpoint",
            getattr(endpoint, "__qualname__", endpoint),
        )


def _caller() -> FrameType | None:
    """The innermost frame outside this package."""
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("sse_bridge."):
        frame = frame.f_back
    return frame


def _routed(frame: FrameType | None) -> Iterator[Any]:
    if frame is None:
        return
    for thing in chain([*frame.f_locals.values()], [*frame.f_globals.values()]):
        if issubclass(type(thing), (Starlette, Router)):  # isinstance() would ask lazy objects
            # One that is still being created has none yet.
            routes = getattr(thing, "routes", ())
            yield from (getattr(route, "endpoint", None) for route in routes)
