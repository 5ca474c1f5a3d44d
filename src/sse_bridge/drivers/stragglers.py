"""Sources that outlive their streams: counted at once, and logged as a warning once `cleanup_timeout` is over.

A source in a ``time.sleep(1)`` outlives its stream by a second, and nothing is wrong with it.
"""

from __future__ import annotations

import logging
import weakref
from contextlib import suppress
from functools import partial
from typing import Any

from .. import pursuit
from ..keys import Key
from ..registry import streams
from ..summary import Ending
from .sources import written_as

_log = logging.getLogger("sse_bridge")


def count(
    worker: Any,
    key: Key | None,
    source: Any,
    ending: Ending | None,
    since: float,
    patience: float,
) -> None:
    """Count a source that still runs although its stream, which counted for `key`, is over since then.

    After so many seconds a warning is logged.
    """
    streams.straggles(worker, key)
    if worker.done:  # it ended just now, before it could be counted
        streams.ended(worker)
        return
    name = type(source).__name__
    # Whatever is read from it may raise, and the request still has to end.
    with suppress(Exception):
        name = written_as(source)
    _log.debug("the source %s still runs although its stream is over (%s)", name, ending)
    # Nothing of a source that has ended is kept until then.
    warn = partial(_warn, weakref.ref(worker), name, ending, patience)
    pursuit.remind(warn, since + patience)


def tell_end(worker: object) -> None:
    """This source has ended, in time or not."""
    warned = streams.ended(worker)
    if warned is not None:
        level = logging.INFO if warned else logging.DEBUG
        _log.log(
            level, "a source that outlived its stream has ended; %d still run", streams.stragglers
        )


def _warn(reference: weakref.ref[Any], name: str, ending: Ending | None, patience: float) -> None:
    worker = reference()
    if worker is None or not streams.warn_of(worker):
        return
    _log.warning(
        "the source %s still runs, more than %g s after its stream ended (%s): it is blocked in something that "
        "cannot be stopped, and counts toward max_streams until it ends. Sources that do so now: %d",
        name,
        patience,
        ending,
        streams.stragglers,
    )
