"""Whether the nearest tests notice when a module is broken: `make mutants`, `make mutants ONLY="stream wire"`.

What was found is kept in `.mutants`, so that a run that was stopped goes on where it was, until the code or the
tests change. With `--missed` only those are tried that went unnoticed the last time, whatever has changed since.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from .breaking import Mutant, mutants
from .trying import Trial

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".mutants"
NAMED = Path(__file__).with_name("named.toml")

SHARE = 0.95  # of what can be noticed

# What is broken, and the tests that are to notice.
NEAREST = {
    "stream": ["test_stream_counts.py", "test_stream_words.py", "test_stream.py"],
    "times": ["test_times.py", "test_stream_counts.py", "test_stream.py"],
    "wire": ["test_wire.py", "test_wire_decoding.py", "test_wire_properties.py"],
    "interrupt": ["test_interrupt_rules.py", "test_interrupt.py"],
    "drivers/pipe": ["drivers/test_pipe.py"],
    "drivers/connection": [
        "drivers/test_connection.py",
        "drivers/test_connection_ends.py",
        "drivers/test_battery.py",
    ],
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("only", nargs="*", help=f"of {', '.join(NEAREST)}")
    parser.add_argument("--missed", action="store_true", help="try what went unnoticed last time")
    given = parser.parse_args()
    for name in given.only:
        if not any(is_meant(module, [name]) for module in NEAREST):
            parser.error(f"{name} is none of {', '.join(NEAREST)}")
    chosen = [module for module in NEAREST if is_meant(module, given.only)]
    with Trial(ROOT) as trial:
        shares = [share_of(trial, module, Memory(module, given.missed)) for module in chosen]
    return 0 if min(shares) >= SHARE else 1


def is_meant(module: str, only: list[str]) -> bool:
    return not only or module in only or module.rpartition("/")[2] in only


class Memory:
    """What is known of a module's mutants."""

    def __init__(self, module: str, whatever_changed: bool) -> None:
        self._file = KEPT / f"{module.replace('/', '-')}.json"
        self._state = state()
        self._noticed: dict[str, bool] = {}
        if self._file.exists():
            kept = json.loads(self._file.read_text("utf-8"))
            if kept["state"] == self._state:
                self._noticed = kept["noticed"]
            elif whatever_changed:
                self._noticed = {name: True for name, noticed in kept["noticed"].items() if noticed}

    def recall(self, name: str) -> bool | None:
        """Whether it was noticed; None where that is not known."""
        return self._noticed.get(name)

    def keep(self, name: str, noticed: bool) -> None:
        self._noticed[name] = noticed
        self._file.parent.mkdir(exist_ok=True)
        kept = json.dumps({"state": self._state, "noticed": self._noticed})
        new = self._file.with_suffix(".new")  # what is stopped here leaves the old one whole
        new.write_text(kept, "utf-8")
        new.replace(self._file)


def state() -> str:
    """Of all that may have a say in whether a test fails."""
    files = sorted(path for top in ("src", "tests") for path in (ROOT / top).rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


def share_of(trial: Trial, module: str, memory: Memory) -> float:
    """The share of a module's mutants that the nearest tests notice, of those that can be noticed."""
    path, tests = f"src/sse_bridge/{module}.py", [f"tests/{name}" for name in NEAREST[module]]
    seconds = trial.untouched(tests)
    unnoticed: list[str] = []
    count = 0
    for name, mutant in told_apart(mutants(trial.source(path))):
        count += 1
        noticed = memory.recall(name)
        if noticed is None:
            noticed = trial.notices(path, mutant.source, tests, limit=5 + 3 * seconds)
            memory.keep(name, noticed)
        if not noticed:
            unnoticed.append(name)
    return tell(module, count, unnoticed)


def told_apart(found: Iterable[Mutant]) -> Iterator[tuple[str, Mutant]]:
    """Each with its name; of those that read alike the second one is called so."""
    seen: Counter[str] = Counter()
    for mutant in found:
        seen[mutant.name] += 1
        again = f" ({seen[mutant.name]})" if seen[mutant.name] > 1 else ""
        yield mutant.name + again, mutant


def tell(module: str, count: int, unnoticed: list[str]) -> float:
    """Print what was found, and why it is no fault of the tests where that is known."""
    reasons = named(module)
    known = [name for name in unnoticed if name in reasons]
    noticed = count - len(unnoticed)
    share = noticed / (count - len(known))
    print(f"{module}: {noticed} of {count} noticed, {len(known)} cannot be: {share:.1%}")
    for name in unnoticed:
        if name not in reasons:
            print(f"  not noticed: {name}")
    for name in reasons.keys() - set(unnoticed):
        print(f"  named, but noticed or gone: {name}")
    sys.stdout.flush()
    return share


def named(module: str) -> dict[str, str]:
    """The mutants that no test can notice, and the reason of each."""
    everything: dict[str, Any] = tomllib.loads(NAMED.read_text("utf-8"))
    return {entry["mutant"]: entry["because"] for entry in everything.get(module, [])}


if __name__ == "__main__":
    sys.exit(main())
