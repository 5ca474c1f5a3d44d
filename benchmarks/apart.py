"""A row's contenders in a process of their own, where some packages cannot be imported.

The child reads how to open the field and who takes part, answers who is ready, and then takes a
sample of each name that it reads, until its standard input ends.
"""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from .measure import Field, Sampler
from .row import Open

ROOT = Path(__file__).parent.parent
Child = subprocess.Popen[bytes]


@contextmanager
def field(open_field: Open, hidden: tuple[str, ...], names: tuple[str, ...]) -> Iterator[Field]:
    """Yield the samplers of this field, each of which asks the child for its sample."""
    command = [sys.executable, "-m", "benchmarks.apart", *hidden]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT) as child:
        try:
            ready = ask(child, pickle.dumps((open_field, names)))
            samplers = {name: sampler(child, name) for name in ready["ready"]}
            yield Field(samplers, ready["absent"], ready["memory"])
        finally:
            assert child.stdin
            child.stdin.close()


def sampler(child: Child, name: str) -> Sampler:
    return partial(ask, child, f"{name}\n".encode())


def ask(child: Child, question: bytes) -> Any:
    assert child.stdin
    assert child.stdout
    child.stdin.write(question)
    child.stdin.flush()
    answer = child.stdout.readline()
    if not answer:
        raise RuntimeError("the process of this row ended; its last words are above")
    return json.loads(answer)


def main(*hidden: str) -> None:
    """Serve samples; what is hidden raises ImportError, for us and our peers alike."""
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    open_field, names = pickle.load(sys.stdin.buffer)
    with open_field(names) as entered:
        say({"ready": list(entered.samplers), "absent": entered.absent, "memory": entered.memory})
        for line in sys.stdin.buffer:
            say(entered.samplers[line.decode().strip()]())


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
