"""The limit: a bare ASGI app that sends one frame, built beforehand, for each event."""

from starlette.types import ASGIApp, Receive, Scope, Send

from benchmarks.work import Work

from .raw_src import BODY, END, START, encoder


def app(work: Work) -> ASGIApp:
    frames = [encoder(work.kind)(chunk) for chunk in work.chunks()]

    async def respond(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        for frame in frames:
            await send({"type": BODY, "body": frame, "more_body": True})
        await send(END)

    return respond
