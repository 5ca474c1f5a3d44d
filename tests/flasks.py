"""Flask apps of one streaming view, and how to ask them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from flask import Flask

from sse_bridge.flask import event_stream

DONE = b"event: done\nid: [DONE]\ndata: [DONE]\n\n"


def get(app: Flask, path: str = "/", **arguments: Any) -> Any:
    """Ask, and read the whole answer."""
    with app.test_client() as client:
        response = client.get(path, **arguments)
        response.get_data()
        return response


def route(app: Flask, view: Any, **options: Any) -> None:
    app.add_url_rule("/", view_func=event_stream(**options)(view), methods=["GET", "POST", "PUT"])


def generator() -> Iterator[str]:
    yield from ["a", "b"]


async def async_generator() -> AsyncIterator[str]:
    yield "a"
    await asyncio.sleep(0)
    yield "b"


def returns_callable() -> Any:
    return generator
