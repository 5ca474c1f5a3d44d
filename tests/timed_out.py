"""A scene in a process of its own: a server's time-out, raised out of a signal handler while a body is closed.

It may come between any two bytecodes, within a standard lock's too, which then stays taken: no other test
should have to live with that. So nothing is logged here, nor waited for with more than a sleep while the
signal may come.

`python -m timed_out TIMES SEED` prints what each of so many streams was told of its end, and what is left of them.
"""

from __future__ import annotations

import contextvars
import faulthandler
import json
import logging
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator

from sse_bridge import Summary
from sse_bridge.drivers.threads import Body
from sse_bridge.options import Options
from sse_bridge.registry import streams

PATIENCE = 10.0
LATEST = 0.0006  # seconds: to close a body takes about a third of them


class ServersTimeOut(BaseException):
    """What gunicorn's workers raise out of their signal handler."""


def stop(*_: object) -> None:
    raise ServersTimeOut


def endless() -> Iterator[str]:
    while True:
        yield "text"


def told_of_an_end_that_is_cut_short() -> list[str]:
    """What `on_end` heard of a stream that a signal meets while its body is closed."""
    summaries: list[Summary] = []
    over = threading.Event()

    def on_end(summary: Summary) -> None:
        summaries.append(summary)
        over.set()

    body = Body(endless(), Options(on_end=on_end), contextvars.copy_context())
    next(body)
    try:
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00001, LATEST))
        body.close()
        time.sleep(2 * LATEST)
    except ServersTimeOut:
        body.close()
    over.wait(PATIENCE)
    return [summary.ending for summary in summaries]


def main(times: int) -> None:
    signal.signal(signal.SIGALRM, stop)
    endings = [told_of_an_end_that_is_cut_short() for _ in range(times)]
    until = time.monotonic() + PATIENCE
    while (streams.open or streams.stragglers) and time.monotonic() < until:
        time.sleep(0.01)
    print(json.dumps([endings, streams.open, streams.stragglers]))


if __name__ == "__main__":
    faulthandler.dump_traceback_later(3 * PATIENCE, exit=True)
    logging.disable()
    sys.unraisablehook = lambda _: None  # a finalizer may get it
    random.seed(int(sys.argv[2]))
    main(int(sys.argv[1]))
