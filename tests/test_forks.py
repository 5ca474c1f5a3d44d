"""What is called in a forked child."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sse_bridge import forks

CHILD = """
import os
from sse_bridge import forks

def says(word):
    return lambda: print(word, flush=True)

forks.in_child(says("first"))
forks.in_child(says("second"))
if (child := os.fork()) == 0:
    os._exit(0)
os.waitpid(child, 0)
print("parent", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork")
def test_a_child_makes_the_calls_in_their_order_and_its_parent_none():
    ran = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=30, check=True
    )
    assert ran.stdout.split() == ["first", "second", "parent"]


def test_where_no_process_forks_nothing_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    forks.in_child(lambda: pytest.fail("called"))
