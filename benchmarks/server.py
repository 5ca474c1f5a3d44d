"""One contender in a server of its own; the arguments are SERVER NAME PACE KIND MODE EVENTS PING.

It prints its port, and ends with standard input, which ends with the harness, however that ends.
"""

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from starlette.types import ASGIApp, Receive, Scope, Send

from . import over_apps, over_flask, uvicorns
from .over_apps import Pace, Paced
from .uvicorns import KEEP_ALIVE
from .work import Kind, Mode

# Made as they are needed, and each stream takes one.
THREADS = 128


def work_of(pace: str, kind: str, mode: str, events: str, ping: str) -> Paced:
    paced = cast("Pace", pace)
    return Paced(cast("Kind", kind), cast("Mode", mode), int(events), paced, float(ping))


def uvicorn(server: str, name: str, work: Paced) -> None:
    import uvicorn

    config = uvicorns.config(server, over_apps.app(name, work))
    config.load()  # what is not installed is missed before the port is told
    config.get_loop_factory()
    end_with_stdin(lambda: os._exit(0))
    uvicorn.Server(config).run(sockets=[listener()])


def hypercorn(name: str, work: Paced) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener().detach()}"]
    config.keep_alive_timeout = KEEP_ALIVE
    config.loglevel = "ERROR"
    end_with_stdin(lambda: os._exit(0))
    asyncio.run(serve(cast("Any", over_apps.app(name, work)), config))


def gunicorn(name: str, work: Paced) -> None:
    from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped,unused-ignore]

    options = {
        "bind": f"fd://{listener().detach()}",
        "worker_class": "gthread",
        "threads": THREADS,
        "keepalive": KEEP_ALIVE,
        "graceful_timeout": 0,
        "loglevel": "error",
        "control_socket_disable": True,
        # The worker's own watch: it too may outlive whoever started it.
        "post_fork": lambda _server, _worker: end_with_stdin(lambda: os._exit(0)),
    }

    class Application(BaseApplication):  # type: ignore[misc,unused-ignore]
        def load_config(self) -> None:
            for key, value in options.items():
                if key in self.cfg.settings:  # older ones have no control socket
                    self.cfg.set(key, value)

        def load(self) -> over_flask.WSGIApp:
            return over_flask.app(name, work)

    end_with_stdin(ask_to_end)
    Application().run()


def granian(_name: str, _work: Paced) -> None:
    from granian import Granian
    from granian.constants import Interfaces, Loops

    with socket.create_server(("127.0.0.1", 0)) as free:  # it takes no socket, but a number
        port = free.getsockname()[1]
    server = Granian(
        f"{__package__}.server:granian_app",
        port=port,
        interface=Interfaces.ASGI,
        loop=Loops.asyncio,
        log_enabled=False,
        workers_kill_timeout=1,
    )
    end_with_stdin(ask_to_end)
    threading.Thread(target=announce, args=(port,), daemon=True).start()
    server.serve()


async def granian_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve what granian's own worker reads from the arguments of the process that started it."""
    if not LOADED:
        _, name, *rest = sys.argv[1:]
        LOADED.append(over_apps.app(name, work_of(*rest)))
    await LOADED[0](scope, receive, send)


LOADED: list[ASGIApp] = []


def listener() -> socket.socket:
    """Listen on a port of the system's choice, and print it."""
    # Where a socket does not say that it speaks TCP, asyncio leaves Nagle's algorithm on.
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.bind(("127.0.0.1", 0))
    made.listen(2048)
    print(made.getsockname()[1], flush=True)
    return made


def announce(port: int) -> None:
    """Print the port when something listens there."""
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.02)
        else:
            print(port, flush=True)
            return


def end_with_stdin(end: Callable[[], object]) -> None:
    def wait() -> None:
        while os.read(0, 1024):
            pass
        end()

    threading.Thread(target=wait, daemon=True).start()


def ask_to_end() -> None:
    """Let the server end the processes that it has started."""
    os.kill(os.getpid(), signal.SIGTERM)


SERVERS: dict[str, Callable[[str, Paced], None]] = {
    **{server: partial(uvicorn, server) for server in uvicorns.LOOP_AND_PARSER},
    "hypercorn": hypercorn,
    "granian": granian,
    "gunicorn": gunicorn,
}


def main(server: str, name: str, *work: str) -> None:
    SERVERS[server](name, work_of(*work))


if __name__ == "__main__":
    main(*sys.argv[1:])
