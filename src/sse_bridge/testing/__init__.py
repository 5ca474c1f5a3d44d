"""For tests of endpoints that stream, endlessly too: in-process clients for WSGI and ASGI, and a pytest fixture.

    with Client(app).stream("GET", "/count") as stream:
        first, second, third = stream.take(3)

Neither pytest nor anyio is needed for importing it: the fixture asks for the one, ASGI apps and `AsyncClient`
for the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .clients import AsyncClient, Client

if TYPE_CHECKING:
    from .fixture import no_open_streams

__all__ = ["AsyncClient", "Client", "no_open_streams"]


def __getattr__(name: str) -> Any:
    """The fixture, for which pytest is loaded only when it is asked for."""
    if name != "no_open_streams":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .fixture import no_open_streams

    return no_open_streams
