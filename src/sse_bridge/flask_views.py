"""What a Flask view gave, and where its stream runs: beside the view, or on the thread that ran the view itself.

Rules of this file:

1. A view that runs whole is waited for as long as `hold` says: until then its answer is Flask's, as ever.
2. Behind that, the status is committed: the client is kept alive and watched, and what the view gives in the end
   can be a stream only. Frames that it has made by hand then come as the events they are.
3. Whoever has left by then has the view freed from its upstream read.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any, NamedTuple

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from . import interrupt
from .drivers.sources import is_sdk_answer, takes_no_arguments
from .drivers.walkers import Errand, OwnThread, Pending, Spawn, Walker
from .drivers.watches import HandedOn, Watch
from .flask_context import source_context, whole_context
from .interrupt import Interrupted
from .media import EVENTS
from .options import Options
from .wire import Decoder, ServerSentEvent

_VALUES = (str, bytes, bytearray, dict, list, tuple, type(None))


class Place(NamedTuple):
    """Where a stream runs, and who watches its client; see `Body`."""

    context: contextvars.Context
    leave: Callable[[], None]
    watch: Callable[[], Watch | None]
    spawn: Spawn = OwnThread
    hold: float | None = None  # what is left of it, in seconds; None: all


def beside_the_view(watch: Callable[[], Watch | None]) -> Place:
    """On a thread of its own, in a copy of the view's context."""
    context, leave = source_context()
    return Place(context, leave, watch)


# -- what a view gave -----------------------------------------------------------------------------


def is_flasks(answer: Any) -> bool:
    """Whether Flask itself answers with it: a value, a tuple, a WSGI app."""
    if isinstance(answer, _VALUES):
        return not is_sdk_answer(answer)
    return callable(answer) and not is_iterator(answer) and not takes_no_arguments(answer)


def is_made_by_hand(response: AnyResponse) -> bool:
    """Whether this is an event stream that the view has framed itself."""
    is_failure = response.status_code >= 400  # whose body is a page, whatever its type says
    return response.mimetype == EVENTS and not is_failure and is_iterator(response.response)


def is_iterator(thing: Any) -> bool:
    return hasattr(thing, "__next__")


# -- a view that runs whole -----------------------------------------------------------------------


def run_whole(
    view: Callable[[], Any],
    watch: Watch | None,
    options: Options,
    answer: Callable[[Any, Place], Any],
) -> Any:
    """What Flask is to get for a view that runs, with its source, on a thread of its own.

    Arguments: `view`, to be called; `watch`, on the client; `options`; `answer`, makes what Flask gets of what the
    view gave, and of the place where its stream runs.
    """
    until = monotonic() + options.limits.hold
    context, leave = whole_context()
    walker = Walker(context, leave, interrupts=options.interrupt and interrupt.allowed())
    client = None if watch is None else HandedOn(watch)

    def lend() -> Watch | None:
        walker.lent = True  # the stream is open, and ends the walker when it is over
        return client

    try:
        given = _given(walker, view, client, until)
        hold = max(0.0, until - monotonic())
        return answer(given, Place(context.copy(), walker.end, lend, walker.go_on, hold))
    except Interrupted:  # nobody waits for it
        return Response(status="499 Client Closed Request")
    finally:
        if not walker.lent:
            walker.end()
            if client is not None:
                client.stop()


def _given(walker: Walker, view: Callable[[], Any], client: Watch | None, until: float) -> Any:
    try:
        return walker.do(view, client, until)
    except Pending as pending:
        return _Late(walker, pending.errand)


class _Late:
    """A source that is called where the view has run, behind it: so it has what the view gave."""

    def __init__(self, walker: Walker, errand: Errand) -> None:
        self._walker, self._errand = walker, errand

    def __call__(self) -> Any:
        given = self._errand.result()
        if isinstance(given, tuple) and given:
            given = given[0]
        if isinstance(given, AnyResponse) and is_made_by_hand(given):
            return _events(given)
        if isinstance(given, AnyResponse) or is_flasks(given):
            raise TypeError(
                f"the status was sent already (the view took longer than `hold`), so the view must "
                f"give a source, got {given!r:.200}"
            )
        return given

    def close(self) -> None:
        """Nobody is to have it."""
        self._walker.free(self._errand)


def _events(response: AnyResponse) -> Iterator[ServerSentEvent]:
    decoder = Decoder()
    try:
        for piece in response.response:
            yield from decoder.feed(piece.encode() if isinstance(piece, str) else piece)
    finally:
        response.close()
