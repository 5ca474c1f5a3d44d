"""Who may ask the model: programs, and pages of this app; no page elsewhere that a browser shows.

ALLOWED_HOSTS has the names, besides this machine's own, under which the app is reached.
ALLOWED_ORIGINS has the front ends elsewhere that may ask, like `https://chat.example`. Both are
lists with spaces between. "Who may ask your model" in docs/faces.md says why.
"""

import os
import re

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = {"localhost", "127.0.0.1", "[::1]", *os.environ.get("ALLOWED_HOSTS", "").lower().split()}
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split()
LONGEST = 1 << 20  # bytes of a question
# A page elsewhere may not lay ours under a button of its own.
UNFRAMED = {"Content-Security-Policy": "frame-ancestors 'none'"}


def refusal(request: Request) -> Response | None:
    host, origin = request.headers.get("Host", "").lower(), request.headers.get("Origin", "")
    if re.sub(r":\d+\Z", "", host) not in HOSTS:  # a stranger's name that was made to lead here
        told = f"The host {host!r} is not known here: if it is yours, add it to ALLOWED_HOSTS."
        return PlainTextResponse(told, 400)
    if request.method in ("GET", "HEAD", "OPTIONS"):  # these ask no model
        return None
    if origin not in ORIGINS and comes_from_elsewhere(request, host, origin):
        told = f"{origin!r} may not ask: if it is yours, add it to ALLOWED_ORIGINS."
        return PlainTextResponse(told, 403)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # the others may be sent by any page, unasked
        return PlainTextResponse("Send application/json.", 415)
    return None


def comes_from_elsewhere(request: Request, host: str, origin: str) -> bool:
    """What the browser says of the page that asks; a program says nothing."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    return bool(origin) and origin.partition("://")[2] != host


def limited(receive: Receive) -> Receive:
    length = 0

    async def receive_counted() -> Message:
        nonlocal length
        message = await receive()
        length += len(message.get("body", b""))
        if length > LONGEST:
            raise HTTPException(413)
        return message

    return receive_counted


class Guard:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif response := refusal(Request(scope)):
            await response(scope, receive, send)
        else:
            await self.app(scope, limited(receive), send)


MIDDLEWARE = [
    Middleware(
        CORSMiddleware, allow_origins=ORIGINS, allow_methods=["GET", "POST"], allow_headers=["*"]
    ),
    Middleware(Guard),
]
