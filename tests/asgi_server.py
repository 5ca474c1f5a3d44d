"""One request to an ASGI app, driven by hand and held to the rules, and an app that streams."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel

EVENTS = (b"content-type", b"text/event-stream")
END = {"type": "http.response.body", "body": b"", "more_body": False}


class Server:
    """One request to an app, by the rules of ASGI; what breaks them raises."""

    def __init__(self, body: bytes = b"", method: str = "GET", headers: Any = ()) -> None:
        self.scope = {
            "type": "http",
            "method": method,
            "path": "/",
            "headers": list(headers),
            "asgi": {"version": "3.0", "spec_version": "2.3"},
        }
        self.sent: list[dict[str, Any]] = []
        self.left = anyio.Event()
        self._messages = [
            {"type": "http.request", "body": body[at : at + 4], "more_body": at + 4 < len(body)}
            for at in range(0, len(body) or 1, 4)
        ]
        self._receiving = False

    async def receive(self) -> dict[str, Any]:
        assert not self._receiving, "two read `receive` at once"
        self._receiving = True
        try:
            await anyio.lowlevel.checkpoint()
            if self._messages:
                return self._messages.pop(0)
            await self.left.wait()
            return {"type": "http.disconnect"}
        finally:
            self._receiving = False

    async def send(self, message: Any) -> None:
        types = [sent["type"] for sent in self.sent]
        if message["type"] == "http.response.start":
            assert "http.response.start" not in types
            assert all(type(name) is bytes is type(value) for name, value in message["headers"])
        if message["type"] == "http.response.body":
            assert "http.response.start" in types
            assert not self.is_over, "a body goes on after its end"
            assert type(message.get("body", b"")) is bytes
        self.sent.append(message)
        await anyio.lowlevel.checkpoint()

    @property
    def is_over(self) -> bool:
        last = self.sent[-1] if self.sent else {}
        return last.get("type") == "http.response.body" and not last.get("more_body", False)

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    async def ask(self, app: Any) -> Server:
        with anyio.fail_after(5):
            await app(self.scope, self.receive, self.send)
        return self

    async def ask_cut(self, app: Any) -> Server:
        """The same for an answer that failed in a protocol which nobody knows: it must not end like a good one."""
        await self.ask(app)
        assert not self.is_over
        return self


def app_of(pieces: Any, *headers: Any, status: int = 200) -> Any:
    """An app that sends these pieces of a body; an exception among them is raised there."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": status, "headers": [EVENTS, *headers]})
        for piece in pieces:
            if isinstance(piece, BaseException):
                raise piece
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app
