"""A process that forks with streams open, a scene at a time: `python -m forking SCENE` prints what came of it.

A scene gives what the child saw, what the parent saw, and in `calls` who of the two called what.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import json
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import sse_bridge
from driving import on_anyio
from sse_bridge import Ending, hangup, interrupt, pursuit
from sse_bridge.drivers import writes
from sse_bridge.drivers.threads import Body
from sse_bridge.drivers.walkers import own_threads
from sse_bridge.loops import background
from sse_bridge.options import Options
from sse_bridge.registry import streams

PATIENCE = 10.0
PARENT = os.getpid()
NOTES = Path(tempfile.mkstemp()[1])  # both write to it


def note(word: str) -> None:
    who = "parent" if os.getpid() == PARENT else "child"
    with NOTES.open("a") as notes:
        notes.write(f"{who}: {word}\n")


def noted(word: str) -> Callable[..., None]:
    return lambda *_: note(word)


def in_child(call: Callable[[], Any]) -> Any:
    """What the call gives in a forked child; "hung" if it does not come back."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            seen = json.dumps(call())
        except BaseException as error:
            seen = json.dumps(repr(error))
        os.write(writing, seen.encode())
        os._exit(0)
    os.close(writing)
    is_heard = select.select([reading], [], [], PATIENCE)[0]
    seen = os.read(reading, 65536).decode() if is_heard else '"hung"'
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return json.loads(seen)


class Source:
    """Says a word, waits until it is let go, and says another."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def sync(self) -> Iterator[str]:
        try:
            yield "a"
            self.go.wait(PATIENCE)
            yield "b"
        finally:
            note("source closed")

    async def task(self) -> AsyncIterator[str]:
        try:
            yield "a"
            while not self.go.is_set():  # noqa: ASYNC110 - by a thread
                await asyncio.sleep(0.01)
            yield "b"
        finally:
            note("source closed")


def opened(source: Any, **options: Any) -> Body:
    body = Body(source, Options(**options), contextvars.copy_context())
    next(body)
    return body


def rest(body: Body) -> str:
    return b"".join(body).decode()


def told() -> dict[str, Any]:
    calls = sorted(NOTES.read_text().splitlines())
    return {"calls": calls, "open": streams.open, "stragglers": streams.stragglers}


def served() -> list[str]:
    """What fresh streams of both kinds say."""
    source = Source()
    source.go.set()
    options, context = Options(), contextvars.copy_context()
    return [rest(Body(given, options, context)) for given in (source.sync(), source.task())]


# -- scenes ----------------------------------------------------------------------------------------


def with_open_stream(kind: str, does: Callable[[list[Body]], Any]) -> Any:
    """The child does this to a stream of its parent's, whose own way then goes on."""
    source = Source()
    given = getattr(source, kind)()
    bodies = [opened(given, on_end=noted("on_end"), cancel=noted("cancel"))]
    child = in_child(lambda: does(bodies))
    source.go.set()
    return {"child": child, "parent": rest(bodies[0]), **told()}


def looks(_: list[Body]) -> Any:
    return [streams.open, streams.stragglers, sse_bridge.closing()]


def closes(bodies: list[Body]) -> Any:
    bodies[0].close()
    bodies[0].close()
    time.sleep(0.2)  # until a thread of ours has done its worst
    return [streams.open, streams.stragglers, list(bodies[0]) == [], threads_of_ours()]


def drops(bodies: list[Body]) -> Any:
    bodies.clear()
    gc.collect()
    time.sleep(0.2)
    return [streams.open, streams.stragglers, threads_of_ours()]


def shuts_down(_: list[Body]) -> Any:
    sse_bridge.shutdown(0)
    time.sleep(0.3)
    return streams.open


def serves(_: list[Body]) -> Any:
    return served()


def threads_of_ours() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "sse_bridge" in thread.name]


def child_exits(kind: str) -> Any:
    """Not by os._exit: its interpreter takes everything apart."""
    source = Source()
    body = opened(getattr(source, kind)(), on_end=noted("on_end"), cancel=noted("cancel"))
    child = os.fork()
    if child == 0:
        sys.exit(7)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    source.go.set()
    return {"child": code, "parent": rest(body), **told()}


