"""The recipes of docs/production.md that need a server of their own, run as the page has them.

The page's address and port, and where a model is, are the test's; all else is the page's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import aiohttp
import httpx
import pytest
import requests
from aiohttp.http_exceptions import LineTooLong

import pages
from components import package, program
from doubles import OpenAIDouble, Reply, Stall

from .client import Response
from .gate import Gate
from .harness import RUN, Pool, Server, environment, first_that_answers

PAGE = pages.ROOT / "docs" / "production.md"
CONSOLES = [block.text for block in pages.blocks(PAGE) if block.language == "console"]
COMMANDS = [line.removeprefix("$ ").strip() for text in CONSOLES for line in text.splitlines()]
CLIENTS = ("httpx_client.py", "aiohttp_client.py", "requests_client.py")
ADDRESS = "127.0.0.1:8000"
SHUTDOWN = b'event: error\ndata: {"code":"shutdown"'

Start = Callable[..., contextlib.AbstractContextManager[Server]]


@pytest.fixture
def model() -> Iterator[OpenAIDouble]:
    with OpenAIDouble() as double:
        yield double


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """All the page's files, as a reader has them who copied each."""
    for block in pages.blocks(PAGE):
        if block.file and not block.is_tests:
            (tmp_path / block.file).write_text(pages.file(PAGE, block.file)[0], "utf-8")
    return tmp_path


@pytest.fixture
def start(folder: Path, model: OpenAIDouble) -> Start:
    """Give `start(command)`: a server, started by a command of the page in the page's folder."""

    def start(command: str, *before: str, **env: str) -> contextlib.AbstractContextManager[Server]:
        given = {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "sk-double", **env}
        return first_that_answers(lambda: _started(command, before, folder, given), command)

    return start


