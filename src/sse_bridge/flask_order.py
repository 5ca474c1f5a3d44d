"""A view that got its route before `event_stream` got the view: told at the view's first request.

The route's decorator gives the view back as it is: so the route serves that, and what `event_stream` made is lost.
This shows at an app's first request only: behind that Flask takes no more routes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from flask import Flask, request, request_started

_log = logging.getLogger("sse_bridge")

# By identity: a view may be equal to others, or have no hash.
_decorated: WeakValueDictionary[int, Any] = WeakValueDictionary()
_without: WeakKeyDictionary[Flask, dict[str, str]] = WeakKeyDictionary()


def remember(view: Callable[..., Any]) -> None:
    """Have the log tell of an app of whose views this is one, and what was made of it is none.

    A warning is all that it can be: another app of this process, or another route, may want the view as it is.
    """
    with suppress(TypeError):  # of some callables there are no weak references
        _decorated[id(view)] = view
        request_started.connect(_tell)


def _tell(app: Flask, **_: Any) -> None:
    """Warn, at its first request, of a view that is served without its `event_stream`."""
    if (without := _without.get(app)) is None:
        without = _without[app] = _served_without(app.view_functions)
    if without and (name := without.pop(request.endpoint or "", None)):
        _log.warning(
            "the view %r got its route before event_stream, so the route serves it without: put the route's "
            "decorator on top, then login_required and the like, event_stream last, right above the view",
            name,
        )


def _served_without(views: dict[str, Callable[..., Any]]) -> dict[str, str]:
    """The names of those that are to be told of, by endpoint."""
    wrapped = _inside(views.values())
    return {
        endpoint: str(getattr(view, "__qualname__", type(view).__qualname__))
        for endpoint, view in views.items()
        if _decorated.get(id(view)) is view and id(view) not in wrapped
    }


def _inside(views: Iterable[Any]) -> set[int]:
    """All that these views have inside, as `functools.wraps` tells it."""
    found: set[int] = set()
    for view in views:
        inner = getattr(view, "__wrapped__", None)
        while inner is not None and id(inner) not in found:
            found.add(id(inner))
            inner = getattr(inner, "__wrapped__", None)
    return found
