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


def _uvicorn_on(loop: str, http: str) -> Kind:
    """Uvicorn with one of its loops and one of its parsers, whatever it would choose itself."""
    options = ["--loop", loop, "--http", http, "--timeout-graceful-shutdown", "1"]
    return Kind(lambda fd, app, threads: _module("uvicorn", *options, "--fd", str(fd), app))


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

# Each loop and parser that uvicorn can have.
UVICORNS = {
    f"uvicorn {loop} {http}": _uvicorn_on(loop, http)
    for loop in ("asyncio", "uvloop")
    for http in ("h11", "httptools")
}

# As docs/deploy.md starts those that are to stop well: nothing of theirs is shorter than our grace.
RECYCLED_AFTER = 10  # requests, and a worker is replaced


def _deployed(*arguments: str, threads: str = "", port: bool = False) -> Kind:
    """`arguments` up to where the descriptor or port follows; `threads`, the option for their number."""

    def command(where: int, app: str, number: int) -> list[str]:
        *others, last = arguments
        return _module(*others, f"{last}{where}", *([threads, str(number)] if threads else []), app)

    return Kind(command, takes_socket=not port)


def _deployed_gunicorn(worker: str, *options: str) -> Kind:
    threads = "--threads" if worker == "gthread" else ""
    quiet = ("--no-control-socket", "--worker-class", worker)
    return _deployed("gunicorn", *quiet, *options, "--bind=fd://", threads=threads)


def _deployed_hypercorn(worker: str) -> Kind:
    options = ("--worker-class", worker, "--graceful-timeout", "10")
    return _deployed("hypercorn", *options, "--bind=fd://")


DEPLOYED_WSGI = {
    "deployed gunicorn gthread": _deployed_gunicorn("gthread"),
    "deployed gunicorn gevent": _deployed_gunicorn("gevent"),
    "deployed gunicorn gthread --preload": _deployed_gunicorn("gthread", "--preload"),
    "deployed granian wsgi": _deployed(
        "granian", "--interface", "wsgi", "--port=", threads="--blocking-threads", port=True
    ),
    "deployed waitress": _deployed(
        "waitress", "--listen=127.0.0.1:", threads="--threads", port=True
    ),
}
DEPLOYED_HOOK = {
    "deployed gunicorn gthread, hook": _deployed_gunicorn(
        "gthread", "--config", "stopping_hook.py"
    ),
}
DEPLOYED_ASGI = {
    "deployed uvicorn": _deployed("uvicorn", "--fd="),
    "deployed hypercorn": _deployed_hypercorn("asyncio"),
    "deployed hypercorn trio": _deployed_hypercorn("trio"),
    "deployed granian asgi": _deployed("granian", "--interface", "asgi", "--port=", port=True),
    "deployed gunicorn uvicorn": _deployed_gunicorn("uvicorn.workers.UvicornWorker"),
}
_LIMIT = ("--max-requests", str(RECYCLED_AFTER))
RECYCLING = {
    "recycling uvicorn": _deployed("uvicorn", "--limit-max-requests", str(RECYCLED_AFTER), "--fd="),
    "recycling gunicorn gthread": _deployed_gunicorn("gthread", *_LIMIT),
    "recycling gunicorn uvicorn": _deployed_gunicorn("uvicorn.workers.UvicornWorker", *_LIMIT),
}
SERVERS = (
    WSGI_SERVERS
    | ASGI_SERVERS
    | UVICORNS
    | DEPLOYED_WSGI
    | DEPLOYED_HOOK
    | DEPLOYED_ASGI
    | RECYCLING
)

# One request at a time: a second one waits for the end of the first.
SERIAL_SERVERS = {"gunicorn-sync"}
