"""The context of a source in Flask: one of its own, in which the view's can be read.

Flask tears the view's contexts down when the request is over, and a source may run before and after that. So the
source gets copies, and what it opened in them is torn down when it is over.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from typing import Any

from flask import (
    current_app,
    g,
    has_request_context,
    request_finished,
    request_tearing_down,
)
from flask.ctx import _AppCtxGlobals
from flask.globals import app_ctx, request_ctx

from .flask_session import Saved
from .private import context_variables, share_after_requests, tokens_of

Leave = Callable[..., None]  # called with the error for the teardown, if there is one


class _SourceGlobals(_AppCtxGlobals):
    """`g` in a source: what the view put there can be read; what the source puts there is its own.

    ``in`` sees only the source's own: what is made on first use (``if "db" not in g``) is so made here, and not
    shared with a view that may be over.
    """

    __slots__ = ("_view",)

    def __init__(self, view: Any, own: dict[str, Any] | None = None) -> None:
        object.__setattr__(self, "_view", view)
        if own is not None:
            object.__setattr__(self, "__dict__", own)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__[name]
        except KeyError:
            return getattr(self._view, name)

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__[name] if name in self.__dict__ else self._view.get(name, default)


class _Shared(_AppCtxGlobals):
    """One of the two `g` of a request whose view runs elsewhere: what is in either can be read and popped.

    Each side tears down what it has put in itself: for that it is made to stand `alone`.
    """

    __slots__ = ("_other",)

    def __init__(self, own: dict[str, Any], other: Any) -> None:
        object.__setattr__(self, "__dict__", own)
        object.__setattr__(self, "_other", other)

    def alone(self) -> None:
        object.__setattr__(self, "_other", _AppCtxGlobals())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._other, name)

    def get(self, name: str, default: Any = None) -> Any:
        return self.__dict__[name] if name in self.__dict__ else self._other.get(name, default)

    def pop(self, name: str, *default: Any) -> Any:
        if name in self.__dict__:
            return self.__dict__.pop(name)
        return self._other.pop(name, *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self.__dict__[name] = default
        return self.get(name)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__ or name in self._other

    def __iter__(self) -> Iterator[str]:
        return iter({**dict.fromkeys(self._other), **self.__dict__})


def source_context() -> tuple[contextvars.Context, Leave]:
    """A copy of the view's context for the source, and what to call in it when the source is over."""
    context = contextvars.copy_context()
    return context, context.run(_enter) if has_request_context() else _nothing


def whole_context(answered: Callable[[], None]) -> tuple[contextvars.Context, Leave]:
    """The same for a view that runs with its source; `answered` is called when Flask has made its answer.

    Until then, `after_request` functions and error handlers of the request can read what the view has put into `g`.
    """
    of_the_request, view_request = g._get_current_object(), _current_request()
    context, leave = source_context()
    shared = context.run(_share, of_the_request, view_request)
    app_ctx.g = window = _Shared(of_the_request.__dict__, shared)

    def shut() -> None:
        window.alone()
        answered()

    view_request._sse_bridge_shut = shut
    request_finished.connect(_shut_window)
    request_tearing_down.connect(_shut_window)

    def leave_alone(error: BaseException | None = None) -> None:
        # The request tears down what was there before; it can be read, as in any source.
        app_ctx.g = _SourceGlobals(of_the_request, shared.__dict__)
        leave(error)

    return context, leave_alone


def _shut_window(_app: Any, **_: Any) -> None:
    """The response is made, or there is none: now the teardown comes."""
    shut = vars(_current_request()).pop("_sse_bridge_shut", None)
    if shut is not None:
        shut()


def _share(of_the_request: Any, view_request: Any) -> _Shared:
    app_ctx.g = shared = _Shared({}, of_the_request)
    # Functions that the view gives to `after_this_request` are called in the request itself.
    share_after_requests(_current_request(), view_request)
    return shared


def _current_request() -> Any:
    return request_ctx._get_current_object()  # type: ignore[attr-defined]


def _enter() -> Leave:
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    own = app.app_context()
    own.g = _SourceGlobals(g._get_current_object())
    own.push()
    view_request = _current_request()
    saved, own_request = Saved(view_request), _push_copy(view_request)

    def leave(error: BaseException | None = None) -> None:
        # Not popped: that is possible only in the context of the push, and this copy is thrown away.
        try:
            app.do_teardown_request(error)
        finally:
            try:
                app.do_teardown_appcontext(error)
            finally:
                _forget_tokens(own, own_request)
                saved.compare(own_request.session)

    return leave


def _forget_tokens(*pushed: Any) -> None:
    """Drop the tokens: each refers to where it was made, so the request would wait for the garbage collector."""
    for one in pushed:
        tokens_of(one).clear()


def _push_copy(of_the_view: Any) -> Any:
    """Push a copy of the view's request context, without the match of the URL that a push makes.

    A second match costs a third of the copy, and would undo the app's changes to `request.view_args`.
    """
    own = of_the_view.copy()
    own.url_adapter = None
    own.push()
    own.url_adapter = of_the_view.url_adapter
    return own


def _nothing(error: BaseException | None = None) -> None:
    """Stands for leaving where there is no context."""


def move_kept_request(context: contextvars.Context, is_ours: Callable[[Any], bool]) -> None:
    """Move the request that a ``stream_with_context`` keeps open from this context into its copy `context`.

    Before 3.1.2 Flask leaves it open in the context of the thread that called the app, and closes it where the
    generator ends, which must be the same context. Later versions keep it within the generator. `is_ours` tells
    from its environ whether it is the request in question, and not one around it.
    """
    kept = _kept_request(is_ours)
    if kept is None:
        return
    request_var, app_var, request, (token, app) = kept
    request_var.reset(token)
    if app is not None:
        app_var.reset(tokens_of(app).pop())
    context.run(_open_again, request_var, app_var, request, app)


def _kept_request(is_ours: Callable[[Any], bool]) -> tuple[Any, Any, Any, Any] | None:
    from flask import globals as names

    variables = context_variables(names)
    if variables is None:
        return None
    request_var, app_var = variables
    request = request_var.get(None)
    tokens = tokens_of(request)
    if not tokens or not is_ours(request.request.environ):
        return None
    return request_var, app_var, request, tokens.pop()


def _open_again(request_var: Any, app_var: Any, request: Any, app: Any) -> None:
    tokens_of(request).append((request_var.set(request), app))
    if app is not None:
        tokens_of(app).append(app_var.set(app))
