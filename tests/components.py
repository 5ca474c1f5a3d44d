"""Components that a machine may lack: a test then skips, or fails where all are asked for."""

import importlib.util
import os
import shutil
from pathlib import Path
from typing import Never

import pytest

REQUIRED = os.environ.get("SSE_BRIDGE_REQUIRE_COMPONENTS") == "1"


def missing(sentence: str) -> Never:
    """Skip the test that calls this, or fail it where every component is required."""
    if REQUIRED:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def program(*names: str) -> str:
    """The path of the first of these programs that the machine has."""
    for name in names:
        if path := shutil.which(name):
            return path
    missing(f"none of these is installed: {', '.join(names)}")


def package(name: str) -> None:
    """Go on if this package of PyPI is installed."""
    if importlib.util.find_spec(name) is None:
        missing(f"the package {name} is not installed")


def node_package(name: str) -> Path:
    """The folder of an npm package, beside the programs of others that are on the PATH."""
    for folder in map(Path, os.environ.get("PATH", "").split(os.pathsep)):
        if folder.parts[-2:] == ("node_modules", ".bin") and (folder.parent / name).is_dir():
            return folder.parent / name
    missing(f"the npm package {name} is not installed")
