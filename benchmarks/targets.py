"""Rows' targets in a few words: how far this library is to come, for one of its faces or for all."""

from collections.abc import Iterable

from .contenders import OURS
from .row import Target

ASGI, STARLETTE = OURS


def most(row: str, against: str, limit: float, who: Iterable[str] = OURS) -> list[Target]:
    return [Target(row, contender, against, limit) for contender in who]


def each(
    row: str, against: str, starlette: float, asgi: float, least: bool = False
) -> list[Target]:
    """Return a target for Starlette's face, and another for bare ASGI."""
    return [
        Target(row, STARLETTE, against, starlette, least),
        Target(row, ASGI, against, asgi, least),
    ]
