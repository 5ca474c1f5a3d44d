"""Errors for an unknown option of a face (a framework integration): they say what was probably meant."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

from .adapters import AdapterName
from .dialects import DialectName

# Options of other packages, and what replaces them here. The heading is that of docs/moving.md.
MOVING = "Moving from sse-starlette"
_PEERS = {
    "client_close_handler_callable": "on_end is called however the stream ends",
    "data_sender_callable": "only the source sends, so yield from it what is to be sent",
    "ping_message_factory": "a keep-alive is the comment ': ping'",
    "sep": "a line always ends with '\\n'",
    "shutdown_event": "sse_bridge.shutdown_on_signal ends open streams when the server stops",
    "shutdown_grace_period": "it is the argument grace of sse_bridge.shutdown_on_signal",
}
_FRAMEWORKS = {
    "background": "on_end is called when the stream is over; Starlette's EventSourceResponse takes it",
    "content": "the source is the first argument, without a name",
    "content_type": "an event stream's is always text/event-stream",
    "media_type": "an event stream's is always text/event-stream",
    "mimetype": "an event stream's is always text/event-stream",
    "response": "the source is the first argument, without a name",
    "status": "here it is status_code, an int",
    "status_code": "in Flask and WSGI it is status",
}


def unknown_option(name: str, face: str, known: Collection[str]) -> TypeError:
    """The error for an option that the face of this name does not have; `known` lists those that it has."""
    listed = ", ".join(known)
    if hint := _hint(name, known):
        return TypeError(f"{face} has no option {name!r}: {hint} It has {listed}")
    return TypeError(f"{face} has no option {name!r}; it has {listed}")


def not_a_view(given: Any, wanted: str) -> TypeError:
    """The error for what `event_stream` cannot decorate; `wanted` says what it does."""
    decorates = f"event_stream decorates {wanted}, got {given!r}"
    if not isinstance(given, str):
        return TypeError(decorates)
    for name, names in (("dialect", DialectName), ("adapter", AdapterName)):
        if given in get_args(names):
            return TypeError(f"{decorates}: did you mean {name}={given!r}?")
    return TypeError(f"{decorates}: give options by name")


def _hint(name: str, known: Collection[str]) -> str:
    if name in _PEERS:
        return f"{_PEERS[name]}, see {MOVING!r} in the docs."
    if name in _FRAMEWORKS:
        return f"{_FRAMEWORKS[name]}."
    from difflib import get_close_matches  # seldom needed

    like = get_close_matches(name, known, n=1)
    return f"did you mean {like[0]!r}?" if like else ""
