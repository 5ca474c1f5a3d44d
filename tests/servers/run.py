"""Run one server: `run.py serve KIND FD MODULE:APP THREADS`, or `run.py exec COMMAND...`.

Servers with a command line of their own are executed in place of this process, the others are
called as a library. Either way the server dies with the test session that started it.
"""

import ctypes
import importlib
import os
import signal
import socket
import sys
from typing import Any

PR_SET_PDEATHSIG = 1


def main(mode: str, *arguments: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if mode == "exec":
        os.execv(arguments[0], arguments)
    kind, fd, name, threads = arguments
    os.dup2(
        int(fd), 3
    )  # cheroot takes over a socket in systemd's way, which hands it over as number 3
    module, _, attribute = name.partition(":")
    app = getattr(importlib.import_module(module), attribute)
    KINDS[kind](int(fd), app, int(threads))


def werkzeug(fd: int, app: Any, threads: int) -> None:
    from werkzeug.serving import make_server

    make_server("127.0.0.1", 0, app, threaded=True, fd=fd).serve_forever()


def waitress(fd: int, app: Any, threads: int, lookahead: int = 0) -> None:
    from waitress.server import create_server

    create_server(
        app, sockets=[listener(fd)], threads=threads, channel_request_lookahead=lookahead
    ).run()


def waitress_lookahead(fd: int, app: Any, threads: int) -> None:
    waitress(fd, app, threads, lookahead=1)


def cheroot(fd: int, app: Any, threads: int) -> None:
    from cheroot.wsgi import Server

    os.environ["LISTEN_PID"] = str(os.getpid())
    Server(("127.0.0.1", 0), app, numthreads=threads).safe_start()


def wsgiref(fd: int, app: Any, threads: int) -> None:
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
    server.socket.close()
    server.socket = listener(fd)
    server.server_name, server.server_port = "127.0.0.1", server.socket.getsockname()[1]
    server.setup_environ()
    server.set_app(app)
    server.serve_forever()


def a2wsgi(fd: int, app: Any, threads: int) -> None:
    import uvicorn
    from a2wsgi import WSGIMiddleware

    uvicorn.run(
        WSGIMiddleware(app, workers=threads), fd=fd, lifespan="off", timeout_graceful_shutdown=1
    )


def listener(fd: int) -> socket.socket:
    return socket.socket(fileno=fd)


KINDS = {
    "a2wsgi": a2wsgi,
    "cheroot": cheroot,
    "waitress": waitress,
    "waitress-lookahead": waitress_lookahead,
    "werkzeug": werkzeug,
    "wsgiref": wsgiref,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
