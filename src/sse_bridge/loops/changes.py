"""Waiting for changes, in any loop."""

from __future__ import annotations

import anyio


class Changes:
    """Lets several tasks wait for a change; then they check again."""

    def __init__(self) -> None:
        self._next: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait until something changes."""
        if self._next is None:
            self._next = anyio.Event()
        await self._next.wait()

    def tell(self) -> None:
        """Something has changed: wake all that wait, once the current task's turn is over."""
        if self._next is not None:
            self._next.set()
            self._next = None
