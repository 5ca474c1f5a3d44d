"""Waiting for changes, in any loop."""

from __future__ import annotations

import anyio


class Changes:
    """What several tasks may wait for; they look again then."""

    def __init__(self) -> None:
        self._next: anyio.Event | None = None

    async def wait(self) -> None:
        """Until something changes."""
        if self._next is None:
            self._next = anyio.Event()
        await self._next.wait()

    def tell(self) -> None:
        """Whoever waits may look again, once this one's turn is over."""
        if self._next is not None:
            self._next.set()
            self._next = None
