"""The vendors' packages are in an environment of their own: `make test-vendors`."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest


def vendor(name: str) -> ModuleType:
    """A vendor's package; the file of tests that lacks it is skipped, or fails where all are asked for."""
    if os.environ.get("SSE_BRIDGE_REQUIRE_VENDORS") == "1":
        return importlib.import_module(name)
    return pytest.importorskip(name, reason=f"{name} comes with `make test-vendors`")
