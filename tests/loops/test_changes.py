"""What several tasks wait for at once."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from sse_bridge.loops.changes import Changes

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_whoever_waits_looks_again_and_whoever_comes_later_waits_for_the_next():
    changes, looked = Changes(), []
    changes.tell()  # nobody waits yet

    async def look(name: str) -> None:
        await changes.wait()
        looked.append(name)

    async def turn() -> list[str]:
        await anyio.wait_all_tasks_blocked()
        return sorted(looked)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look, "a")
            tasks.start_soon(look, "b")
            assert await turn() == []
            changes.tell()
            assert await turn() == ["a", "b"]
            tasks.start_soon(look, "c")
            assert await turn() == ["a", "b"]
            changes.tell()
    assert looked[2:] == ["c"]
