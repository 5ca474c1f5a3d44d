"""The CPU that a fresh Python spends on importing a package, beyond starting itself."""

import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from .measure import Field, Sampler

BARE = "python"
MODULES = (
    "sse_bridge",
    "sse_bridge.wsgi",
    "sse_bridge.asgi",
    "flask",
    "sse_bridge.flask",
    "starlette.responses",
    "sse_bridge.starlette",
    "sse_starlette",
    "fastapi",
    "litestar",
    "quart",
    "httpx_sse",
)


@contextmanager
def field(_names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds of a process that imports one module and ends."""
    entered = Field()
    entered.enter(BARE, partial(sampler, "pass"))
    for module in MODULES:
        entered.enter(module, partial(sampler, f"import {module}"))
    yield entered


def sampler(statement: str) -> Sampler:
    sample = partial(cpu_of, statement)
    sample()  # The first time also compiles.
    return sample


def cpu_of(statement: str) -> float:
    before = children_cpu()
    done = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return children_cpu() - before


def children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
