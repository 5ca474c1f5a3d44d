"""What the type checkers find in files: the place of each error, and its words."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from components import missing, program
from pages import ROOT, Block

_PATIENCE = 240.0
_MYPY_LINE = re.compile(r"(?P<path>[^:]+):(?P<line>\d+): error: (?P<words>.*)")
# As strict as can be with code that has no annotations.
_UNTYPED = (
    "--allow-untyped-defs",
    "--allow-incomplete-defs",
    "--allow-untyped-calls",
    "--implicit-reexport",
)


class Fault(NamedTuple):
    file: str
    line: int
    words: str


def mypy(*paths: Path, untyped: bool = False) -> list[Fault]:
    """The errors of `mypy --strict`; `untyped` code needs no annotations, and is checked all the same."""
    if importlib.util.find_spec("mypy") is None:
        missing("mypy is not installed")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary"]
    ran = _run([*command, *(_UNTYPED if untyped else ()), *map(str, paths)], paths[0].parent)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    found = map(_MYPY_LINE.fullmatch, ran.stdout.splitlines())
    faults = [Fault(Path(m["path"]).name, int(m["line"]), m["words"]) for m in found if m]
    assert bool(faults) == bool(ran.returncode), ran.stdout
    return faults


def pyright(*paths: Path, untyped: bool = False, folder: Path) -> list[Fault]:
    """The same of pyright's, which looks at files in a `folder` of its configuration's only."""
    for path in paths:
        if path.parent != folder:
            shutil.copy(path, folder)
    config = {
        "typeCheckingMode": "standard" if untyped else "strict",
        "extraPaths": [str(ROOT / "src")],
        "include": [path.name for path in paths],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    command = [_pyright(), "--project", str(folder), "--pythonpath", sys.executable, "--outputjson"]
    ran = _run(command, folder)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    told = json.loads(ran.stdout)
    assert told["summary"]["filesAnalyzed"] == len(paths)
    return [
        Fault(Path(one["file"]).name, one["range"]["start"]["line"] + 1, one["message"])
        for one in told["generalDiagnostics"]
        if one["severity"] == "error"
    ]


def _pyright() -> str:
    beside = Path(sys.executable).parent / "pyright"
    return str(beside) if beside.exists() else program("pyright")


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "src"), str(folder)])
    environ = {**os.environ, "MYPYPATH": path, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


# -- the blocks of a page -------------------------------------------------------------------------


def written(blocks: list[Block], folder: Path, name: str = "block") -> list[Path]:
    """A module for each block, its lines as on the page; what it has of a block before it is imported."""
    made: dict[str, int] = {}  # names, by the block that had them last
    paths = []
    for number, block in enumerate(blocks):
        tree = ast.parse(block.text)
        own = set(_bound(tree))
        needed = sorted({n.id for n in ast.walk(tree) if isinstance(n, ast.Name)} - own)
        lines = [
            f"from {name}_{made[bound]} import {bound}"
            for bound in needed
            if bound in made and not hasattr(builtins, bound)
        ]
        blank = "\n" * (block.line - 2)  # one line is the import's
        path = folder / f"{name}_{number}.py"
        path.write_text("; ".join(lines) + "\n" + blank + block.text, encoding="utf-8")
        paths.append(path)
        made.update(dict.fromkeys(own, number))
    return paths


def _bound(tree: ast.AST) -> Iterator[str]:
    """The names that a module binds, in whatever scope."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.partition(".")[0]
