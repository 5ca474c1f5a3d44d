"""This library as a bare ASGI app, with its defaults."""

from typing import Any

from starlette.types import ASGIApp

from benchmarks.work import Work
from sse_bridge.asgi import EventStream


def app(work: Work) -> ASGIApp:
    # A lambda's kind is known only once it was called, and that happens on a thread.
    async def opened(_scope: object) -> Any:
        return work.source()

    opener = opened if work.mode == "async" else lambda _scope: work.source()
    return EventStream(opener, dialect="openai" if work.kind == "openai" else "plain")
