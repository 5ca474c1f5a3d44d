"""What becomes of a body that is to end as one that was cut."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def walk_cut(body: Iterable[bytes]) -> bytes:
    """What a body says before it is cut, as it must be."""
    told = bytearray()

    def walk() -> None:
        for piece in body:
            told.extend(piece)

    with pytest.raises(ConnectionResetError, match="failed and was cut"):
        walk()
    return bytes(told)


def read_cut(response: Any) -> bytes:
    """The same of a response of werkzeug's test client, which is then closed."""
    told = walk_cut(response.response)
    response.close()
    return told
