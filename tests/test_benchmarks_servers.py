"""Each kind of row over a real server, once and small; nothing here looks at a clock."""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import pytest
from benchmarks import over_cpu, over_idle, over_rate, over_waiting, uvicorns
from benchmarks.contenders import ALL, RAW
from benchmarks.over_apps import Pace, Paced
from benchmarks.over_flask import MAKERS
from benchmarks.over_http import connect
from benchmarks.over_idle import Crowd, Window
from benchmarks.over_many import Many, Watch
from benchmarks.over_process import Server, Setting, tree
from benchmarks.row import grid
from benchmarks.server_rows import SERVER_ROWS, SERVER_TARGETS, SOURCES
from benchmarks.work import Kind, Mode

REPOSITORY = Path(__file__).parents[1]
FEW = (RAW, "sse_bridge_starlette")
ABSENT: dict[str, str] = {}

# Every sampler counts the events of what it times, and raises where one is missing.


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers import `benchmarks` from where they are started."""
    monkeypatch.chdir(REPOSITORY)


def setting(server: str, pace: Pace, mode: Mode = "async", clients: int = 1) -> Setting:
    return Setting(server, Paced("str", mode, 20, pace), clients, FEW, seconds=0)


@pytest.mark.parametrize("clients", [1, 3])
@pytest.mark.parametrize("mode", ["async", "sync"])
def test_the_cpu_of_a_backlog_is_sampled(mode: Mode, clients: int) -> None:
    with over_cpu.field(setting("uvicorn", "backlog", mode, clients), ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


@pytest.mark.parametrize("server", ["hypercorn", "granian", "uvicorn-h11"])
def test_other_servers_are_sampled(server: str) -> None:
    with over_cpu.field(setting(server, "backlog"), ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


def test_gunicorn_is_sampled_with_its_worker() -> None:
    work = Paced("str", "sync", 20)
    with over_cpu.field(Setting("gunicorn", work, who=tuple(MAKERS), seconds=0), ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


@pytest.mark.parametrize(
    "kind, server, names",
    [("str", "uvicorn", ALL), ("str", "uvicorn-h11", ALL), ("openai", "uvicorn", FEW)],
)
def test_every_contender_writes_lone_chunks_alone(
    kind: Kind, server: str, names: tuple[str, ...]
) -> None:
    lone = Setting(server, Paced(kind, "async", 5, "ticking"), seconds=0)
    with over_cpu.field(lone, names) as field:
        assert field.absent == ABSENT


def test_chunks_that_went_together_are_refused() -> None:
    together = b"HTTP/1.1 200 OK\r\n\r\n1e\r\ndata:  token0\n\ndata:  token1\n\n\r\n0\r\n\r\n"
    lone = Setting("uvicorn", Paced("str", "async", 2, "ticking"))
    with pytest.raises(ValueError, match="2 chunks were to go alone, but in 1 pieces"):
        over_cpu.check(lone, together)


@pytest.mark.parametrize("mode", ["async", "sync"])
def test_the_wait_for_the_first_event_is_sampled(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(over_waiting, "REQUESTS", 2)
    make = over_waiting.first_event
    with over_waiting.field(setting("uvicorn", "lingering", mode), make, ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


def test_the_end_of_a_left_source_is_heard_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(over_waiting, "LEAVINGS", 2)
    telling = Setting("uvicorn", Paced("str", "async", 2, "telling"), who=SOURCES)
    with over_waiting.field(telling, partial(over_waiting.end_of_source, max), ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


@pytest.mark.parametrize("server", uvicorns.LOOP_AND_PARSER)
def test_the_rate_of_streams_is_sampled(server: str) -> None:
    few = setting(server, "backlog", clients=3)
    with over_waiting.field(few, over_rate.per_second, ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


def test_a_stream_that_counts_for_the_rate_has_all_its_events() -> None:
    with (
        Server("uvicorn", RAW, Paced("str", "async", 2)) as server,
        connect(server.port()) as one,
        pytest.raises(ValueError, match="2 events instead of 3"),
    ):
        over_rate.Clients([one], events=3).rate(seconds=0)


def test_many_idle_streams_are_watched_once_for_all_their_rows() -> None:
    often = Paced("str", "async", 2, "idle", ping=0.2)
    many = Many(Setting("uvicorn", often, who=FEW), sizes=(5, 10))
    with many.memory(()) as held, many.share(()) as spent, many.late(()) as late:
        seen = dict(many.seen)
        assert held.samplers.keys() == {grid(name, size) for name in FEW for size in (5, 10)}
        assert all(sample() > 0 for sample in spent.samplers.values())
        assert all(sample() < 5 for sample in late.samplers.values())
        assert late.samplers.keys() == set(FEW)
    assert seen == many.seen


def test_a_ping_that_is_not_there_yet_is_late_too() -> None:
    often = Paced("str", "async", 2, "idle", ping=0.1)
    with Server("uvicorn", RAW, often) as server, closing(Crowd(server, 1)) as crowd:
        watch = Watch(crowd, ping=0.1)
        watch.window()
        watch.window()
        assert watch.latest() < 50
        watch.came[crowd.connections[0]] -= 10
        assert watch.latest() > 99


def test_streams_that_had_no_ping_at_all_are_refused() -> None:
    silent = Paced("str", "async", 2, "idle")
    with Server("uvicorn", "starlette", silent) as server, closing(Crowd(server, 1)) as crowd:
        watch = Watch(crowd, ping=0.01)
        watch.window()
        with pytest.raises(ValueError, match="11 of 11 streams had no ping"):
            watch.latest()


def test_the_memory_of_idle_streams_is_sampled() -> None:
    with over_idle.memory(setting("uvicorn", "idle", clients=100), ()) as field:
        assert field.absent == ABSENT
        assert all(sample() > 0 for sample in field.samplers.values())


def test_the_baseline_is_watched_in_the_same_seconds_as_all_others() -> None:
    with over_idle.crowds(setting("uvicorn", "idle", clients=3), ()) as (_, opened):
        window = Window(opened, RAW, seconds=0.1)
        first, _, second = [window.of(name)() for name in (RAW, FEW[1], RAW)]
        assert first == second


def test_idle_streams_without_a_ping_do_not_count() -> None:
    with (
        over_idle.crowds(setting("uvicorn", "idle", clients=1), ()) as (_, opened),
        pytest.raises(ValueError, match="11 of 11 streams had no ping"),
    ):
        opened[RAW].refuse_dead(pinged=True)


def test_idle_streams_that_were_closed_do_not_count() -> None:
    with ExitStack() as stack:
        server = Server("uvicorn", RAW, Paced("str", "async", 2, "idle"))
        with server:
            crowd = Crowd(server, 1)
            stack.callback(crowd.close)
        with pytest.raises(OSError, match=r"closed|reset"):
            crowd.refuse_dead(pinged=False)


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn", "granian", "gunicorn"])
def test_a_server_ends_with_its_harness_however_that_ends(server: str) -> None:
    name = "flask" if server == "gunicorn" else RAW
    script = f"""
