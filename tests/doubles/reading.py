"""What tests do with a stream that is going to break."""

from collections.abc import Iterable
from typing import Any

import pytest


def read_until_failure(chunks: Iterable[Any]) -> tuple[list[Any], Exception]:
    """Read what a stream gives before it fails, and the failure."""
    seen: list[Any] = []
    try:
        for chunk in chunks:
            seen += [chunk]
    except Exception as error:
        return seen, error
    pytest.fail("the stream ended well")
