"""How each server is started: its name, and the arguments for run.py."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """How a server is started: on a listening descriptor, or on a port when it takes none."""

    command: Callable[[int, str, int], list[str]]  # descriptor or port, MODULE:APP, threads
    takes_socket: bool = True
    program: Path | None = None  # what a machine may lack


def _library(kind: str) -> Kind:
    return Kind(lambda fd, app, threads: ["serve", kind, str(fd), app, str(threads)])


def _gunicorn(worker: str) -> Kind:
    options = ["--no-control-socket", "--graceful-timeout", "1", "--timeout", "60"]

    def command(fd: int, app: str, threads: int) -> list[str]:
        bind = ["--bind", f"fd://{fd}", "--threads", str(threads if worker == "gthread" else 1)]
        return _module("gunicorn", *options, "--worker-class", worker, *bind, app)

    return Kind(command)


def _granian(interface: str) -> Kind:
    def command(port: int, app: str, threads: int) -> list[str]:
        options = ["--interface", interface, "--port", str(port), "--workers-kill-timeout", "1"]
        if interface == "wsgi":
            options += ["--blocking-threads", str(threads)]
        return _module("granian", *options, app)

    return Kind(command, takes_socket=False)


def _uvicorn(fd: int, app: str, threads: int) -> list[str]:
    return _module("uvicorn", "--fd", str(fd), "--timeout-graceful-shutdown", "1", app)


def _hypercorn(worker: str) -> Kind:
    options = ["--worker-class", worker, "--workers", "0", "--graceful-timeout", "1"]
    return Kind(
        lambda fd, app, threads: _module("hypercorn", *options, "--bind", f"fd://{fd}", app)
    )


# uWSGI is C: the packages `uWSGI`, compiled, and `pyuwsgi`, as wheels, both bring this program.
UWSGI = Path(sys.executable).with_name("uwsgi")


def _uwsgi(way: str) -> Kind:
    def command(where: int, app: str, threads: int) -> list[str]:
        bind = f"127.0.0.1:{where}" if way == "http" else f"fd://{where}"
        options = ["--single-interpreter", "--enable-threads", "--need-app", "--die-on-term"]
        options += ["--threads", str(threads), "--buffer-size", "16384", "--module", app]
        return ["exec", str(UWSGI), f"--{way}", bind, *options]

    # Its router, in a process of its own, takes no socket.
    return Kind(command, takes_socket=way != "http", program=UWSGI)


def _module(name: str, *arguments: str) -> list[str]:
    return ["exec", sys.executable, "-m", name, *arguments]


# Names for parametrize.
WSGI_SERVERS = {
    "werkzeug": _library("werkzeug"),
    "gunicorn-gthread": _gunicorn("gthread"),
    "gunicorn-sync": _gunicorn("sync"),
    "gunicorn-gevent": _gunicorn("gevent"),
    "waitress": _library("waitress"),
    "waitress-lookahead": _library("waitress-lookahead"),
    "cheroot": _library("cheroot"),
    "wsgiref": _library("wsgiref"),
    "granian-wsgi": _granian("wsgi"),
    "a2wsgi": _library("a2wsgi"),
    "uwsgi-http-socket": _uwsgi("http-socket"),
    "uwsgi-http": _uwsgi("http"),
}
ASGI_SERVERS = {
    "uvicorn": Kind(_uvicorn),
    "hypercorn": _hypercorn("asyncio"),
    "hypercorn-trio": _hypercorn("trio"),
    "granian-asgi": _granian("asgi"),
}
SERVERS = WSGI_SERVERS | ASGI_SERVERS

# One request at a time: a second one waits for the end of the first.
SERIAL_SERVERS = {"gunicorn-sync"}
