"""What `inprocess` measures, with trio's loop under the app instead of asyncio's."""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import trio
from starlette.types import ASGIApp

from . import contenders
from .inprocess import Exchange, count_for, refuse_fewer, refuse_other_events, serve
from .measure import Field, Sampler, frozen
from .work import Work

ASYNCIO_ONLY = ("quart",)


@contextmanager
def field(work: Work, names: tuple[str, ...]) -> Iterator[Field]:
    """Yield samplers of the CPU seconds that this process spends on one stream of this work."""
    entered = Field()
    for name in names:
        if name in ASYNCIO_ONLY:
            entered.absent[name] = "it runs on asyncio only"
        else:
            entered.enter(name, partial(sampler, name, work))
    with frozen():
        yield entered


def sampler(name: str, work: Work) -> Sampler:
    app = contenders.load(name)(work)
    trio.run(check, app, work)
    count = count_for(trio.run(streams, app, work, 1))

    def sample() -> float:
        gc.collect()
        return trio.run(streams, app, work, count) / count

    return sample


async def check(app: ASGIApp, work: Work) -> None:
    """Raise where the app does not send exactly the events of this work."""
    exchange = Exchange(keep=True, over=trio.Event())
    with trio.fail_after(30):
        await serve(app, exchange)
    refuse_other_events(work, b"".join(exchange.kept or ()))


async def streams(app: ASGIApp, work: Work, count: int) -> float:
    """Return the CPU seconds of that many streams, one after another, each in a task of its own."""
    exchanges = [Exchange(over=trio.Event()) for _ in range(count)]
    start = time.process_time()
    for exchange in exchanges:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, app, exchange)
    took = time.process_time() - start
    refuse_fewer(work, exchanges)
    return took
