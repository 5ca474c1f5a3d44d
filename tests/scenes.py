"""Scenes that are played in a process of their own, each by a module of this folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sse_bridge

TESTS = Path(__file__).parent
SOURCE = Path(sse_bridge.__file__).parents[1]


def played(module: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What came of a scene of `module`, which has 40 seconds for it."""
    return subprocess.run(
        [sys.executable, "-m", module, *words],
        cwd=TESTS,
        env={"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )
