"""What a Flask view returned, and where its stream runs: on its own thread, or on the one that ran the view itself.

Rules of this file:

1. A view that runs whole is waited for as long as `hold` says: until then Flask handles its result, as always.
2. After that, the status has been sent: the client gets keep-alives and is watched, and the view can only return a
   stream. Frames that it has made by hand are then sent as events.
3. If the client disconnects in that time, the view is freed from its upstream read.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, NamedTuple

from flask import Response
from werkzeug.wrappers import Response as AnyResponse

from . import interrupt
from .drivers.sources import close_sync, is_sdk_answer, takes_no_arguments
from .drivers.threads import Body
from .drivers.walkers import Errand, Pending, Threads, Walked, Walker, own_threads
from .flask_context import source_context, whole_context
from .flask_errors import refusal
from .interrupt import Interrupted
from .keys import Key
from .media import EVENTS
from .options import Options
from .registry import Place, Unavailable, reserved, streams
from .shapes import noted
from .watches import HandedOn, Watch
from .wire import Decoder, ServerSentEvent

_VALUES = (str, bytes, bytearray, dict, list, tuple, type(None))


class Stage(NamedTuple):
    """Where a stream runs, and who watches its client; see `Body`."""

    context: contextvars.Context
    leave: Callable[[], None]
    watch: Callable[[], Watch | None]
    threads: Threads = own_threads
    hold_left: float | None = None  # seconds; None: all of `hold`


def beside_the_view(watch: Callable[[], Watch | None]) -> Stage:
    """The stage for a stream on a thread of its own, in a copy of the view's context."""
    context, leave = source_context()
    return Stage(context, leave, watch)


@contextmanager
def place_for(limit: int | None, key: Key | None) -> Iterator[Place]:
    """Reserve room for the view's stream, before the view calls a model; released if there is no stream."""
    try:
        place = streams.reserve(limit, key)
        token = reserved.set(place)
        try:
            yield place
        finally:
            reserved.reset(token)
            streams.leave(place)
    except Unavailable as full:
        raise refusal(full) from full


# -- what a view returned -------------------------------------------------------------------------


def is_flasks(answer: Any) -> bool:
    """Whether Flask itself makes a response of it: a value, a tuple, a WSGI app."""
    if isinstance(answer, _VALUES):
        return not is_sdk_answer(answer)
    return callable(answer) and not is_iterator(answer) and not takes_no_arguments(answer)


def is_made_by_hand(response: AnyResponse) -> bool:
    """Whether this is an event stream whose frames the view has made itself."""
    is_failure = response.status_code >= 400  # whose body is a page, whatever its type says
    return response.mimetype == EVENTS and not is_failure and is_iterator(response.response)


def is_iterator(thing: Any) -> bool:
    return hasattr(thing, "__next__")


# -- a view that runs whole -----------------------------------------------------------------------


def run_whole(
    view: Callable[[], Any],
    watch: Callable[[], Watch | None],
    options: Options,
    answer: Callable[[Any, Stage], Any],
    place: Place,
) -> Any:
    """What Flask gets for a view that runs, with its source, on a thread of its own.

    Arguments: `view`, to be called; `watch`, returns the watch on the client; `options`; `answer`, makes what Flask
    gets from what the view returned and from where its stream runs; `place`, the one reserved for its stream.
    """
    until = monotonic() + options.limits.hold
    return _Whole(options, place).run(view, watch, answer, until)


class _Whole:
    """One request of such a view. Its walker ends with its stream, or when Flask has made another response."""

    def __init__(self, options: Options, place: Place) -> None:
        self._place = place
        self._context, self._leave = whole_context(self._answered)
        self._client: HandedOn | None = None
        self._failure: BaseException | None = None  # of the view, for its teardown
        # The teardown waits for both: for the source, and for ``after_request`` functions that may use `g`.
        self._waits_for = ["the source", "the answer"]
        interrupts = options.interrupt and interrupt.allowed()
        self._walker = Walker(self._context, self._tear_down, interrupts=interrupts)

    def run(
        self,
        view: Callable[[], Any],
        watch: Callable[[], Watch | None],
        answer: Callable[[Any, Stage], Any],
        until: float,
    ) -> Any:
        try:
            if (client := watch()) is not None:
                self._client = HandedOn(client)
            given = self._given(view, until)
            made = answer(given, self._stage(max(0.0, until - monotonic())))
        except Interrupted:  # the client has disconnected, or the server stops
            status = "503 Service Unavailable" if streams.closing else "499 Client Closed Request"
            return Response(status=status)
        finally:
            if not self._walker.lent and self._client is not None:
                self._client.stop()
        return self._walked(made)

    def _given(self, view: Callable[[], Any], until: float) -> Any:
        self._place.tell = self._walker.hang_up
        try:
            return self._walker.do(view, self._client, until)
        except Pending as pending:
            return _Late(pending.errand, self._fail)
        except BaseException as error:
            self._fail(error)
            raise

    def _stage(self, hold_left: float) -> Stage:
        context, walker = self._context.copy(), self._walker
        return Stage(context, self._source_is_over, self._lend, walker, hold_left)

    def _lend(self) -> Watch | None:
        """The stream is open, and will end the walker when it is over."""
        self._walker.lent = True
        return self._client

    def _walked(self, made: Any) -> Any:
        """Have a response that passes iterated where its iterator was made."""
        if not isinstance(made, AnyResponse) or made.direct_passthrough:
            return made
        if is_iterator(made.response) and not isinstance(made.response, Body):
            made.response = Walked(self._walker, made.response)
        return made

    def _source_is_over(self) -> None:
        self._waits_for.remove("the source")
        if not self._waits_for:
            self._walker.end()

    def _answered(self) -> None:
        if "_walker" not in vars(self):  # no thread could be started
            return
        self._waits_for.remove("the answer")
        if not self._waits_for or not self._walker.lent:
            self._walker.end()

    def _fail(self, error: BaseException) -> None:
        self._failure = error

    def _tear_down(self) -> None:
        failure, self._failure = self._failure, None
        self._leave(failure)


class _Late:
    """A source that is called after the view, where the view ran: so it has what the view returned."""

    def __init__(self, errand: Errand, fail: Callable[[BaseException], None]) -> None:
        self._errand, self._fail = errand, fail

    def __call__(self) -> Any:
        given = self._given()
        if isinstance(given, tuple) and given:
            given = given[0]
        if isinstance(given, AnyResponse) and is_made_by_hand(given):
            return _events(given)
        if isinstance(given, AnyResponse) or is_flasks(given):
            raise TypeError(
                f"the status was sent already (the view took longer than `hold`), so the view must "
                f"return a source, got {noted(given)}"
            )
        return given

    def close(self) -> None:
        """Close what the view returned, which nobody will use."""
        with suppress(Exception):
            close_sync(None, self._given())

    def _given(self) -> Any:
        try:
            return self._errand.result()
        except BaseException as error:
            self._fail(error)
            raise


def _events(response: AnyResponse) -> Iterator[ServerSentEvent]:
    decoder = Decoder()
    try:
        for piece in response.response:
            yield from decoder.feed(piece.encode() if isinstance(piece, str) else piece)
    finally:
        response.close()
