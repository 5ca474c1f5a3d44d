"""Real web servers in processes of their own, each serving one app of tests/servers/apps.

    @pytest.mark.parametrize("name", WSGI_SERVERS)
    def test_it_streams(serve, name):
        server = serve(name, "raw_wsgi:app")

1. The OS chooses the port: a server is handed a listening socket. One that takes none, as granian, gets
   a port that was free a moment ago, and another one if it fails to start.
2. Every process started here is ended here, with its process group: asked once, then killed. Should
   the session itself be killed, the kernel ends them (run.py).
3. Only `stop` reaps a process: until then its id and its group's are no one else's, and no signal
   can reach a stranger.

For Linux: it needs pidfds, /proc, and a parent's death signal.
"""

import contextlib
import importlib.util
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from components import missing

from .client import Connection, Response
from .kinds import ASGI_SERVERS, SERIAL_SERVERS, SERVERS, WSGI_SERVERS

HERE = Path(__file__).parent
READY = 20.0  # seconds until a server answers; a busy machine needs several
GRACE = 3.0  # seconds between asking and killing
ATTEMPTS = 3
RUN = (sys.executable, str(HERE / "run.py"))

__all__ = [
    "ASGI_SERVERS",
    "SERIAL_SERVERS",
    "WSGI_SERVERS",
    "Pool",
    "Server",
    "answers",
    "environment",
    "running",
]


@dataclass
class Server:
    name: str
    app: str
    port: int
    process: "subprocess.Popen[bytes]"
    log_path: Path
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self, since: int = 0) -> str:
        """Return what the server has printed, all of it or since a `mark()`."""
        return self.log_path.read_bytes()[since:].decode(errors="replace")

    def logged(self, text: str, since: int = 0, timeout: float = 5.0) -> int:
        """Count a text in what the server prints, once it has come up or the time is over.

        A server may print about a request after it has answered it.
        """
        end = time.monotonic() + timeout
        while text not in self.log(since) and time.monotonic() < end:
            time.sleep(0.01)
        return self.log(since).count(text)

    def mark(self) -> int:
        return self.log_path.stat().st_size

    def connect(self, timeout: float = 10.0) -> Connection:
        return Connection(self.port, timeout, self.tls)

    def get(self, path: str = "/", **headers: str) -> Response:
        """Ask on a connection of its own, which the response closes."""
        return self.connect().request("GET", path, headers)

    def post(self, path: str, body: bytes, **headers: str) -> Response:
        return self.connect().request("POST", path, headers, body)

    def ended(self, timeout: float = 0.0) -> bool:
        """Say whether the process has ended by itself, or does so within `timeout`."""
        if self.process.returncode is not None:
            return True
        pidfd = os.pidfd_open(self.process.pid)
        try:
            return bool(select.select([pidfd], [], [], timeout)[0])
        finally:
            os.close(pidfd)

    def terminate(self) -> None:
        """Tell the server to stop as a supervisor does: the process that was started, and no other."""
        if self.process.returncode is None:
            os.kill(self.process.pid, signal.SIGTERM)

    def interrupt(self) -> None:
        """Ctrl-C, for the process that was started."""
        os.kill(self.process.pid, signal.SIGINT)

    def ask_to_end(self) -> None:
        self._signal(signal.SIGTERM)

    def stop(self) -> None:
        """End the process and all it started; harmless when it has been ended already."""
        self.ask_to_end()
        self.ended(GRACE)
        self._signal(signal.SIGKILL)
        self.process.wait(GRACE)

    def _signal(self, number: int) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


@contextlib.contextmanager
def running(
    name: str,
    app: str,
    log_path: Path,
    *,
    threads: int = 8,
    env: Mapping[str, str] | None = None,
    tls: ssl.SSLContext | None = None,
) -> Iterator[Server]:
    """Start a server that answers, and end it; `tls`, how to speak with it where it speaks TLS."""
    program = SERVERS[name].program
    if program is not None and not program.exists():
        missing(f"{name} needs {program.name}, which is not installed beside this Python")

    def begin() -> Server:
        server = _start(name, app, log_path, threads, env or {})
        server.tls = tls
        return server

    attempts = 1 if SERVERS[name].takes_socket else ATTEMPTS
    with first_that_answers(begin, f"{name}, with {app},", attempts) as server:
        yield server


@contextlib.contextmanager
def first_that_answers(
    begin: Callable[[], Server], what: str, attempts: int = ATTEMPTS
) -> Iterator[Server]:
    """A server that `begin` has started, and end it; somebody else may take the port that was free."""
    for _ in range(attempts):
        server = begin()
        try:
            if answers(server):
                yield server
                return
        finally:
            server.stop()
    raise RuntimeError(f"{what} did not start:\n{server.log()}")


class Pool:
    """The servers of a test session: one process for each server, app and options.

    To be called in the main thread: a server dies with the very thread that started it.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._servers: dict[tuple[str, str, int], Server] = {}
        self._running = contextlib.ExitStack()

    def __call__(self, name: str, app: str, *, threads: int = 8) -> Server:
        """Give the server that serves this app, started if need be."""
        key = (name, app, threads)
        if key not in self._servers or self._servers[key].ended():
            log = self._directory / f"{name}-{len(self._servers)}.log"
            started = running(name, app, log, threads=threads)
            self._servers[key] = self._running.enter_context(started)
        return self._servers[key]

    def close(self) -> None:
        for server in self._servers.values():  # all at once: some take their time
            server.ask_to_end()
        self._running.close()


def _start(name: str, app: str, log_path: Path, threads: int, env: Mapping[str, str]) -> Server:
    kind = SERVERS[name]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        handed_over = [listener.fileno()] if kind.takes_socket else []
        if not handed_over:
            listener.close()
        command = [*RUN, *kind.command((handed_over or [port])[0], app, threads)]
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                command,
                cwd=HERE / "apps",
                env={**environment(), **env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=handed_over,
                start_new_session=True,
            )
    return Server(name, app, port, process, log_path)


def environment() -> dict[str, str]:
    """Let the server import the apps, and the very package that the tests import."""
    paths = [str(HERE / "apps")]
    package = importlib.util.find_spec("sse_bridge")
    if package is not None and package.origin is not None:
        paths.append(str(Path(package.origin).parents[1]))
    paths += filter(None, [os.environ.get("PYTHONPATH")])
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def answers(server: Server) -> bool:
    """Ask until there is an answer of any kind; False when the process ends or takes too long."""
    end = time.monotonic() + READY
    while time.monotonic() < end and not server.ended():
        with (
            contextlib.suppress(OSError, EOFError),
            server.connect(end - time.monotonic()) as connection,
        ):
            connection.request("HEAD", "/ready")
            return True
        time.sleep(0.02)  # until granian listens, or a worker has come up
    return False
