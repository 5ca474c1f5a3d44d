"""The same where Ctrl-C is Python's own, as in a terminal: a shell's background jobs ignore it."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)

from stopping_module import app  # noqa: E402

__all__ = ["app"]