from benchmarks.over_process import Server, tree
from benchmarks.over_apps import Paced
import time
server = Server({server!r}, {name!r}, Paced("str", "sync", 2))
server.port()
print(*tree(server.process.pid), flush=True)
time.sleep(60)
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as harness:
        assert harness.stdout
        pids = [int(pid) for pid in harness.stdout.readline().split()]
        ends = [os.pidfd_open(pid) for pid in pids]
        harness.send_signal(signal.SIGKILL)
    assert pids
    wait_for(ends)


def wait_for(ends: list[int], seconds: float = 20) -> None:
    """Fail where a process is still there after a time that is far more than it needs."""
    limit = time.monotonic() + seconds
    for end in ends:
        assert select.select([end], [], [], max(0, limit - time.monotonic()))[0]
        os.close(end)


def test_a_server_that_cannot_start_is_absent_with_its_last_word() -> None:
    with over_cpu.field(Setting("uvicorn", Paced("str", "async", 2), who=("nobody",)), ()) as field:
        assert "nobody" in field.absent["nobody"]


def test_the_processes_of_a_server_are_all_counted() -> None:
    with Server("gunicorn", "flask", Paced("str", "sync", 2)) as server:
        server.port()
        while len(list(tree(server.process.pid))) < 2:
            time.sleep(0.01)


def test_every_target_over_servers_is_of_a_row_that_is_measured() -> None:
    assert {target.row for target in SERVER_TARGETS} <= {row.name for row in SERVER_ROWS}
