"""A server's processes, seen from outside: their CPU time, their memory, their end."""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from .over_apps import Paced

PATIENCE = 30.0


@dataclass(frozen=True)
class Setting:
    """Which server, what each stream of it is, how many at once, and how it is sampled.

    `who`: those who take part in place of all; `seconds`: the CPU time of one sample, at least.
    """

    server: str
    work: Paced
    clients: int = 1
    who: tuple[str, ...] = ()
    seconds: float = 0.06

    def servers(self, names: tuple[str, ...]) -> dict[str, "Server"]:
        """Start all of them before the first is awaited: importing is most of what they do."""
        return {name: Server(self.server, name, self.work) for name in self.who or names}


class Server:
    """A contender's server; leaving the context ends it."""

    def __init__(self, server: str, name: str, work: Paced) -> None:
        command = [sys.executable, "-m", f"{__package__}.server", server, name]
        command += [work.pace, work.kind, work.mode, str(work.events), str(work.ping)]
        pipe = subprocess.PIPE
        # A file takes all that a server may complain of, where a pipe would block it.
        self.complaints = tempfile.TemporaryFile()  # noqa: SIM115 - `__exit__` closes it
        self.process = subprocess.Popen(
            command, bufsize=0, stdin=pipe, stdout=pipe, stderr=self.complaints
        )
        self.known_port: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.complaints.close()

    def port(self) -> int:
        """Wait until the server listens; raise its last word where it never will."""
        if self.known_port is None:
            self.known_port = int(self.line())
        return self.known_port

    def line(self) -> str:
        """Return the next line that the server prints."""
        assert self.process.stdout
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            raise TimeoutError(f"not a word for {PATIENCE:g} seconds; before: {self.last_word()}")
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(timeout=PATIENCE)
            raise RuntimeError(self.last_word())
        return line.decode()

    def last_word(self) -> str:
        self.complaints.seek(0)
        words = self.complaints.read().decode(errors="replace").strip().splitlines()
        return words[-1] if words else "nothing"

    def cpu(self) -> float:
        return sum(cpu_of(pid) for pid in tree(self.process.pid))

    def memory(self) -> int:
        return sum(memory_of(pid) for pid in tree(self.process.pid))

    def settled_cpu(self) -> float:
        """Return the CPU time when it has stopped growing."""
        before, end = self.cpu(), time.monotonic() + PATIENCE
        while time.monotonic() < end:
            time.sleep(0.01)
            now = self.cpu()
            if now - before < 0.0001:
                return now
            before = now
        raise TimeoutError("the server does not come to rest")


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all that it has started, so far as they are alive."""
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        for child in children(pid, task):
            yield from tree(child)


def children(pid: int, task: str) -> list[int]:
    """Return the processes that this thread has started; none where it has ended since it was listed."""
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return []


def cpu_of(pid: int) -> float:
    # POSIX's clock_getcpuclockid, which Python lacks: user and system time of all threads,
    # those that ended included, in nanoseconds where /proc counts hundredths of a second.
    return time.clock_gettime((~pid << 3) | 2)


def memory_of(pid: int) -> int:
    """Return the bytes that this process alone holds: what it shares costs nothing more."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) * 1024
