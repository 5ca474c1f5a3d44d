"""Who takes part: one module each, and in each `app(work)`, an ASGI app that serves that work."""

from collections.abc import Callable
from importlib import import_module

from starlette.types import ASGIApp

from benchmarks.work import Work

Maker = Callable[[Work], ASGIApp]

RAW = "raw"
PEERS = ("raw_src", "starlette", "sse_starlette", "fastapi", "litestar", "quart")
OURS = ("sse_bridge_asgi", "sse_bridge_starlette")
ALL = (RAW, *PEERS, *OURS)
# These take longer than all the others together.
QUICK = tuple(name for name in ALL if name not in ("fastapi", "litestar", "quart"))


def load(name: str) -> Maker:
    """Return what makes this contender's app; an ImportError where it is not installed."""
    maker: Maker = import_module(f"{__name__}.{name}").app
    return maker
