"""Under gevent threads are greenlets: checks for that, and what to use instead where a real thread is needed."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import ModuleType
from typing import Any


def threads_are_greenlets() -> bool:
    """Whether gevent has replaced the threads of this process."""
    return _has_replaced("threading")


def original(module: ModuleType, name: str) -> Any:
    """The original of this module's name, as it was before gevent patched it."""
    if not _has_replaced(module.__name__):
        return getattr(module, name)
    return sys.modules["gevent.monkey"].get_original(module.__name__, name)


def start_system_thread(call: Callable[[], None], name: str) -> None:
    """Make this call on a system thread, under gevent too: so its waiting blocks no greenlet."""
    if not threads_are_greenlets():
        threading.Thread(target=call, name=name, daemon=True).start()
        return
    gevent: Any = sys.modules["gevent"]
    gevent.get_hub()  # the process's first: what it imports must not be imported on two threads at once
    sys.modules["gevent.monkey"].get_original("_thread", "start_new_thread")(call, ())


def _has_replaced(module: str) -> bool:
    monkey = sys.modules.get("gevent.monkey")
    return monkey is not None and bool(monkey.is_module_patched(module))


class Greenlets(ThreadPoolExecutor):
    """Runs in greenlets what an event loop would run in threads: gevent's selector lets them run.

    A pool of gevent's threads would be joined when the process ends, by another thread than the one they are on.
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
