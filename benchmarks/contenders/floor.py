"""The least that any app costs which stops its source and hears its client leave, and no more than that.

The source runs in a task of its own, so that it can be cancelled; another task listens to `receive`; and the
source begins only after the loop has turned so often that a client which had left before would have been heard.
There is no error handling, no keep-alive, no option, no summary: what a library costs comes on top.
"""

import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.work import Work

from .raw_src import BODY, START, encoder

# As many as it takes where a middleware of Starlette's is between uvicorn and the app.
TURNS = 5


def app(work: Work) -> ASGIApp:
    encode = encoder(work.kind)

    async def respond(_scope: Scope, receive: Receive, send: Send) -> None:
        frames: list[bytes] = []

        async def listen() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        async def run() -> None:
            frames.extend([encode(chunk) async for chunk in work.source()])

        listening = asyncio.create_task(listen())
        for _ in range(TURNS):
            await asyncio.sleep(0)
        await asyncio.create_task(run())
        await send(START)
        await send({"type": BODY, "body": b"".join(frames), "more_body": False})
        listening.cancel()

    return respond
