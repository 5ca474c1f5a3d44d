"""The example apps as `make demo` runs them, each in a process of its own, on a free port."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doubles import OpenAIDouble

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
APPS = ("flask", "starlette", "fastapi")
PATIENCE = 20.0


@dataclass(frozen=True)
class RunningApp:
    url: str
    answers: Path
    process: "subprocess.Popen[str]"

    def saved_count(self) -> int:
        return len(self._lines())

    def saved(self, number: int) -> dict[str, Any]:
        """What the app saved as its answer `number`, from 1 on; it is given a while to do so."""
        deadline = time.monotonic() + PATIENCE
        while len(self._lines()) < number:
            assert time.monotonic() < deadline, f"the app has not saved {number} answers"
            time.sleep(0.02)
        return dict(json.loads(self._lines()[number - 1]))

    def _lines(self) -> list[str]:
        return self.answers.read_text("utf-8").splitlines() if self.answers.exists() else []


def asking(model: OpenAIDouble, folder: Path) -> dict[str, str]:
    """The settings of an app that asks this model, and saves its answers in that folder."""
    return {
        "ANSWERS": str(folder / "answers.jsonl"),
        "MODEL_API": "openai",
        "OPENAI_BASE_URL": model.base_url,
        "OPENAI_API_KEY": "sk-double",
    }


@contextlib.contextmanager
def running(name: str, folder: Path, settings: Mapping[str, str]) -> Iterator[RunningApp]:
    """Run one of APPS, its model chosen by `settings`, until the block is left; it ends well."""
    answers = folder / "answers.jsonl"
    with start(name, {"ANSWERS": str(answers), "MODEL_API": "openai", **settings}) as process:
        try:
            yield RunningApp(address(process), answers, process)
        finally:
            process.terminate()
            rest = rest_of(process)
    assert process.returncode == 0, rest


def rest_of(process: "subprocess.Popen[str]") -> str:
    """What it said to its end; one that does not end says where all its threads are."""
    try:
        return process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        raise AssertionError(f"the demo did not end: {process.communicate()[0]}") from None


def start(name: str, settings: Mapping[str, str], *, port: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, str(EXAMPLES / "demo.py"), f"--app={name}", f"--port={port}"]
    environment = {key: os.environ[key] for key in os.environ if not key.startswith("OPENAI_")}
    return subprocess.Popen(
        command,
        env=environment | settings | {"PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def address(process: "subprocess.Popen[str]", before: str = "A web page") -> str:
    """The URL that the demo, or another program, prints behind these words once it listens."""
    said = []
    for line in process.stdout or ():
        said.append(line)
        if found := re.search(rf"{before} +(http://\S+)", line):
            return found[1]
    raise AssertionError(f"the program did not start: {''.join(said)}")
