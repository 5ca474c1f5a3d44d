"""Quart's response made of a generator, with hand-written frames, as its docs advise."""

from typing import cast

from quart import Quart, Response
from starlette.types import ASGIApp

from benchmarks.work import Work

from .starlette import async_frames, sync_frames


def app(work: Work) -> ASGIApp:
    quart = Quart(__name__)
    frames = sync_frames if work.mode == "sync" else async_frames

    @quart.get("/")
    async def respond() -> Response:
        response = Response(frames(work), mimetype="text/event-stream")
        response.timeout = None  # Or Quart would end the stream after a minute.
        return response

    return cast("ASGIApp", quart)
