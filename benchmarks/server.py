"""One contender in a uvicorn of its own; the arguments are NAME KIND MODE EVENTS."""

import os
import socket
import sys
import threading
from typing import cast

import uvicorn

from . import contenders
from .work import Kind, Mode, Work


def main(name: str, kind: str, mode: str, events: str) -> None:
    """Serve until standard input ends, which it does when the harness goes, however it goes."""
    work = Work(cast("Kind", kind), cast("Mode", mode), int(events))
    app = contenders.load(name)(work)
    # uvloop would keep a stream's writes back until its app lets go, and measure less of them.
    config = uvicorn.Config(app, loop="asyncio", log_level="error", access_log=False)
    # A connection waits for its turn while the other contenders are measured.
    config.timeout_keep_alive = 600
    server = uvicorn.Server(config)
    threading.Thread(target=end_with_stdin, args=(server,), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])


def end_with_stdin(server: uvicorn.Server) -> None:
    while os.read(0, 1024):
        pass
    server.should_exit = True


if __name__ == "__main__":
    main(*sys.argv[1:])
