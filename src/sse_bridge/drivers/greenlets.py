"""Under gevent a thread is a greenlet: what it is blocked in is looked at, and ended, in gevent's own loop."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from ..interrupt import Interrupted, upstream_socket


class Blocked:
    """A greenlet that may be freed, once."""

    def __init__(self, greenlet: Any, run_callback: Callable[[Callable[[], None]], Any]) -> None:
        self._greenlet = greenlet
        self._run_callback = run_callback
        self._freed = False

    def interrupt(self, *, unless: Callable[[], bool]) -> bool:
        """Free it, soon, if it is blocked in an upstream read then; whether it was freed already."""
        if not self._freed:
            self._run_callback(lambda: self._free(unless))
        return self._freed

    def _free(self, unless: Callable[[], bool]) -> None:
        # In the loop's own greenlet no other runs: what the frame shows now is so when the exception is raised.
        frame = self._greenlet.gr_frame
        if self._freed or unless() or frame is None or upstream_socket(frame) is None:
            return
        self._freed = True
        self._greenlet.throw(Interrupted)


def threads_are_greenlets() -> bool:
    """Whether gevent has replaced the threads of this process."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched("threading"))


def start_system_thread(call: Callable[[], None], name: str) -> None:
    """Make this call on a thread of the system's, under gevent too: what it waits for then holds up no greenlet."""
    if not threads_are_greenlets():
        threading.Thread(target=call, name=name, daemon=True).start()
        return
    gevent: Any = sys.modules["gevent"]
    gevent.get_hub()  # the process's first: what it imports must not be imported on two threads at once
    sys.modules["gevent.monkey"].get_original("_thread", "start_new_thread")(call, ())


class Greenlets(ThreadPoolExecutor):
    """Runs what an event loop has run in threads in greenlets beside it: gevent's selector gives them their turn.

    A pool of its threads would be waited for when the process ends, by another thread than the one they are on.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

        gevent: Any = sys.modules["gevent"]
        gevent.spawn(run)
        return future


def current() -> Blocked | None:
    """The greenlet that stands for the current thread; None where threads are threads."""
    if not threads_are_greenlets():
        return None
    gevent: Any = sys.modules["gevent"]
    return Blocked(gevent.getcurrent(), gevent.get_hub().loop.run_callback_threadsafe)
