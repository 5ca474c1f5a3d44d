"""The demo: one of the example apps with a real language model on this machine (`make demo`)."""

import argparse
import importlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import local_model

WELCOME = """
  The model      {model}
  A web page     {url}
  A terminal     curl -N {url}/chat --json '{{"prompt": "Why is the sky blue?"}}'

Ctrl-C ends the demo.
"""
HERE = Path(__file__).resolve().parent


def serve_asgi(app: Any, listener: socket.socket) -> None:
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def serve_wsgi(app: Any, listener: socket.socket) -> None:
    import waitress

    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns of every short wait
    waitress.serve(app, sockets=[listener], threads=16)


Serve: TypeAlias = Callable[[Any, socket.socket], None]

# folder, module, and how it is served
APPS: dict[str, tuple[str, str, Serve]] = {
    "starlette": ("starlette_app", "app", serve_asgi),
    "fastapi": ("starlette_app", "fastapi_app", serve_asgi),
    "flask": ("flask_app", "app", serve_wsgi),
}


def main() -> None:
    options = arguments()
    for ending in (signal.SIGINT, signal.SIGTERM):  # a shell's `&` would have the first ignored
        signal.signal(ending, signal.default_int_handler)
    try:
        run(options)
    except KeyboardInterrupt:
        print("\nThe demo has ended.", flush=True)
        os._exit(
            0
        )  # streams may still run on threads: the interpreter's own end is not to wait for them
    except ModuleNotFoundError as error:
        sys.exit(f"A package is missing: {error.name}. `make demo` installs what the demo needs.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--app", choices=APPS, default="starlette")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4000)
    return parser.parse_args()


def run(options: argparse.Namespace) -> None:
    listener = listen(options.host, options.port)
    with ExitStack() as stack, listener:
        if "MODEL_API" in os.environ:
            told = f"the one that MODEL_API={os.environ['MODEL_API']} and its variables name"
        else:
            told = start_local_model(stack)
        folder, module, serve = APPS[options.app]
        sys.path.insert(0, str(HERE / folder))
        os.environ["ALLOWED_HOSTS"] = f"{options.host} {os.environ.get('ALLOWED_HOSTS', '')}"
        app = importlib.import_module(module).app
        announce(f"http://{options.host}:{listener.getsockname()[1]}", told)
        serve_until_interrupted(serve, app, listener)


def serve_until_interrupted(serve: Serve, app: Any, listener: socket.socket) -> None:
    """Serve on a thread that the process does not wait for: Ctrl-C shall end endless streams too."""
    thread = threading.Thread(target=serve, args=(app, listener), daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.5)  # a signal that comes just before a wait does not end it
    finally:
        logging.disable()  # what breaks off from here on is no fault


def listen(host: str, port: int) -> socket.socket:
    """Take the port before the model is loaded, so that a taken one is told at once."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        sys.exit(
            f"Port {port} of {host} cannot be had ({os.strerror(error.errno or 0).lower()}): "
            f"end what listens there, or name another: make demo PORT={port + 1}"
        )


def start_local_model(stack: ExitStack) -> str:
    print("Loading the model ...", flush=True)
    server = stack.enter_context(local_model.serving())
    os.environ["OPENAI_BASE_URL"] = server.base_url
    os.environ["OPENAI_API_KEY"] = server.api_key
    os.environ["MODEL"] = server.name
    return f"{server.name}, on this machine. It is tiny: fluent, and often wrong."


def announce(url: str, model: str) -> None:
    print(WELCOME.format(url=url, model=model), flush=True)


if __name__ == "__main__":
    main()
