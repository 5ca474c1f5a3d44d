"""Who may ask the model: programs, and pages of this app; no page elsewhere that a browser shows.

ALLOWED_HOSTS has the names, besides this machine's own, under which the app is reached.
ALLOWED_ORIGINS has the front ends elsewhere that may ask, like `https://chat.example`. Both are
lists with spaces between. "Who may ask your model" in docs/faces.md says why.
"""

import os
import re

from flask import Flask, Response, abort, request

HOSTS = {"localhost", "127.0.0.1", "[::1]", *os.environ.get("ALLOWED_HOSTS", "").lower().split()}
ORIGINS = os.environ.get("ALLOWED_ORIGINS", "").split()
LONGEST = 1 << 20  # bytes of a question
# A page elsewhere may not lay ours under a button of its own.
UNFRAMED = {"Content-Security-Policy": "frame-ancestors 'none'"}


def guard(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = LONGEST
    app.before_request(refuse_strangers)
    app.after_request(let_friends_read)


def refuse_strangers() -> None:
    host, origin = request.headers.get("Host", "").lower(), request.headers.get("Origin", "")
    if re.sub(r":\d+\Z", "", host) not in HOSTS:  # a stranger's name that was made to lead here
        abort(400, f"The host {host!r} is not known here: if it is yours, add it to ALLOWED_HOSTS.")
    if request.method in ("GET", "HEAD", "OPTIONS"):  # these ask no model
        return
    if origin not in ORIGINS and comes_from_elsewhere(host, origin):
        abort(403, f"{origin!r} may not ask: if it is yours, add it to ALLOWED_ORIGINS.")
    if request.mimetype != "application/json":  # the others may be sent by any page, unasked
        abort(415, "Send application/json.")


def comes_from_elsewhere(host: str, origin: str) -> bool:
    """What the browser says of the page that asks; a program says nothing."""
    if site := request.headers.get("Sec-Fetch-Site"):
        return site not in ("same-origin", "none")
    return bool(origin) and origin.partition("://")[2] != host


def let_friends_read(response: Response) -> Response:
    response.vary.add("Origin")
    if (origin := request.headers.get("Origin", "")) in ORIGINS:
        response.headers["Access-Control-Allow-Origin"] = origin
        if wanted := request.headers.get("Access-Control-Request-Headers"):
            response.headers["Access-Control-Allow-Headers"] = wanted
    return response
