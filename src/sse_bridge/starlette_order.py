"""An endpoint that got its route before `event_stream` got the endpoint: told where it is decorated.

FastAPI's route decorators give the endpoint back as it is: so the route serves that, and what `event_stream` made
is lost. At a request nothing of ours would run. But the app, or the router, mostly has a name where the decorators
stand.
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
    """Warn of an endpoint that has a route already, of an app or router that has a name where this is decorated."""
    routed = False
    with suppress(Exception):  # of whatever else has a name there
        routed = any(other is endpoint for other in _routed(_caller()))
    if routed:
        _log.warning(
            "the endpoint %r got its route before event_stream, so the route serves it without: put the route's "
            "decorator on top, and event_stream last, right above the endpoint",
            getattr(endpoint, "__qualname__", endpoint),
        )


def _caller() -> FrameType | None:
    """The first frame that is none of ours."""
    frame = inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("sse_bridge."):
        frame = frame.f_back
    return frame


def _routed(frame: FrameType | None) -> Iterator[Any]:
    if frame is None:
        return
    for thing in chain([*frame.f_locals.values()], [*frame.f_globals.values()]):
        if issubclass(type(thing), (Starlette, Router)):  # isinstance() would ask lazy objects
            # One that is still being made has none yet.
            routes = getattr(thing, "routes", ())
            yield from (getattr(route, "endpoint", None) for route in routes)
