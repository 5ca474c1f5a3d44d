"""Warns about decorators in the wrong order: a view that got its route before `event_stream` decorated it.

The route's decorator returns the view unchanged: so the route serves that, and what `event_stream` made is unused.
This is known at the app's first request: after that Flask takes no more routes.
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
    """Warn later about an app that serves this view itself, and not what `event_stream` has made of it.

    It can only be a warning: another app of this process, or another route, may want the plain view.
    """
    with suppress(TypeError):  # some callables cannot have weak references
        _decorated[id(view)] = view
        request_started.connect(_tell)


def _tell(app: Flask, **_: Any) -> None:
    """Warn, at its first request, of a view that is served without its `event_stream`."""
    if (without := _without.get(app)) is None:
        without = _without[app] = _served_without(app.view_functions)
    if without and (name := without.pop(request.endpoint or "", None)):
        _log.warning(
            "the view %r got its route before event_stream, so the route serves it without event_stream: put the "
            "route's decorator on top, then login_required and the like, event_stream last, right above the view",
            name,
        )


def _served_without(views: dict[str, Callable[..., Any]]) -> dict[str, str]:
    """The names of the views to warn about, by endpoint."""
    wrapped = _inside(views.values())
    return {
        endpoint: str(getattr(view, "__qualname__", type(view).__qualname__))
        for endpoint, view in views.items()
        if _decorated.get(id(view)) is view and id(view) not in wrapped
    }


def _inside(views: Iterable[Any]) -> set[int]:
    """The ids of all functions that these views wrap, as `functools.wraps` records it."""
    found: set[int] = set()
    for view in views:
        inner = getattr(view, "__wrapped__", None)
        while inner is not None and id(inner) not in found:
            found.add(id(inner))
            inner = getattr(inner, "__wrapped__", None)
    return found
