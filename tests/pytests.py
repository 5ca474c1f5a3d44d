"""Runs pytest on files of a user, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import sse_bridge

SOURCE = Path(sse_bridge.__file__).parents[1]
INI = "[pytest]\nfilterwarnings = error\nasyncio_default_fixture_loop_scope = function\n"


def run_pytest(folder: Path, files: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Write these files, and run them with the plugins that a user of all three styles has."""
    for name, text in {"pytest.ini": INI, **files}.items():
        (folder / name).write_text(text, "utf-8")
    plugins = ["-p", "anyio.pytest_plugin", "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-v", *plugins],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(SOURCE), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
