"""Run the nearest tests on a broken copy of the tree."""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import importlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

# They take as long to import as most tests take to run. A child finds them imported.
IMPORTED = ["pytest", "hypothesis.strategies", "anyio", "trio", "httpx", "openai", "dashscope"]

MEMORY = 4 * 1024**3  # a loop that has lost its end may gather for ever


class Trial:
    """A copy of the tree, to be broken."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._copy = Path(tempfile.mkdtemp(prefix="mutants-"))

    def __enter__(self) -> Trial:
        for name in ("src", "tests"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(self._root / name, self._copy / name, ignore=ignored)
        shutil.copy(self._root / "pyproject.toml", self._copy)
        for name in IMPORTED:
            importlib.import_module(name)
        gc.freeze()  # a child need not look through what it was born with
        os.environ["PYTHONPATH"] = str(self._copy / "src")
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._copy)

    def source(self, path: str) -> str:
        """What a file of the copy says."""
        return (self._copy / path).read_text("utf-8")

    def untouched(self, tests: Sequence[str]) -> float:
        """How long the tests take, in seconds, when nothing is broken."""
        sys.dont_write_bytecode = False
        self._pass(
            tests, limit=600
        )  # leaves bytecode, which need not be made for each mutant again
        # A mutant's own would be mistaken for that of another, of the same size and in the same second.
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        began = time.monotonic()
        if not self._pass(tests, limit=600):
            raise SystemExit(f"These tests fail although nothing is broken: {' '.join(tests)}")
        return time.monotonic() - began

    def notices(self, path: str, source: str, tests: Sequence[str], limit: float) -> bool:
        """Whether one of the tests fails, or none ends within so many seconds, when a file reads like this."""
        meant = self.source(path)
        (self._copy / path).write_text(source, "utf-8")
        try:
            return not self._pass(tests, limit)
        finally:
            (self._copy / path).write_text(meant, "utf-8")

    def _pass(self, tests: Sequence[str], limit: float) -> bool:
        child = os.fork()
        if child == 0:
            self._run(tests, limit)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(ProcessLookupError):  # what the tests left behind
            os.killpg(child, signal.SIGKILL)
        return status == 0

    def _run(self, tests: Sequence[str], limit: float) -> None:
        """In the child: never returns."""
        status = 1
        try:
            os.setsid()
            faulthandler.dump_traceback_later(
                limit, exit=True
            )  # even where everything stands still
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
            silence = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(silence, descriptor)
            os.chdir(self._copy)
            sys.path.insert(0, str(self._copy / "src"))
            status = int(_pytest(tests))
        finally:
            os._exit(status)


def _pytest(tests: Sequence[str]) -> int:
    import hypothesis
    import pytest

    # The same examples for each mutant; and a fault that was found need not be made smaller.
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile(
        "mutants", phases=phases, derandomize=True, database=None, deadline=None
    )
    hypothesis.settings.load_profile("mutants")
    quiet = ["-q", "-x", "-p", "no:cacheprovider", "--tb=no", "--show-capture=no", "--no-summary"]
    # A plugin of a package that is imported already.
    return pytest.main([*quiet, "-W", "ignore::pytest.PytestAssertRewriteWarning", *tests])