def _started(
    command: str, before: tuple[str, ...], folder: Path, given: Mapping[str, str]
) -> Server:
    words = shlex.split(command)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        given = {name: value, **given}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [sys.executable, "-m", *[word.replace("8000", str(port)) for word in words]]
    if "gunicorn" in words:
        words += ["--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*RUN, "exec", *before, *words],
            cwd=folder,
            env={**environment(), **given},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    return Server(command, "", port, process, log)


def command(*has: str) -> str:
    """The command of the page in which these words stand."""
    (found,) = (line for line in COMMANDS if all(word in line for word in has))
    return found


def asked(server: Server) -> Response:
    """A chat whose model has said one word and says nothing more."""
    body = json.dumps({"prompt": "Hi"}).encode()
    response = server.post("/chat", body, Content_Type="application/json")
    assert response.read_until() == b'event: delta\ndata: {"text":"Hello"}\n\n'
    return response


def stalled(model: OpenAIDouble, streams: int) -> None:
    """Each answer stops behind its first word."""
    model.queue(*[Reply(at={2: Stall()})] * streams)


def ends_with_shutdown(response: Response) -> None:
    with response:
        rest = response.read_all()
    assert SHUTDOWN in rest
    assert response.ended_cleanly


def test_the_dockerfile_s_command_ends_its_streams_before_docker_kills(
    start: Start, folder: Path, model: OpenAIDouble
):
    stalled(model, 1)
    with start(dockers_command(folder), GRACE="0.5") as server:
        response = asked(server)
        server.terminate()
        ends_with_shutdown(response)
        assert server.ended(10)  # where docker kills


def test_the_dockerfile_s_command_hears_a_sigterm_as_process_1(
    start: Start, folder: Path, model: OpenAIDouble
):
    unshare = [program("unshare"), "--pid", "--fork", "--kill-child"]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine gives no PID namespace")
    stalled(model, 1)
    with start(dockers_command(folder), *unshare, GRACE="0.5") as server:
        response = asked(server)
        pid = server.process.pid
        (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert Path(f"/proc/{child}/status").read_text().count("\t1\n")  # its id in there
        os.kill(int(child), signal.SIGTERM)
        ends_with_shutdown(response)
        assert server.ended(10)


def dockers_command(folder: Path) -> str:
    """The CMD in its exec form; on loopback, for nobody else is to ask."""
    last = (folder / "Dockerfile").read_text().splitlines()[-1]
    return shlex.join(json.loads(last.removeprefix("CMD "))).replace("0.0.0.0", "127.0.0.1")


def test_the_grace_of_the_app_is_shorter_than_docker_s(folder: Path):
    (grace,) = re.findall(r'"GRACE", "(\d+)"', (folder / "app.py").read_text())
    assert int(grace) < 10


def test_gunicorn_with_its_configuration_ends_streams_of_both_workers(
    start: Start, folder: Path, model: OpenAIDouble
):
    stalled(model, 8)
    config = folder / "gunicorn.conf.py"
    config.write_text(config.read_text().replace("shutdown_on_signal(20)", "shutdown_on_signal(1)"))
    with start(command("gunicorn flask_app:app")) as server:
        assert server.log().count("Booting worker") == 2
        responses = [asked(server) for _ in range(8)]
        server.terminate()
        for response in responses:
            ends_with_shutdown(response)
        assert server.ended(20)


def test_uvicorn_s_workers_each_end_their_streams(start: Start, model: OpenAIDouble):
    stalled(model, 8)
    with start(command("uvicorn --workers"), GRACE="0.5") as server:
        responses = [asked(server) for _ in range(8)]
        server.terminate()
        for response in responses:
            ends_with_shutdown(response)
        assert server.ended(20)
        assert server.log().count("Application shutdown complete") == 2


def test_a_reload_with_an_open_stream_ends_it_and_the_new_code_answers(
    start: Start, folder: Path, model: OpenAIDouble
):
    stalled(model, 1)
    with start(command("uvicorn --reload")) as server:
        response = asked(server)
        source = folder / "app.py"
        source.write_text(source.read_text().replace('"/chat"', '"/renamed"'), "utf-8")
        ends_with_shutdown(response)
        assert server.logged("Application startup complete", timeout=20)
        assert renamed(server)


def renamed(server: Server) -> bool:
    """Whether the new code answers before long."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        with contextlib.suppress(OSError, EOFError), server.get("/renamed") as response:
            if response.status == 405:  # there, for a POST
                return True
        time.sleep(0.02)
    return False


def test_each_python_client_reads_the_stream_to_its_end(start: Start, folder: Path):
    with start(command("uvicorn --workers")) as server:
        for name in CLIENTS:
            file = folder / name
            file.write_text(file.read_text().replace(ADDRESS, f"127.0.0.1:{server.port}"), "utf-8")
            first, *_, last = printed(file).splitlines()
            assert (first, last) == ('delta {"text":"Hello"}', "done [DONE]"), name


def printed(file: Path) -> str:
    """What a program prints that ends well."""
    ran = subprocess.run(
        [sys.executable, file],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return ran.stdout


def test_httpx_gives_up_after_five_seconds_of_silence_by_default():
    with httpx.Client() as client:
        assert client.timeout.read == 5


def test_aiohttp_ends_an_answer_after_five_minutes_by_default():
    assert aiohttp.client.DEFAULT_TIMEOUT.total == 300


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_aiohttp_reads_no_line_that_is_too_long(serve: Pool, gate: Gate):
    url = f"{serve('uvicorn', 'bridge_starlette:app').url}/async/gated?gate={gate.port}"
    async with aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.get(f"{url}&size=2000000"))
        await asyncio.to_thread(gate.release)
        async with await asking as answer:
            with pytest.raises((ValueError, LineTooLong), match=r"too|more than"):
                await answer.content.readline()


def test_requests_holds_lines_back_over_http_1_0_and_not_with_a_chunk_size_of_1(serve: Pool):
    server = serve("wsgiref", "bridge_flask:app")
    assert first_line(server, chunk_size=1) == b"data: chunk 1"
    with pytest.raises(requests.ConnectionError, match="timed out"):
        first_line(server)


def first_line(server: Server, **how: int) -> bytes:
    """What `iter_lines` gives first of a stream that is silent after its first chunk."""
    with Gate() as gate:
        gate_opens = threading.Thread(target=gate.release)
        gate_opens.start()
        url = f"{server.url}/sync/gated?ping=0&gate={gate.port}"
        with requests.get(url, stream=True, timeout=1) as answer:
            gate_opens.join()
            return next(answer.iter_lines(**how))


def test_the_metrics_of_two_workers_add_up(
    start: Start, folder: Path, model: OpenAIDouble, tmp_path: Path
):
    package("prometheus_client")
    stalled(model, 6)
    model.queue(Reply())
    config = folder / "gunicorn.conf.py"
    config.write_text("".join(pages.file(PAGE, config.name)), "utf-8")
    (metrics := tmp_path / "metrics").mkdir()
    with start("gunicorn metrics:app", PROMETHEUS_MULTIPROC_DIR=str(metrics)) as server:
        responses = [asked(server) for _ in range(6)]
        assert scraped(server)["chat_streams_open"] == 6
        with asked(server) as whole:
            whole.read_all()
        for response in responses:
            response.hang_up()
        seen = scraped(server, until={"chat_streams_open": 0.0})
    assert seen['chat_streams_ended_total{ending="gone"}'] == 6
    assert seen['chat_streams_ended_total{ending="finished"}'] == 1
    assert seen["chat_first_chunk_seconds_count"] == 7


def scraped(server: Server, until: Mapping[str, float] | None = None) -> dict[str, float]:
    """What /metrics says, once it says so or the time is over."""
    end = time.monotonic() + 10
    while True:
        with server.get("/metrics") as response:
            lines = response.read_all().decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        seen = {name: float(value) for name, _, value in pairs}
        if (until or {}).items() <= seen.items() or time.monotonic() > end:
            return seen
        time.sleep(0.02)
