"""The loop that the caller runs in, asyncio's or trio's."""

from __future__ import annotations

import sys

from . import asyncio
from .base import Home


def current_home() -> Home:
    """The loop that the caller runs in."""
    if "trio" in sys.modules:
        import trio

        if trio.lowlevel.in_trio_run():
            from .trio import TrioHome

            return TrioHome()
    return asyncio.current_home()