def with_locks_held() -> Any:
    """Other threads are in the middle of everything."""
    body = opened(Source().sync())
    held, release = threading.Barrier(2), threading.Event()
    locks: list[Any] = [
        streams._lock,
        background._background._lock,
        pursuit._pursuit._changed,
        hangup._watcher.lock,
        writes._lookout._changed,
        own_threads._lock,
        interrupt._quiet,
        sse_bridge.stopping._shutdown._lock,
    ]

    def hold() -> None:
        with ExitStack() as stack:
            for lock in locks:
                stack.enter_context(lock)
            held.wait()
            release.wait()

    threading.Thread(target=hold, daemon=True).start()
    held.wait()
    child = in_child(lambda: [*served(), watched(), gc.isenabled()])
    release.set()
    body.close()
    return {"child": child, **told()}


def watched() -> bool:
    """Whether a client that hangs up is noticed in this process."""
    here, there = socket.socketpair()
    watch = hangup.watch({"werkzeug.socket": here, "wsgi.input": None})
    body = Body(Source().sync(), Options(), contextvars.copy_context(), watch=lambda: watch)
    next(body)
    there.close()
    return rest(body) == "" and body._stream.ending is Ending.GONE


def while_shutting_down() -> Any:
    streams.close()
    return {"child": in_child(lambda: [sse_bridge.closing(), *served()]), **told()}


def source_forks(exits: str) -> Any:
    """A source forks on its own thread, and the child comes back up through all of it."""
    children: list[int] = []

    def source() -> Iterator[str]:
        yield "a"
        child = os.fork()
        if child == 0:
            if exits == "at once":
                os._exit(7)
            raise SystemExit(7)
        children.append(child)
        yield "b"

    options = Options(on_end=noted("on_end"), cancel=noted("cancel"))
    parent = rest(Body(source(), options, contextvars.copy_context()))
    return {"child": code_of(children[0]), "parent": parent, **told()}


def code_of(child: int) -> Any:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def task_forks(kind: str) -> Any:
    """Under ASGI: another request's task forks, and its child leaves by an exception."""
    source = Source()
    children: list[int] = []

    async def fork() -> None:
        child = os.fork()
        if child == 0:
            raise SystemExit(7)
        children.append(child)
        source.go.set()

    async def main() -> bytes:
        options = Options(on_end=noted("on_end"), cancel=noted("cancel"))
        streaming = asyncio.ensure_future(on_anyio(getattr(source, kind)(), options))
        await asyncio.sleep(0.1)
        await asyncio.ensure_future(fork())
        # The child closes its copy of the loop, and with it takes the loop's own pipe out of the epoll
        # that both share: what wakes the parent by that pipe is not heard any more, only time is.
        while not streaming.done():
            await asyncio.wait([streaming], timeout=0.02)
        return streaming.result()

    parent = asyncio.run(main()).decode()
    return {"child": code_of(children[0]), "parent": parent, **told()}


def child_of_child() -> Any:
    body = opened(Source().sync(), on_end=noted("on_end"))

    def middle() -> Any:
        mine = opened(Source().sync(), on_end=noted("on_end"))
        grandchild = in_child(lambda: [streams.open, mine.close(), body.close(), served()])
        return [streams.open, grandchild]

    child = in_child(middle)
    return {"child": child, **told()}


SCENES: dict[str, Callable[..., Any]] = {
    "looks": lambda kind: with_open_stream(kind, looks),
    "closes": lambda kind: with_open_stream(kind, closes),
    "drops": lambda kind: with_open_stream(kind, drops),
    "shuts down": lambda kind: with_open_stream(kind, shuts_down),
    "serves": lambda kind: with_open_stream(kind, serves),
    "exits": child_exits,
    "locks": with_locks_held,
    "shutting down": while_shutting_down,
    "source forks": source_forks,
    "task forks": task_forks,
    "grandchild": child_of_child,
}

if __name__ == "__main__":
    scene, *arguments = sys.argv[1:]
    outcome = SCENES[scene](*arguments)
    print(json.dumps(outcome), flush=True)
    NOTES.unlink(missing_ok=True)
    os._exit(0)  # what is still open is the scene's own
