"""The context that a source has in Flask: one of its own, in which the view's can be read.

Flask tears the view's contexts down when the request is over, and a source may run before and after that. So the
source gets copies, and what it opened there is torn down when it is over.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from typing import Any

from flask import current_app, g, has_request_context, request_finished
from flask.ctx import _AppCtxGlobals
from flask.globals import app_ctx, request_ctx


class _SourceGlobals(_AppCtxGlobals):
    """`g` in a source: what the view put there can be read; what the source puts there is its own.

    ``in`` asks for its own only: what is made on first use (``if "db" not in g``) is then made here, and not
    shared with a view that may be over.
    """

    __slots__ = ("_view",)

    def __init__(self, view: Any) -> None:
        object.__setattr__(self, "_view", view)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            return getattr(self._view, name)

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__[name] if name in self.__dict__ else self._view.get(name, default)


class _Window(_SourceGlobals):
    """`g` in a request whose view runs elsewhere, with the real one: `after_request` can read what is there.

    When the response is made it is shut: a teardown must not close what the source is yet to use.
    """

    __slots__ = ()

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__ or name in self._view

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._view), **self.__dict__})

    def shut(self) -> None:
        object.__setattr__(self, "_view", _AppCtxGlobals())


def _shut_window(_app: Any, **_: Any) -> None:
    window = g._get_current_object()
    if isinstance(window, _Window):
        window.shut()


def source_context() -> tuple[contextvars.Context, Callable[[], None]]:
    """A copy of the view's context for the source, and what to call in it when the source is over."""
    context = contextvars.copy_context()
    return context, context.run(_enter) if has_request_context() else _nothing


def whole_context() -> tuple[contextvars.Context, Callable[[], None]]:
    """The same for a view that runs with its source: it has the request's own `g`, the request a window to it."""
    of_the_request, view_request = g._get_current_object(), _current_request()
    context, leave = source_context()
    context.run(_share, of_the_request, view_request)
    request_finished.connect(_shut_window)
    app_ctx.g = _Window(of_the_request)
    return context, leave


def _share(of_the_request: Any, view_request: Any) -> None:
    app_ctx.g = of_the_request
    # What the view asks for by `after_this_request` is asked of the request itself.
    _current_request()._after_request_functions = view_request._after_request_functions


def _current_request() -> Any:
    return request_ctx._get_current_object()  # type: ignore[attr-defined]


def _enter() -> Callable[[], None]:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    own = app.app_context()
    own.g = _SourceGlobals(g._get_current_object())
    own.push()
    own_request = _push_copy(_current_request())

    def leave() -> None:
        # Not popped: that may be asked of a copy of the context only, and the context is thrown away.
        try:
            app.do_teardown_request(None)
        finally:
            try:
                app.do_teardown_appcontext(None)
            finally:
                _forget_tokens(own, own_request)

    return leave


def _forget_tokens(*pushed: Any) -> None:
    """A token leads back to where it was made: with it, the whole request would wait for the collector."""
    for one in pushed:
        getattr(one, "_cv_tokens", []).clear()


def _push_copy(of_the_view: Any) -> Any:
    """Push a copy of the view's request context, without the match of the URL that a push makes.

    A second match costs a third of the copy, and would undo what the app has made of `request.view_args`.
    """
    own = of_the_view.copy()
    own.url_adapter = None
    own.push()
    own.url_adapter = of_the_view.url_adapter
    return own


def _nothing() -> None:
    """There is no context to leave."""


def move_kept_request(context: contextvars.Context, is_ours: Callable[[Any], bool]) -> None:
    """Move the request that a ``stream_with_context`` keeps open from this thread into `context`, a copy of its.

    Before 3.1.2 Flask leaves it open in the context of the thread that called the app, and closes it where the
    generator ends, which must be the same context. Later versions keep it within the generator. `is_ours` tells
    from its environ whether it is the request that was asked, and not one around it.
    """
    kept = _kept_request(is_ours)
    if kept is None:
        return
    request_var, app_var, request, (token, app) = kept
    request_var.reset(token)
    if app is not None:
        app_var.reset(app._cv_tokens.pop())
    context.run(_open_again, request_var, app_var, request, app)


def _kept_request(is_ours: Callable[[Any], bool]) -> tuple[Any, Any, Any, Any] | None:
    from flask import globals as names

    request_var = getattr(names, "_cv_request", None)
    request: Any = request_var.get(None) if request_var is not None else None
    tokens = getattr(request, "_cv_tokens", None)
    if not tokens or not is_ours(request.request.environ):
        return None
    return request_var, names._cv_app, request, tokens.pop()


def _open_again(request_var: Any, app_var: Any, request: Any, app: Any) -> None:
    request._cv_tokens.append((request_var.set(request), app))
    if app is not None:
        app._cv_tokens.append(app_var.set(app))
