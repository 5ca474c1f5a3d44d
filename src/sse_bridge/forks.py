"""What a forked child has to reset: it has copies of its parent's locks, and none of its threads."""

from __future__ import annotations

import os
from collections.abc import Callable


def in_child(call: Callable[[], object]) -> None:
    """Call this in each forked child, in the order of registration; does nothing on a platform without fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=call)
