"""The base of all doubles: a server on its own thread that gives each request the next answer."""

import asyncio
import contextlib
import math
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from .answers import Answer, Fault, HttpError, Reply
from .delivery import Delivery, Gate, head, to_json
from .link import Link, Request

PATIENCE = 5.0  # seconds for the thread to start, and to end


class Double(ABC):
    """`with Double(answer) as double:` gives `answer` to every request, after what was queued."""

    paths: ClassVar[tuple[str, ...]]
    stream_headers: ClassVar[Mapping[str, str]]

    def __init__(self, answer: Answer | None = None) -> None:
        self.answer: Answer = answer or Reply()
        self.requests: list[Request] = []
        self.port = 0
        self._queued: deque[Answer] = deque()
        self._arrived = threading.Condition()
        self._ready = threading.Event()
        self._links: list[Link] = []
        self._errors: list[Exception] = []
        self._on_exit = contextlib.ExitStack()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    # What a vendor adds.

    @abstractmethod
    def wants_stream(self, request: Request) -> bool: ...

    @abstractmethod
    def frames(self, reply: Reply, request: Request) -> list[bytes]: ...

    @abstractmethod
    def whole(self, reply: Reply, request: Request) -> dict[str, Any]:
        """Answer a client that did not ask for a stream."""

    @abstractmethod
    def fault(self, fault: Fault, position: int) -> bytes: ...

    @abstractmethod
    def refusal(self, error: HttpError) -> tuple[str, bytes]:
        """Content type and body of an answer that is an error from the start."""

    # What a test does.

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def queue(self, *answers: Answer) -> None:
        """Give these to the next requests, one each."""
        self._queued.extend(answers)

    def release(self, frames: int = 1) -> None:
        """Let so many more frames of gated answers leave."""
        self._loop.call_soon_threadsafe(self._gate.add, frames)

    def release_all(self) -> None:
        self._loop.call_soon_threadsafe(self._gate.add, math.inf)

    def wait_for_request(self, count: int = 1, timeout: float = 5.0) -> Request:
        """Wait for the request number `count`, and fail if it does not come."""
        with self._arrived:
            came = self._arrived.wait_for(lambda: len(self.requests) >= count, timeout)
        assert came, f"{len(self.requests)} requests have come, not {count}"
        return self.requests[count - 1]

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(PATIENCE), "the double did not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._on_exit.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the double did not end"
        if self._errors:
            raise self._errors[0]

    # How it serves.

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._gate, self._stop = Gate(), asyncio.Event()
        server = await self._loop.create_server(self._new_link, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for link in self._links:
            link.abort()
        await asyncio.sleep(0)  # the links learn of their end, and cancel their answers

    def _new_link(self) -> Link:
        self._links.append(link := Link(self._serve))
        return link

    async def _serve(self, request: Request) -> None:
        with self._arrived:
            self.requests.append(request)
            self._arrived.notify_all()
        try:
            await self._give(self._choose(request), request)
        except Exception as error:
            self._errors.append(error)
            request.link.abort()

    def _choose(self, request: Request) -> Answer:
        if request.path.partition("?")[0] not in self.paths:
            return HttpError(404, f"there is no {request.path} here", "not_found")
        return self._queued.popleft() if self._queued else self.answer

    async def _give(self, answer: Answer, request: Request) -> None:
        if isinstance(answer, HttpError):
            kind, body = self.refusal(answer)
            await self._give_whole(
                request, answer.status, {"Content-Type": kind, **answer.headers}, body
            )
        elif self.wants_stream(request):
            await Delivery(answer, request, self.stream_headers, self.fault, self._gate).run(
                self.frames(answer, request)
            )
        else:
            body = to_json(self.whole(answer, request))
            await self._give_whole(request, 200, {"Content-Type": "application/json"}, body)

    async def _give_whole(
        self, request: Request, status: int, headers: Mapping[str, str], body: bytes
    ) -> None:
        request.finished.set()
        await request.link.write(head(status, {**headers, "Content-Length": str(len(body))}) + body)
