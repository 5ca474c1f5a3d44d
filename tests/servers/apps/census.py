"""What this process has open: a test compares it before and after."""

import asyncio
import gc
import os
import re
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

from sse_bridge.registry import streams

GENERATORS: Counter[str] = Counter()  # started, closed

# Pools that grow as they please; nothing of ours.
POOLS = re.compile(r"ThreadPoolExecutor-|AnyIO worker|asyncio_|waitress-")


def counted(chunks: Any) -> Iterator[Any]:
    GENERATORS["started"] += 1
    try:
        yield from chunks()
    finally:
        GENERATORS["closed"] += 1


async def async_counted(chunks: Any) -> AsyncIterator[Any]:
    GENERATORS["started"] += 1
    try:
        async for chunk in await chunks():
            yield chunk
    finally:
        GENERATORS["closed"] += 1


def census(loop: asyncio.AbstractEventLoop, clients: list[Any]) -> dict[str, int]:
    gc.collect()
    pooled = [c for client in clients for c in client._client._transport._pool.connections]
    idle = sum(connection.is_idle() for connection in pooled)
    threads = Counter(t.name for t in threading.enumerate() if not POOLS.match(t.name))
    return {
        "descriptors": len(os.listdir("/proc/self/fd")) - idle,
        "tasks": len(asyncio.all_tasks(loop)),
        "busy connections": len(pooled) - idle,
        "streams": streams.open,
        "stragglers": streams.stragglers,
        "unclosed": GENERATORS["started"] - GENERATORS["closed"],
        **threads,
    }
