"""What the tests of the ASGI middleware and of the apps in it have in common."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sse_bridge.registry import streams


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def no_stream_is_left() -> Iterator[None]:
    open_before = streams.open
    yield
    assert streams.open == open_before
