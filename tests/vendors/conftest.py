"""The vendors' packages are in an environment of their own: `make test-vendors`."""

from __future__ import annotations

import importlib
import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What an SDK leaves of its own connections to the garbage collector is not ours to end."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(
                pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
            )


def need(name: str) -> None:
    """The same for a package that is not imported here."""
    if importlib.util.find_spec(name) is None:
        vendor(name)


def vendor(name: str) -> ModuleType:
    """A vendor's package; the file of tests that lacks it is skipped, or fails where all are asked for."""
    if os.environ.get("SSE_BRIDGE_REQUIRE_VENDORS") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} comes with `make test-vendors`")
