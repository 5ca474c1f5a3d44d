"""For tests of streaming endpoints, also endless ones: in-process clients for WSGI and ASGI, and a pytest fixture.

    with Client(app).stream("GET", "/count") as stream:
        first, second, third = stream.take(3)

Importing it needs neither pytest nor anyio: the fixture needs pytest, ASGI apps and `AsyncClient` need anyio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clients import AsyncClient, Client

if TYPE_CHECKING:
    from .fixture import no_open_streams

__all__ = ["AsyncClient", "Client", "no_open_streams"]


def __getattr__(name: str) -> Any:
    """The fixture: pytest is imported only when it is accessed."""
    if name != "no_open_streams":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .fixture import no_open_streams

    return no_open_streams
